/* The life of a call: begun by a mark, started when its name and the place of its arguments are
 * seen, given out or broken. */
#include <stdio.h>
#include <string.h>

#include "text/dialect/stream.h"
#include "text/utf8.h"

static bool is_whole_mode(const struct dialect_stream *s) { return s->options.whole_calls; }

/* Events account for all of `raw`. Where calls are held whole that is not so until the end. */
static void accounted(struct dialect_stream *s) {
    if (is_whole_mode(s)) {
        s->raw_done = s->raw.len;
        return;
    }
    s->raw.len = s->raw_head = s->raw_done = 0;
}

/* A new call may come; the section, if any, stays. */
static void reset(struct dialect_stream *s) {
    struct stream_call *call = &s->call;
    call->started = call->complete = call->any = call->string = call->buffered = false;
    call->escaped = call->separated = false;
    call->type_given = 0;
    call->name.len = call->id.len = call->key.len = call->early.len = 0;
    s->value.len = 0;
    s->raw_done = 0;
}

static void open_section(struct dialect_stream *s) {
    s->state = STREAM_SECTION;
    s->call.in_section = true;
    match_expect_start(&s->expect, true);
    match_expect_add(&s->expect, s->calls->open);
    match_expect_add(&s->expect, s->calls->section_close);
}

static void open_call(struct dialect_stream *s) {
    reset(s);
    s->raw_head = s->raw.len;
    s->call.in_list = false;
    switch (s->calls->body) {
    case CALL_OBJECT:
        s->call.marked = true;
        s->state = STREAM_OBJECT_OPEN;
        break;
    case CALL_LIST:
        s->call.marked = true;
        s->state = s->calls->brace ? STREAM_NAME : STREAM_LIST_OPEN;
        break;
    case CALL_BARE:
        s->call.marked = true;
        s->state = STREAM_PYTHON;
        break;
    default: s->state = STREAM_NAME;
    }
}

void stream_call_begin(struct dialect_stream *s, const char *mark, size_t len, int action) {
    s->raw.len = s->raw_done = 0;
    if (!buffer_append(&s->raw, s->spaces.data, s->spaces.len) ||
        !buffer_append(&s->raw, mark, len))
        s->no_memory = true;
    s->spaces.len = 0;
    s->raw_head = s->raw.len;
    s->call.in_section = s->call.any_in_section = false;
    if (action == MARK_SECTION) {
        open_section(s);
    } else if (action == MARK_BARE) {
        reset(s);
        s->call.marked = s->call.in_list = false;
        stream_object_open(s);
    } else {
        open_call(s);
        s->call.in_section = *s->calls->section_open != 0; // a section's end may come all the same
    }
}

bool stream_name_fits(const struct byte_buffer *name) {
    size_t at = 0;
    if (name->len == 0 || name->len > FORMAT_NAME_MAX) return false;
    while (at < name->len) {
        int n = utf8_length(name->data + at, name->len - at);
        if (n == 0 || name->data[at] == 0) return false;
        at += (size_t)n;
    }
    return true;
}

static const char *terminated(struct dialect_stream *s, struct byte_buffer *buffer) {
    if (!buffer_append(buffer, "", 1)) {
        s->no_memory = true;
        return "";
    }
    buffer->len--;
    return buffer->data;
}

void stream_call_start(struct dialect_stream *s) {
    struct stream_call *call = &s->call;
    const char *name = terminated(s, &call->name), *id = terminated(s, &call->id);
    if (is_whole_mode(s)) events_fence_set(&s->events);
    if (!events_add_call(&s->events, DIALECT_CALL_START, s->n_call, name, id)) s->no_memory = true;
    s->n_call++;
    call->started = true;
    accounted(s);
}

void stream_call_args(struct dialect_stream *s, const char *text, size_t len) {
    if (!events_add(&s->events, DIALECT_CALL_ARGS, s->n_call - 1, text, len)) s->no_memory = true;
    accounted(s);
}

void stream_escape(struct dialect_stream *s, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        static const char plain[] = "\"\\\n\r\t", letter[] = "\"\\nrt";
        const char *found = byte ? strchr(plain, byte) : NULL;
        char escaped[8] = {'\\', found ? letter[found - plain] : 'u', 0};
        if (found) {
            stream_call_args(s, escaped, 2);
        } else if (byte < 0x20) {
            snprintf(escaped, sizeof escaped, "\\u%04x", byte);
            stream_call_args(s, escaped, 6);
        } else {
            stream_call_args(s, text + i, 1);
        }
    }
}

void stream_call_json(struct dialect_stream *s, char byte, bool in_string) {
    if (in_string && (unsigned char)byte < 0x20)
        stream_escape(s, &byte, 1); // a raw newline in a string: JSON wants it escaped
    else
        stream_call_args(s, &byte, 1);
}

