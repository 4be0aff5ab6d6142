/* The parser of turns. Byte 0 picks the dialect, byte 1 the options, byte 2 how the text is cut;
 * the rest is the text. Any cut gives the same events, and what is not given out is markup. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "text/buffer.h"
#include "text/dialect.h"
#include "text/dialect/format.h"
#include "text/dialect/match.h"

struct trace {
    struct byte_buffer events;     // kinds, indexes and joined texts
    size_t n_text, n_args, n_name; // bytes that are not white space
    int last_kind, last_index;
    int n_call;
};

static void keep(struct trace *trace, const char *bytes, size_t len) {
    if (!buffer_append(&trace->events, bytes, len)) abort();
}

static size_t ink(const char *text, size_t len) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += !match_is_space(text[i]);
    return n;
}

static void record(struct trace *trace, const struct dialect_event *event) {
    bool joins = (int)event->kind == trace->last_kind && event->index == trace->last_index &&
                 (event->kind == DIALECT_CONTENT || event->kind == DIALECT_REASONING ||
                  event->kind == DIALECT_CALL_ARGS);
    if (!joins) {
        char head[3] = {0, (char)('0' + event->kind), (char)event->index};
        keep(trace, head, 3);
    }
    keep(trace, event->text, event->len);
    trace->last_kind = (int)event->kind;
    trace->last_index = event->index;
    switch (event->kind) {
    case DIALECT_CONTENT:
    case DIALECT_REASONING: trace->n_text += ink(event->text, event->len); break;
    case DIALECT_CALL_ARGS: trace->n_args += ink(event->text, event->len); break;
    case DIALECT_CALL_START:
        if (event->index != trace->n_call++) abort();
        keep(trace, event->name, strlen(event->name));
        break;
    case DIALECT_CALL_END:
        keep(trace, event->id, strlen(event->id));
        trace->n_name += strlen(event->name) + strlen(event->id);
        break;
    case DIALECT_CALL_BROKEN:
        trace->n_name += FORMAT_NAME_MAX * 3; // its name, id and an unfinished key
        break;
    }
}

static void run(const struct dialect *dialect, const struct dialect_options *options,
                const uint8_t *text, size_t len, unsigned cut, struct trace *trace) {
    struct dialect_stream *stream;
    struct dialect_event event;
    struct jl_error err;
    *trace = (struct trace){.last_kind = -1};
    if (dialect_stream_new(dialect, options, &stream, &err) != JL_OK) abort();
    enum jl_status status = JL_OK;
    for (size_t at = 0; at < len && status == JL_OK;) {
        size_t n = cut == 0 ? len : cut == 1 ? 1 : 1 + (at * 2654435761u >> 7) % cut;
        if (n > len - at) n = len - at;
        status = dialect_stream_push(stream, (const char *)text + at, n, &err);
        if (status != JL_OK && (status != JL_ERR_LIMIT || !options->limit)) abort();
        while (dialect_stream_next(stream, &event))
            record(trace, &event);
        at += n;
    }
    if (dialect_stream_end(stream, &err) != JL_OK) abort();
    while (dialect_stream_next(stream, &event))
        record(trace, &event);
    dialect_stream_free(stream);
}

/* Bytes of the marks that are in the text. */
static size_t marks(const uint8_t *text, size_t len, const char *mark) {
    size_t n, total = 0;
    mark = match_trim(mark, &n);
    for (size_t at = 0; n && at + n <= len; at++)
        if (memcmp(text + at, mark, n) == 0) total += ink(mark, n);
    return total;
}

static void check_account(const struct dialect *d, const uint8_t *text, size_t len,
                          const struct trace *trace) {
    size_t in = ink((const char *)text, len);
    size_t may_lack = marks(text, len, d->think.open) + marks(text, len, d->think.close) +
                      marks(text, len, d->answer_open) + marks(text, len, d->answer_close);
    if (trace->n_call) {
        const struct call_format *f = d->calls;
        // Further members of objects are no part of a call; escapes of Python may shrink.
        if (f->body != CALL_NAMED && f->body != CALL_PARAMS) return;
        if (f->brace) return; // lists of objects too
        const char *const all[] = {f->section_open,
                                   f->section_alt,
                                   f->section_close,
                                   f->open,
                                   f->close,
                                   f->name_end,
                                   f->key_open,
                                   f->key_end,
                                   f->value_open,
                                   f->value_end,
                                   "true\">",
                                   "false\">",
                                   "\">"};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
            may_lack += marks(text, len, all[i]);
    }
    if (trace->n_text + trace->n_args + trace->n_name + may_lack < in) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct dialect_tool tools[] = {
        {"f", "{\"properties\": {\"s\": {\"type\": \"string\"}, \"n\": {\"type\": \"integer\"}}}"},
        {"b", NULL}};
    if (size < 3) return 0;
    size_t n_row = 0;
    while (dialect_at(n_row))
        n_row++;
    const struct dialect *dialect = dialect_at(data[0] % n_row);
    struct dialect_options options = dialect_options_default();
    options.whole_calls = data[1] & 1;
    options.ignore_calls = (data[1] & 14) == 2;
    options.start.in_thought = data[1] & 16;
    options.start.skip = data[1] & 32 ? "\n" : NULL;
    if (data[1] & 64) {
        options.tools = tools;
        options.n_tool = 2;
    }
    bool small = data[1] & 128;
    options.limit = small ? 64 : 0;
    const uint8_t *text = data + 3;
    size_t len = size - 3;
    const unsigned cuts[] = {0, 1, 2 + data[2] % 30};
    struct trace first, other;
    run(dialect, &options, text, len, cuts[0], &first);
    if (!small) check_account(dialect, text, len, &first); // the limit ends the text
    for (size_t i = 1; i < 3; i++) {
        run(dialect, &options, text, len, cuts[i], &other);
        if (other.events.len != first.events.len ||
            (first.events.len &&
             memcmp(other.events.data, first.events.data, first.events.len) != 0))
            abort();
        buffer_free(&other.events);
    }
    buffer_free(&first.events);
    return 0;
}
