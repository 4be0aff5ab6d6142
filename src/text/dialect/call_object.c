/* Calls that are JSON objects, alone or in lists: {"name": ..., "arguments": {...}}. */
#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "text/dialect/stream.h"

void stream_object_open(struct dialect_stream *s) {
    s->state = STREAM_MEMBER_OPEN;
    s->call.first_member = true;
}

static bool is_bare(const struct dialect_stream *s) { return !s->call.marked; }

static bool key_is(const struct dialect_stream *s, const char *text) {
    size_t len = strlen(text);
    return s->call.key.len == len && memcmp(s->call.key.data, text, len) == 0;
}

/* Appends the string that a JSON text stands for. */
static bool decode(struct dialect_stream *s, const struct byte_buffer *json,
                   struct byte_buffer *out) {
    json_t *value;
    if (jl_json_load(json->data, json->len, 0, &value, NULL) == JL_ERR_MEMORY) s->no_memory = true;
    bool ok = json_is_string(value);
    if (ok && !buffer_append(out, json_string_value(value), json_string_length(value)))
        s->no_memory = true;
    json_decref(value);
    return ok;
}

/* All arguments at once. */
static void give_args(struct dialect_stream *s, const char *text, size_t len) {
    struct json_scan scan = {0};
    stream_call_start(s);
    while (len && match_is_space(text[len - 1]))
        len--;
    for (size_t i = 0; i < len; i++) {
        bool in_string = json_scan_in_string(&scan);
        if (json_scan_byte(&scan, text[i]) == JSON_SCAN_BAD) break; // was checked: cannot be
        stream_call_json(s, text[i], in_string);
    }
    s->call.complete = true;
    s->raw_done = s->options.whole_calls ? s->raw.len : 0;
}

static void object_end(struct dialect_stream *s) {
    struct stream_call *call = &s->call;
    if (!call->started) {
        if (call->name.len == 0 || is_bare(s)) {
            stream_call_break(s, "the call lacks its name or arguments");
            return;
        }
        if (call->early.len)
            give_args(s, call->early.data, call->early.len);
        else
            give_args(s, "{}", 2);
    }
    bool in_list = call->in_list;
    stream_call_give(s);
    if (in_list)
        s->state = STREAM_LIST_NEXT;
    else
        stream_call_close(s);
}

static enum stream_member member_of(const struct dialect_stream *s) {
    if (key_is(s, "name")) return MEMBER_NAME;
    if (key_is(s, "arguments") || key_is(s, "parameters")) return MEMBER_ARGS;
    return key_is(s, "id") ? MEMBER_ID : MEMBER_OTHER;
}

static void open_member(struct dialect_stream *s, char byte) {
    struct stream_call *call = &s->call;
    call->member = member_of(s);
    call->buffered = false;
    switch (call->member) {
    case MEMBER_NAME:
        if (byte != '"' || call->name.len) {
            stream_call_break(s, "the call's name is no string, or there are two");
            return;
        }
        break;
    case MEMBER_ARGS:
        if (call->started || call->early.len || !strchr(is_bare(s) ? "{" : "{\"n", byte)) {
            stream_call_break(s, "the arguments are no object, or there are two");
            return;
        }
        if (byte == 'n') call->member = MEMBER_OTHER; // null: none
        call->buffered = byte == '"' || call->name.len == 0;
        if (byte == '{' && !call->buffered) stream_call_start(s);
        break;
    case MEMBER_OTHER:
        if (is_bare(s) && !call->started && !key_is(s, "type")) {
            stream_call_break(s, "not a call");
            return;
        }
        break;
    case MEMBER_ID: break;
    }
    s->value.len = 0;
    s->scan = (struct json_scan){0};
    s->state = STREAM_MEMBER_VALUE;
}

static void name_done(struct dialect_stream *s) {
    struct stream_call *call = &s->call;
    if (!decode(s, &s->value, &call->name) || !stream_name_fits(&call->name)) {
        call->name.len = 0;
        stream_call_break(s, "the call's name is no name");
        return;
    }
    stream_keep(s, &call->name, 0);
    call->name.len--;
    if (is_bare(s) && !s->no_memory && !schema_has_tool(&s->schema, call->name.data)) {
        stream_call_break(s, "no such tool was offered");
        return;
    }
    if (call->early.len) give_args(s, call->early.data, call->early.len);
}

static void buffered_args_done(struct dialect_stream *s) {
    struct stream_call *call = &s->call;
    char kind = 0;
    if (s->value.data[0] == '{') {
        if (!buffer_append(&call->early, s->value.data, s->value.len)) s->no_memory = true;
    } else if (!decode(s, &s->value, &call->early) ||
               !json_scan_text(call->early.data ? call->early.data : "", call->early.len, &kind) ||
               kind != '{') {
        stream_call_break(s, "the arguments are a string that is no JSON object");
        return;
    }
    if (call->name.len) give_args(s, call->early.data, call->early.len);
}