void stream_call_give(struct dialect_stream *s) {
    const char *name = terminated(s, &s->call.name), *id = terminated(s, &s->call.id);
    if (!events_add_call(&s->events, DIALECT_CALL_END, s->n_call - 1, name, id))
        s->no_memory = true;
    events_fence_open(&s->events);
    s->raw.len = s->raw_head = 0;
    s->call.any_in_section = true;
    reset(s);
}

void stream_call_closed(struct dialect_stream *s) {
    s->raw.len = s->raw_head = s->raw_done = 0;
    if (s->call.in_section)
        open_section(s);
    else
        stream_to_text(s);
}

void stream_call_close(struct dialect_stream *s) {
    if (s->calls->body == CALL_BARE) {
        s->state = STREAM_BARE_NEXT;
        return;
    }
    if (!*s->calls->close) {
        stream_call_closed(s);
        return;
    }
    s->state = STREAM_CLOSE;
    match_expect_start(&s->expect, true);
    match_expect_add(&s->expect, s->calls->close);
    match_expect_add(&s->expect, s->calls->close_alt);
}

/* raw[from...] is to be read once more, before what waits already. */
static void again(struct dialect_stream *s, size_t from) {
    struct byte_buffer next = {0};
    size_t rest = s->again.len - s->again_at;
    if (from > s->raw.len) from = s->raw.len;
    if (!buffer_append(&next, s->raw.data ? s->raw.data + from : "", s->raw.len - from) ||
        !buffer_append(&next, s->again.data ? s->again.data + s->again_at : "", rest))
        s->no_memory = true;
    buffer_free(&s->again);
    s->again = next;
    s->again_at = 0;
    s->raw.len = s->raw_head = s->raw_done = 0;
}

void stream_read_again(struct dialect_stream *s) { again(s, s->raw_done); }

static void raw_to_text(struct dialect_stream *s) {
    size_t head = s->raw_head;
    if (s->raw.len - head > STREAM_AGAIN_MAX) head = s->raw.len;
    stream_to_text(s);
    if (head) s->fresh = false;
    stream_text(s, DIALECT_CONTENT, s->raw.data, head);
    again(s, head);
}

void stream_call_break(struct dialect_stream *s, const char *why) {
    struct stream_call *call = &s->call;
    if (call->started && call->complete) {
        // The arguments are whole: what is missing behind them costs nothing.
        size_t done = s->raw_done;
        struct byte_buffer raw = s->raw;
        s->raw = (struct byte_buffer){0};
        stream_call_give(s);
        s->raw = raw;
        again(s, done);
        stream_call_close(s);
        return;
    }
    if (call->started && !is_whole_mode(s)) {
        if (!events_add(&s->events, DIALECT_CALL_BROKEN, s->n_call - 1, why, strlen(why)))
            s->no_memory = true;
        stream_to_text(s);
        again(s, 0);
    } else {
        if (call->started) {
            events_fence_drop(&s->events);
            s->n_call--;
        }
        raw_to_text(s);
    }
    reset(s);
}

void stream_call_over(struct dialect_stream *s) {
    switch (s->state) {
    case STREAM_SECTION:
        if (!s->call.any_in_section) {
            stream_call_break(s, "the text ended before a call");
            return;
        }
        __attribute__((fallthrough));
    case STREAM_CLOSE:
    case STREAM_BARE_NEXT:
    case STREAM_LIST_NEXT:
        stream_to_text(s);
        again(s, 0);
        return;
    default: stream_call_break(s, "the text ended inside the call");
    }
}

/* ---- bytes ---- */

static bool ends_name(char b) {
    return (unsigned char)b < 0x20 || b == ' ' || strchr("<>\"{}[]", b) != NULL;
}

/* Kimi writes functions.NAME:INDEX, and wants that whole as the id. */
static void name_from_id(struct dialect_stream *s) {
    struct byte_buffer *name = &s->call.name;
    if (!buffer_append(&s->call.id, name->data, name->len)) s->no_memory = true;
    static const char head[] = "functions.";
    size_t n = sizeof head - 1, end = name->len;
    while (end && name->data[end - 1] >= '0' && name->data[end - 1] <= '9')
        end--;
    if (end && end < name->len && name->data[end - 1] == ':') name->len = end - 1;
    if (name->len <= n || memcmp(name->data, head, n) != 0) return;
    name->len -= n;
    memmove(name->data, name->data + n, name->len);
}

static void named(struct dialect_stream *s) {
    if (s->calls->id_is_name) name_from_id(s);
    if (!stream_name_fits(&s->call.name))
        stream_call_break(s, "the call has no name");
    else if (s->calls->body == CALL_PARAMS)
        stream_params_open(s);
    else
        s->state = STREAM_ARGS_OPEN;
}

