/* Llama's calls of built-in tools: NAME.call(key="value", ...) behind its mark. A JSON object there
 * is a call too; other text is none and stays text. */
#include <string.h>

#include "text/dialect/stream.h"

static bool is_word(char b) {
    return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '_';
}

static void name_byte(struct dialect_stream *s, char byte) {
    static const char call[] = ".call";
    const size_t n = sizeof call - 1;
    struct byte_buffer *name = &s->call.name;
    if (byte != '(') {
        if ((!is_word(byte) && byte != '.') || name->len == FORMAT_NAME_MAX)
            stream_call_break(s, "not a call");
        else
            stream_keep(s, name, byte);
        return;
    }
    if (name->len <= n || memcmp(name->data + name->len - n, call, n) != 0) {
        stream_call_break(s, "not a call");
        return;
    }
    name->len -= n;
    stream_call_start(s);
    s->call.key.len = 0;
    s->state = STREAM_PYTHON_KEY;
}

static void open_value(struct dialect_stream *s) {
    struct stream_call *call = &s->call;
    stream_call_args(s, call->any ? ", \"" : "{\"", call->any ? 3 : 2);
    stream_call_args(s, call->key.data, call->key.len);
    stream_call_args(s, "\": ", 3);
    call->any = true;
    call->key.len = 0;
}

static void close_call(struct dialect_stream *s) {
    stream_call_args(s, s->call.any ? "}" : "{}", s->call.any ? 1 : 2);
    stream_call_give(s);
    stream_call_close(s);
}

static void key_byte(struct dialect_stream *s, char byte) {
    struct byte_buffer *key = &s->call.key;
    if (key->len == 0 && (match_is_space(byte) || (byte == ',' && s->call.any))) return;
    if (byte == ')' && key->len == 0) {
        close_call(s);
    } else if (byte == '=' && key->len) {
        s->value.len = 0;
        s->state = STREAM_PYTHON_VALUE;
    } else if (is_word(byte) && key->len < FORMAT_NAME_MAX) {
        stream_keep(s, key, byte);
    } else {
        stream_call_break(s, "the arguments are not key=value");
    }
}

static void value_byte(struct dialect_stream *s, char byte) {
    if (s->value.len == 0 && match_is_space(byte)) return;
    if (s->value.len == 0 && byte == '"') {
        open_value(s);
        stream_call_args(s, "\"", 1);
        s->call.escaped = false;
        s->state = STREAM_PYTHON_STRING;
        return;
    }
    if (byte != ',' && byte != ')') {
        stream_keep(s, &s->value, byte);
        return;
    }
    size_t len;
    const char *text = s->value.len ? s->value.data : "";
    const char *literal = schema_literal(SCHEMA_NOT_STRING, text, s->value.len, &len);
    if (!literal) {
        stream_call_break(s, "an argument is neither a string nor a literal");
        return;
    }
    open_value(s);
    stream_call_args(s, literal, len);
    s->value.len = 0;
    if (byte == ')')
        close_call(s);
    else
        s->state = STREAM_PYTHON_KEY;
}

static void string_byte(struct dialect_stream *s, char byte) {
    if (s->call.escaped) {
        s->call.escaped = false;
        if (byte == 'n')
            byte = '\n';
        else if (byte == 't')
            byte = '\t';
        else if (byte != '"' && byte != '\\' && byte != '\'')
            stream_escape(s, "\\", 1);
        stream_escape(s, &byte, 1);
    } else if (byte == '\\') {
        s->call.escaped = true;
    } else if (byte == '"') {
        s->state = STREAM_PYTHON_QUOTE;
    } else {
        stream_escape(s, &byte, 1);
    }
}

/* A quote ends the string where ',' or ')' follows: the template writes quotes inside as they are.
 */
static void quote_byte(struct dialect_stream *s, char byte) {
    if (byte == ',' || byte == ')') {
        stream_call_args(s, "\"", 1);
        s->state = STREAM_PYTHON_KEY;
        if (byte == ')') close_call(s);
        return;
    }
    stream_escape(s, "\"", 1);
    s->state = STREAM_PYTHON_STRING;
    string_byte(s, byte);
}

void stream_python_byte(struct dialect_stream *s, char byte) {
    switch (s->state) {
    case STREAM_PYTHON:
        if (match_is_space(byte)) return;
        if (byte == '{') {
            stream_object_open(s);
            return;
        }
        s->state = STREAM_PYTHON_NAME;
        name_byte(s, byte);
        break;
    case STREAM_PYTHON_NAME: name_byte(s, byte); break;
    case STREAM_PYTHON_KEY: key_byte(s, byte); break;
    case STREAM_PYTHON_VALUE: value_byte(s, byte); break;
    case STREAM_PYTHON_STRING: string_byte(s, byte); break;
    default: quote_byte(s, byte);
    }
}
