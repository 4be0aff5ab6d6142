/* The text of an assistant turn. It is parsed before it is given out, so that no turn is written
 * that would read back as another one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/buffer.h"
#include "text/dialect.h"
#include "text/dialect/format.h"
#include "text/dialect/json_scan.h"
#include "text/dialect/match.h"
#include "text/dialect/members.h"

struct render {
    const struct dialect *dialect;
    const struct dialect_turn *turn;
    struct byte_buffer text;
    bool failed; // out of memory, or a string that cannot be decoded
};

static void put(struct render *r, const char *text, size_t len) {
    if (!buffer_append(&r->text, text, len)) r->failed = true;
}

static void puts_text(struct render *r, const char *text) { put(r, text, strlen(text)); }

static void put_json_string(struct render *r, const char *text) {
    put(r, "\"", 1);
    for (; *text; text++) {
        char escaped[8];
        if (*text == '"' || *text == '\\')
            snprintf(escaped, sizeof escaped, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            snprintf(escaped, sizeof escaped, "\\u%04x", *text);
        else
            snprintf(escaped, sizeof escaped, "%c", *text);
        puts_text(r, escaped);
    }
    put(r, "\"", 1);
}

static const char *id_of(const struct dialect_call *call) { return call->id ? call->id : ""; }

static void put_object(struct render *r, const struct dialect_call *call) {
    const struct call_format *format = r->dialect->calls;
    puts_text(r, "{\"name\": ");
    put_json_string(r, call->name);
    puts_text(r, ", \"");
    puts_text(r, format->arguments);
    puts_text(r, "\": ");
    puts_text(r, call->arguments);
    if (format->list_ids && *id_of(call)) {
        puts_text(r, ", \"id\": ");
        put_json_string(r, call->id);
    }
    puts_text(r, "}");
}

static void put_params(struct render *r, const struct dialect_call *call) {
    const struct call_format *format = r->dialect->calls;
    struct members members;
    struct member member;
    members_open(&members, call->arguments, strlen(call->arguments));
    while (members_next(&members, &member)) {
        bool string = *member.value == '"';
        puts_text(r, format->key_open);
        if (!members_decode(member.key, member.key_len, &r->text)) r->failed = true;
        puts_text(r, format->key_end);
        if (format->typed) puts_text(r, string ? "true\">" : "false\">");
        puts_text(r, format->value_open);
        puts_text(r, format->value_pad);
        if (!string)
            put(r, member.value, member.value_len);
        else if (!members_decode(member.value, member.value_len, &r->text))
            r->failed = true;
        puts_text(r, format->value_pad);
        puts_text(r, format->value_end);
    }
}

static void put_name(struct render *r, const struct dialect_call *call, size_t index) {
    const struct call_format *format = r->dialect->calls;
    if (format->id_is_name) {
        if (*id_of(call)) {
            puts_text(r, call->id);
            return;
        }
        char end[32];
        puts_text(r, "functions.");
        puts_text(r, call->name);
        snprintf(end, sizeof end, ":%zu", index);
        puts_text(r, end);
        return;
    }
    puts_text(r, call->name);
    if (*format->id_open && *id_of(call)) {
        puts_text(r, format->id_open);
        puts_text(r, call->id);
    }
}

static bool is_offered(const struct dialect_turn *turn, const char *name) {
    for (size_t i = 0; i < turn->n_tool; i++)
        if (strcmp(turn->tools[i].name, name) == 0) return true;
    return false;
}

/* Bare objects are calls only at the start of a turn and only of tools that were offered. */
static bool needs_mark(const struct dialect_turn *turn) {
    if (turn->content && *turn->content) return true;
    for (size_t i = 0; i < turn->n_call; i++)
        if (!is_offered(turn, turn->calls[i].name)) return true;
    return false;
}

static void put_calls(struct render *r) {
    const struct call_format *format = r->dialect->calls;
    const struct dialect_turn *turn = r->turn;
    bool list = format->body == CALL_LIST, bare = format->body == CALL_BARE;
    if (turn->content && *turn->content) puts_text(r, format->before);
    if (!format->section_each) puts_text(r, format->section_open);
    if (list || (bare && needs_mark(turn))) puts_text(r, format->open);
    if (list) puts_text(r, "[");
    for (size_t i = 0; i < turn->n_call; i++) {
        const struct dialect_call *call = &turn->calls[i];
        if (i) puts_text(r, list ? ", " : format->between);
        if (format->section_each) puts_text(r, format->section_open);
        if (!list && !bare) puts_text(r, format->open);
        if (format->body == CALL_NAMED || format->body == CALL_PARAMS) {
            put_name(r, call, i);
            puts_text(r, format->name_end);
        }
        if (format->body == CALL_NAMED)
            puts_text(r, call->arguments);
        else if (format->body == CALL_PARAMS)
            put_params(r, call);
        else
            put_object(r, call);
        if (!list) puts_text(r, format->close);
        if (format->section_each) puts_text(r, format->section_close);
    }
    if (list) puts_text(r, "]");
    if (list) puts_text(r, format->close);
    if (!format->section_each) puts_text(r, format->section_close);
}

static void put_turn(struct render *r) {
    const struct dialect *d = r->dialect;
    const struct dialect_turn *turn = r->turn;
    if (turn->thinking) {
        puts_text(r, d->think.open);
        puts_text(r, d->think.after_open);
        puts_text(r, turn->thinking);
        puts_text(r, d->think.before_close);
        puts_text(r, d->think.close);
        puts_text(r, d->think.after_close);
        puts_text(r, d->answer_open);
    }
    if (turn->content) puts_text(r, turn->content);
    if (turn->n_call) put_calls(r);
    if (turn->thinking) puts_text(r, d->answer_close);
}