static void id_done(struct dialect_stream *s) {
    struct byte_buffer *id = &s->call.id;
    id->len = 0;
    if (s->value.data[0] == '"')
        decode(s, &s->value, id);
    else if (s->value.data[0] == '-' || (s->value.data[0] >= '0' && s->value.data[0] <= '9'))
        buffer_append(id, s->value.data, s->value.len);
    if (!stream_name_fits(id)) id->len = 0;
}

static void member_done(struct dialect_stream *s) {
    s->state = STREAM_MEMBER_NEXT;
    switch (s->call.member) {
    case MEMBER_NAME: name_done(s); break;
    case MEMBER_ARGS:
        if (s->call.buffered)
            buffered_args_done(s);
        else
            s->call.complete = true;
        break;
    case MEMBER_ID: id_done(s); break;
    case MEMBER_OTHER: break;
    }
    s->value.len = 0;
}

static void next_byte(struct dialect_stream *s, char byte) {
    if (match_is_space(byte)) return;
    if (byte == ',') {
        s->state = STREAM_MEMBER_OPEN;
        s->call.first_member = false;
    } else if (byte == '}') {
        object_end(s);
    } else {
        stream_call_break(s, "the call is no valid JSON");
    }
}

static void member_byte(struct dialect_stream *s, char byte) {
    bool streams = s->call.member == MEMBER_ARGS && !s->call.buffered;
    bool in_string = json_scan_in_string(&s->scan);
    enum json_scan_result result = json_scan_byte(&s->scan, byte);
    if (result == JSON_SCAN_BAD) {
        stream_call_break(s, "the call is no valid JSON");
        return;
    }
    if (result == JSON_SCAN_ENDED) {
        member_done(s);
        if (s->state == STREAM_MEMBER_NEXT) next_byte(s, byte);
        return;
    }
    if (streams)
        stream_call_json(s, byte, in_string);
    else
        stream_keep(s, &s->value, byte);
    if (result == JSON_SCAN_DONE && !s->no_memory) member_done(s);
}

static void key_byte(struct dialect_stream *s, char byte) {
    struct stream_call *call = &s->call;
    if (byte == '"' && !call->escaped) {
        s->state = STREAM_COLON;
        return;
    }
    call->escaped = byte == '\\' && !call->escaped;
    if (call->key.len == FORMAT_NAME_MAX)
        stream_call_break(s, "a member's name is too long");
    else
        stream_keep(s, &call->key, byte);
}

static void list_next(struct dialect_stream *s, char byte) {
    if (match_is_space(byte)) return;
    if (byte == ',') {
        s->state = STREAM_OBJECT_OPEN;
        return;
    }
    if (byte == ']')
        s->raw.len = 0;
    else
        stream_read_again(s);
    stream_call_close(s);
}

static void bare_next(struct dialect_stream *s, char byte) {
    if (match_is_space(byte)) return;
    if (byte == ';' && !s->call.separated) {
        s->call.separated = true;
    } else if (byte == '{') {
        s->raw_head = s->raw.len;
        s->call.separated = false;
        stream_object_open(s);
    } else {
        stream_to_text(s);
        stream_read_again(s);
    }
}

static void before_member(struct dialect_stream *s, char byte) {
    if (match_is_space(byte)) return;
    switch (s->state) {
    case STREAM_LIST_OPEN:
    case STREAM_OBJECT_OPEN:
        if (byte == '{') {
            stream_object_open(s);
        } else if (byte == '[' && s->state == STREAM_LIST_OPEN) {
            s->call.in_list = true;
            s->state = STREAM_OBJECT_OPEN;
        } else {
            stream_call_break(s, "no JSON object follows");
        }
        break;
    case STREAM_MEMBER_OPEN:
        if (byte == '"') {
            s->call.key.len = 0;
            s->state = STREAM_MEMBER_KEY;
        } else if (byte == '}' && s->call.first_member) {
            object_end(s);
        } else {
            stream_call_break(s, "the call is no valid JSON");
        }
        break;
    case STREAM_COLON:
        if (byte == ':')
            s->state = STREAM_MEMBER_OPEN_VALUE;
        else
            stream_call_break(s, "the call is no valid JSON");
        break;
    default:
        open_member(s, byte);
        if (s->state == STREAM_MEMBER_VALUE) member_byte(s, byte);
    }
}

void stream_object_byte(struct dialect_stream *s, char byte) {
    switch (s->state) {
    case STREAM_MEMBER_KEY: key_byte(s, byte); break;
    case STREAM_MEMBER_VALUE: member_byte(s, byte); break;
    case STREAM_MEMBER_NEXT: next_byte(s, byte); break;
    case STREAM_LIST_NEXT: list_next(s, byte); break;
    case STREAM_BARE_NEXT: bare_next(s, byte); break;
    default: before_member(s, byte);
    }
}
