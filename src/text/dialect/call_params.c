/* Arguments written as marked-up text, one by one, turned into the text of a JSON object. */
#include <string.h>

#include "text/dialect/stream.h"

void stream_params_open(struct dialect_stream *s) {
    s->state = STREAM_PARAM;
    match_expect_start(&s->expect, true);
    match_expect_add(&s->expect, s->calls->key_open);
    match_expect_add(&s->expect, s->calls->close);
    match_expect_add(&s->expect, s->calls->section_close); // some models leave the inner end out
}

static void param_byte(struct dialect_stream *s, char byte) {
    int found = match_expect_byte(&s->expect, byte);
    if (found == MATCH_HOLD) return;
    if (found == MATCH_NONE) {
        stream_call_break(s, "neither an argument nor the call's end");
        return;
    }
    if (!s->call.started) stream_call_start(s);
    if (s->expect.texts[found] == s->calls->key_open) {
        s->call.key.len = 0;
        s->state = STREAM_KEY;
        return;
    }
    bool section_end = s->expect.texts[found] != s->calls->close;
    stream_call_args(s, s->call.any ? "}" : "{}", s->call.any ? 1 : 2);
    stream_call_give(s);
    if (section_end)
        stream_to_text(s);
    else
        stream_call_closed(s);
}

static void key_byte(struct dialect_stream *s, char byte) {
    const char *end = s->calls->key_end;
    if (byte == *end) {
        s->state = STREAM_KEY_END;
        match_expect_start(&s->expect, false);
        if (s->calls->typed) {
            match_expect_add(&s->expect, "\" string=\"true\">");
            match_expect_add(&s->expect, "\" string=\"false\">");
            match_expect_add(&s->expect, "\">");
        } else {
            match_expect_add(&s->expect, end);
        }
        return;
    }
    if ((unsigned char)byte < 0x20 || s->call.key.len == FORMAT_NAME_MAX) {
        stream_call_break(s, "an argument's name does not end");
        return;
    }
    stream_keep(s, &s->call.key, byte);
}

static void open_value(struct dialect_stream *s) {
    struct stream_call *call = &s->call;
    stream_keep(s, &call->key, 0);
    call->key.len--;
    if (s->no_memory) return;
    call->types = call->type_given == 1 ? (unsigned)SCHEMA_STRING
                  : call->type_given == 2
                      ? (unsigned)SCHEMA_NOT_STRING
                      : schema_types(&s->schema, call->name.data, call->key.data);
    call->string = call->types == SCHEMA_STRING;
    stream_call_args(s, call->any ? ", \"" : "{\"", call->any ? 3 : 2);
    stream_escape(s, call->key.data, call->key.len);
    stream_call_args(s, call->string ? "\": \"" : "\": ", call->string ? 4 : 3);
    call->any = true;
    s->value.len = 0;
    s->skip = s->calls->value_pad;
    s->value_end.n_mark = 0;
    s->value_end.n_held = 0;
    match_add(&s->value_end, s->calls->value_end, s->calls->value_pad, 0, 1);
    s->state = STREAM_VALUE;
}

static void key_end_byte(struct dialect_stream *s, char byte) {
    int found = match_expect_byte(&s->expect, byte);
    if (found == MATCH_HOLD) return;
    if (found == MATCH_NONE) {
        stream_call_break(s, "an argument's name does not end");
        return;
    }
    s->call.type_given = s->calls->typed && found < 2 ? found + 1 : 0;
    if (!*s->calls->value_open) {
        open_value(s);
        return;
    }
    s->state = STREAM_VALUE_OPEN;
    match_expect_start(&s->expect, true);
    match_expect_add(&s->expect, s->calls->value_open);
}

static void value_open_byte(struct dialect_stream *s, char byte) {
    int found = match_expect_byte(&s->expect, byte);
    if (found == MATCH_NONE)
        stream_call_break(s, "no value follows an argument's name");
    else if (found >= 0)
        open_value(s);
}

static void close_value(struct dialect_stream *s) {
    struct stream_call *call = &s->call;
    const char *text = s->value.len ? s->value.data : "";
    size_t len;
    s->skip = NULL;
    if (call->string) {
        stream_call_args(s, "\"", 1);
    } else {
        const char *literal = schema_literal(call->types, text, s->value.len, &len);
        if (literal) {
            stream_call_args(s, literal, len);
        } else {
            stream_call_args(s, "\"", 1);
            stream_escape(s, text, s->value.len);
            stream_call_args(s, "\"", 1);
        }
    }
    s->value.len = 0;
    stream_params_open(s);
}

static void value_byte(struct dialect_stream *s, char byte) {
    if (s->skip && *s->skip) {
        if (*s->skip++ == byte) return;
        s->skip = NULL;
    }
    struct match *match = &s->value_end;
    match->held[match->n_held++] = byte;
    while (match->n_held) {
        int found = match_test(match, 1);
        if (found == MATCH_HOLD) break;
        if (found != MATCH_NONE) {
            close_value(s);
            return;
        }
        char free_byte = match_shift(match);
        if (!s->call.string)
            stream_keep(s, &s->value, free_byte);
        else
            stream_escape(s, &free_byte, 1);
    }
    if (!s->call.string || s->options.whole_calls) return;
    s->raw.len = 0; // the rest is given out
    if (!buffer_append(&s->raw, match->held, match->n_held)) s->no_memory = true;
}

void stream_params_byte(struct dialect_stream *s, char byte) {
    switch (s->state) {
    case STREAM_PARAM: param_byte(s, byte); break;
    case STREAM_KEY: key_byte(s, byte); break;
    case STREAM_KEY_END: key_end_byte(s, byte); break;
    case STREAM_VALUE_OPEN: value_open_byte(s, byte); break;
    default: value_byte(s, byte);
    }
    // The byte that ends a key belongs to what is expected behind it.
    if (s->state == STREAM_KEY_END && s->expect.n_got == 0) key_end_byte(s, byte);
}