/* ---- does it read back? ---- */

struct reading {
    struct byte_buffer thinking, content, args;
    size_t n_call;
    bool same, failed;
};

static void read_event(struct reading *reading, const struct render *r,
                       const struct dialect_event *event) {
    const struct dialect_turn *turn = r->turn;
    const struct call_format *format = r->dialect->calls;
    size_t index = (size_t)event->index;
    struct byte_buffer *into = &reading->args;
    switch (event->kind) {
    case DIALECT_REASONING: into = &reading->thinking; break;
    case DIALECT_CONTENT:
        into = &reading->content;
        if (reading->n_call) reading->same = false; // behind a call
        break;
    case DIALECT_CALL_ARGS: break;
    case DIALECT_CALL_START:
        reading->args.len = 0;
        if (index >= turn->n_call || strcmp(event->name, turn->calls[index].name) != 0)
            reading->same = false;
        reading->n_call++;
        return;
    case DIALECT_CALL_END: {
        if (index >= turn->n_call) return;
        const struct dialect_call *call = &turn->calls[index];
        bool ids = format->id_is_name || format->list_ids || *format->id_open;
        if (ids && *id_of(call) && strcmp(event->id, call->id) != 0) reading->same = false;
        if (!reading->args.data || !members_equal(reading->args.data, reading->args.len,
                                                  call->arguments, strlen(call->arguments)))
            reading->same = false;
        return;
    }
    case DIALECT_CALL_BROKEN: reading->same = false; return;
    }
    if (!buffer_append(into, event->text, event->len)) reading->failed = true;
}

static bool is_text(const struct byte_buffer *read, const char *text, bool beside_calls) {
    size_t len;
    if (!text) text = "";
    match_trim(text, &len);
    if (beside_calls && len == 0) text = "";
    len = strlen(text);
    return read->len == len && (len == 0 || memcmp(read->data, text, len) == 0);
}

static enum jl_status read_back(const struct render *r, bool *same, struct jl_error *err) {
    struct dialect_options options = dialect_options_default();
    options.tools = r->turn->tools;
    options.n_tool = r->turn->n_tool;
    options.limit = r->text.len * 8 + 4096;
    struct dialect_stream *stream;
    JL_TRY(dialect_stream_new(r->dialect, &options, &stream, err));
    struct reading reading = {.same = true};
    enum jl_status status = dialect_stream_push(stream, r->text.data, r->text.len, err);
    if (status == JL_OK) status = dialect_stream_end(stream, err);
    struct dialect_event event;
    while (status == JL_OK && dialect_stream_next(stream, &event))
        read_event(&reading, r, &event);
    dialect_stream_free(stream);
    const struct dialect_turn *turn = r->turn;
    *same = reading.same && reading.n_call == turn->n_call &&
            is_text(&reading.thinking, turn->thinking, false) &&
            is_text(&reading.content, turn->content, turn->n_call > 0);
    if (status == JL_OK && reading.failed)
        status = jl_fail(err, JL_ERR_MEMORY, "out of memory for the text of a turn");
    buffer_free(&reading.thinking);
    buffer_free(&reading.content);
    buffer_free(&reading.args);
    return status;
}

static enum jl_status check(const struct dialect *d, const struct dialect_turn *turn,
                            struct jl_error *err) {
    if (turn->thinking && !*d->think.open)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "the dialect '%s' has no way to write thoughts",
                       d->name);
    if (turn->n_call && !d->calls)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "the dialect '%s' has no way to write tool calls",
                       d->name);
    for (size_t i = 0; i < turn->n_call; i++) {
        const struct dialect_call *call = &turn->calls[i];
        char kind = 0;
        if (!call->name || !*call->name)
            return jl_fail(err, JL_ERR_USAGE, "tool call %zu has no name", i + 1);
        if (!call->arguments || !json_scan_text(call->arguments, strlen(call->arguments), &kind) ||
            kind != '{')
            return jl_fail(err, JL_ERR_USAGE,
                           "the arguments of the call of '%.80s' are no JSON object", call->name);
    }
    return JL_OK;
}

enum jl_status dialect_render_calls(const struct dialect *dialect, const struct dialect_turn *turn,
                                    char **text, size_t *len, struct jl_error *err) {
    *text = NULL;
    *len = 0;
    JL_TRY(check(dialect, turn, err));
    struct render r = {.dialect = dialect, .turn = turn};
    bool same = false;
    put_turn(&r);
    put(&r, "", 1);
    enum jl_status status;
    if (r.failed) {
        status = jl_fail(err, JL_ERR_MEMORY,
                         "a turn cannot be written: out of memory, or a string in the arguments "
                         "is no text");
        goto fail;
    }
    r.text.len--;
    status = read_back(&r, &same, err);
    if (status == JL_OK && !same)
        status = jl_fail(err, JL_ERR_UNSUPPORTED,
                         "the turn cannot be written in the dialect '%s': it would read back as "
                         "another one (a mark inside a text, a name the format cannot hold, or a "
                         "string that looks like a number without a schema that says so)",
                         dialect->name);
    if (status != JL_OK) goto fail;
    *text = r.text.data;
    *len = r.text.len;
    return JL_OK;
fail:
    buffer_free(&r.text);
    return status;
}