static void name_end_byte(struct dialect_stream *s, char byte) {
    if (s->calls->brace && byte == '{' && s->expect.n_got == 0) {
        named(s);
        if (s->state == STREAM_ARGS_OPEN) {
            s->raw.len--;
            stream_call_byte(s, byte);
        }
        return;
    }
    int found = match_expect_byte(&s->expect, byte);
    if (found == MATCH_NONE) {
        stream_call_break(s, "no arguments follow the name");
    } else if (found >= 0 && s->expect.texts[found] == s->calls->id_open) {
        s->state = STREAM_ID;
    } else if (found >= 0) {
        named(s);
    }
}

static void name_byte(struct dialect_stream *s, char byte) {
    struct byte_buffer *into = s->state == STREAM_ID ? &s->call.id : &s->call.name;
    bool quoted = *s->calls->name_end == '"'; // names in quotes may hold spaces
    if (into->len == 0 && match_is_space(byte)) return;
    if (into->len == 0 && byte == '[' && s->calls->brace && s->state == STREAM_NAME) {
        s->call.in_list = true;
        s->state = STREAM_OBJECT_OPEN;
        return;
    }
    if (!ends_name(byte) || (quoted && byte == ' ')) {
        stream_keep(s, into, byte);
        if (into->len > FORMAT_NAME_MAX) stream_call_break(s, "the call's name is too long");
        return;
    }
    if (!*s->calls->name_end) { // what follows decides
        named(s);
        if (s->state == STREAM_PARAM) {
            s->raw.len--;
            stream_call_byte(s, byte);
        }
        return;
    }
    bool with_id = s->state == STREAM_NAME;
    s->state = STREAM_NAME_END;
    match_expect_start(&s->expect, true);
    match_expect_add(&s->expect, s->calls->name_end);
    if (with_id) match_expect_add(&s->expect, s->calls->id_open);
    name_end_byte(s, byte);
}

static void args_byte(struct dialect_stream *s, char byte) {
    if (s->state == STREAM_ARGS_OPEN) {
        if (match_is_space(byte)) return;
        if (byte != '{') {
            stream_call_break(s, "the arguments are no JSON object");
            return;
        }
        stream_call_start(s);
        s->scan = (struct json_scan){0};
        s->state = STREAM_ARGS;
    }
    bool in_string = json_scan_in_string(&s->scan);
    enum json_scan_result result = json_scan_byte(&s->scan, byte);
    if (result == JSON_SCAN_BAD) {
        stream_call_break(s, "the arguments are no valid JSON");
        return;
    }
    stream_call_json(s, byte, in_string);
    if (result != JSON_SCAN_DONE) return;
    stream_call_give(s);
    stream_call_close(s);
}

static void section_byte(struct dialect_stream *s, char byte) {
    int found = match_expect_byte(&s->expect, byte);
    if (found == MATCH_HOLD) return;
    if (found >= 0 && s->expect.texts[found] == s->calls->open) {
        open_call(s);
        s->call.in_section = true;
    } else if (byte == '{' && s->expect.n_got == 1 && s->calls->json_too) {
        open_call(s);
        s->call.in_section = s->call.marked = true;
        stream_object_open(s);
    } else if (s->call.any_in_section) {
        stream_to_text(s);
        if (found == MATCH_NONE) again(s, 0);
        s->raw.len = s->raw_head = 0;
    } else {
        stream_call_break(s, "no call");
    }
}

static void close_byte(struct dialect_stream *s, char byte) {
    int found = match_expect_byte(&s->expect, byte);
    if (found == MATCH_HOLD) return;
    struct byte_buffer raw = s->raw;
    s->raw = (struct byte_buffer){0};
    stream_call_closed(s);
    buffer_free(&s->raw);
    s->raw = raw;
    if (found == MATCH_NONE) again(s, 0);
    s->raw.len = 0;
}

void stream_call_byte(struct dialect_stream *s, char byte) {
    stream_keep(s, &s->raw, byte);
    switch (s->state) {
    case STREAM_SECTION: section_byte(s, byte); break;
    case STREAM_NAME:
    case STREAM_ID: name_byte(s, byte); break;
    case STREAM_NAME_END: name_end_byte(s, byte); break;
    case STREAM_ARGS_OPEN:
    case STREAM_ARGS: args_byte(s, byte); break;
    case STREAM_CLOSE: close_byte(s, byte); break;
    case STREAM_PARAM:
    case STREAM_KEY:
    case STREAM_KEY_END:
    case STREAM_VALUE_OPEN:
    case STREAM_VALUE: stream_params_byte(s, byte); break;
    case STREAM_PYTHON:
    case STREAM_PYTHON_NAME:
    case STREAM_PYTHON_KEY:
    case STREAM_PYTHON_VALUE:
    case STREAM_PYTHON_STRING:
    case STREAM_PYTHON_QUOTE: stream_python_byte(s, byte); break;
    default: stream_object_byte(s, byte);
    }
}
