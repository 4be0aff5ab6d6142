#include "text/stop_filter.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text/buffer.h"
#include "text/utf8.h"

struct stop_filter {
    struct patterns *patterns;
    uint32_t state[PATTERNS_MAX]; // of the patterns, behind the last byte
    struct byte_buffer held;      // shown bytes are dropped at the next call
    size_t shown;                 // of `held`
    size_t used;
    int stopped;
};

enum jl_status stop_filter_new(const struct pattern_text *strings, size_t n,
                               struct stop_filter **out, struct jl_error *err) {
    struct patterns_spec spec = {strings, n, "stop string", true};
    struct patterns *patterns;
    *out = NULL;
    JL_TRY(patterns_new(&spec, &patterns, err));
    struct stop_filter *filter = calloc(1, sizeof *filter);
    if (!filter) {
        patterns_free(patterns);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for the stop strings");
    }
    filter->patterns = patterns;
    filter->stopped = -1;
    *out = filter;
    return JL_OK;
}

void stop_filter_free(struct stop_filter *filter) {
    if (!filter) return;
    patterns_free(filter->patterns);
    buffer_free(&filter->held);
    free(filter);
}

static void drop_shown(struct stop_filter *filter) {
    struct byte_buffer *held = &filter->held;
    held->len -= filter->shown;
    if (held->len) memmove(held->data, held->data + filter->shown, held->len);
    filter->shown = 0;
}

static void show(struct stop_filter *filter, size_t len, const char **out, size_t *out_len) {
    filter->shown = len;
    *out = len ? filter->held.data : "";
    *out_len = len;
}

enum jl_status stop_filter_push(struct stop_filter *filter, const char *text, size_t len,
                                const char **out, size_t *out_len, struct jl_error *err) {
    *out = "";
    *out_len = 0;
    drop_shown(filter);
    if (filter->stopped >= 0) return JL_OK;
    size_t before = filter->held.len;
    if (!buffer_append(&filter->held, text, len))
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for %zu bytes of text", len);
    for (size_t i = 0; i < len; i++) {
        int hit = patterns_step(filter->patterns, filter->state, text[i]);
        if (hit < 0) continue;
        size_t size = patterns_length(filter->patterns, hit), end = before + i + 1 - size;
        filter->stopped = hit;
        filter->used += i + 1 - size; // wraps back over what was held
        filter->held.len = end;
        show(filter, end, out, out_len);
        return JL_OK;
    }
    filter->used += len;
    size_t ready = filter->held.len - patterns_begun(filter->patterns, filter->state);
    show(filter, utf8_whole_length(filter->held.data, ready), out, out_len);
    return JL_OK;
}

enum jl_status stop_filter_end(struct stop_filter *filter, const char **out, size_t *out_len,
                               struct jl_error *err) {
    (void)err;
    drop_shown(filter);
    show(filter, filter->stopped >= 0 ? 0 : filter->held.len, out, out_len);
    return JL_OK;
}

int stop_filter_stopped(const struct stop_filter *filter) { return filter->stopped; }

size_t stop_filter_used(const struct stop_filter *filter) { return filter->used; }
