#include "text/stop_filter.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text/buffer.h"
#include "text/utf8.h"

/* One string with its failure function: border[i] is the length of the longest proper prefix of the
 * first i bytes that is also their suffix. */
struct pattern {
    char *text;
    uint32_t *border; // (len + 1)
    uint32_t len;
    uint32_t matched; // bytes of the text's end that begin the string
};

struct stop_filter {
    struct pattern *patterns;
    size_t n;
    struct byte_buffer held; // shown bytes are dropped at the next call
    size_t shown;            // of `held`
    size_t used;
    int stopped;
};

static bool well_formed(const char *text, size_t len) {
    size_t at = 0;
    while (at < len) {
        int n = utf8_length(text + at, len - at);
        if (n == 0) return false;
        at += (size_t)n;
    }
    return true;
}

static bool add(struct pattern *pattern, const struct stop_string *string) {
    uint32_t len = (uint32_t)string->len;
    pattern->text = malloc(len);
    pattern->border = calloc((size_t)len + 1, sizeof *pattern->border);
    pattern->len = len;
    if (!pattern->text || !pattern->border) return false;
    memcpy(pattern->text, string->text, len);
    for (uint32_t i = 1, k = 0; i < len; i++) {
        while (k && pattern->text[i] != pattern->text[k])
            k = pattern->border[k];
        if (pattern->text[i] == pattern->text[k]) k++;
        pattern->border[i + 1] = k;
    }
    return true;
}

enum jl_status stop_filter_new(const struct stop_string *strings, size_t n,
                               struct stop_filter **out, struct jl_error *err) {
    *out = NULL;
    if (n > STOP_FILTER_STRINGS)
        return jl_fail(err, JL_ERR_USAGE, "%zu stop strings, at most %d are possible", n,
                       STOP_FILTER_STRINGS);
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        if (strings[i].len == 0)
            return jl_fail(err, JL_ERR_USAGE, "stop string %zu is empty", i + 1);
        if (strings[i].len > STOP_FILTER_BYTES || (total += strings[i].len) > STOP_FILTER_BYTES)
            return jl_fail(err, JL_ERR_USAGE, "the stop strings are longer than %d bytes together",
                           STOP_FILTER_BYTES);
        if (!well_formed(strings[i].text, strings[i].len))
            return jl_fail(err, JL_ERR_USAGE, "stop string %zu is not UTF-8", i + 1);
    }
    struct stop_filter *filter = calloc(1, sizeof *filter);
    if (!filter) goto fail;
    filter->stopped = -1;
    filter->patterns = calloc(n ? n : 1, sizeof *filter->patterns);
    if (!filter->patterns) goto fail;
    for (; filter->n < n; filter->n++) {
        if (add(&filter->patterns[filter->n], &strings[filter->n])) continue;
        filter->n++;
        goto fail;
    }
    *out = filter;
    return JL_OK;
fail:
    stop_filter_free(filter);
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the stop strings");
}

void stop_filter_free(struct stop_filter *filter) {
    if (!filter) return;
    for (size_t i = 0; i < filter->n; i++) {
        free(filter->patterns[i].text);
        free(filter->patterns[i].border);
    }
    free(filter->patterns);
    buffer_free(&filter->held);
    free(filter);
}

/* Advances all patterns by a byte. The longest complete one, or -1; *hold: the longest begun. */
static int step(struct stop_filter *filter, char byte, size_t *hold) {
    int hit = -1;
    *hold = 0;
    for (size_t i = 0; i < filter->n; i++) {
        struct pattern *p = &filter->patterns[i];
        while (p->matched && p->text[p->matched] != byte)
            p->matched = p->border[p->matched];
        if (p->text[p->matched] == byte) p->matched++;
        if (p->matched == p->len) {
            if (hit < 0 || filter->patterns[hit].len < p->len) hit = (int)i;
            p->matched = p->border[p->len];
        }
        if (p->matched > *hold) *hold = p->matched;
    }
    return hit;
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
    size_t before = filter->held.len, hold = 0;
    if (!buffer_append(&filter->held, text, len))
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for %zu bytes of text", len);
    for (size_t i = 0; i < len; i++) {
        int hit = step(filter, text[i], &hold);
        if (hit < 0) continue;
        size_t end = before + i + 1 - filter->patterns[hit].len;
        filter->stopped = hit;
        filter->used += i + 1 - filter->patterns[hit].len; // wraps back over what was held
        filter->held.len = end;
        show(filter, end, out, out_len);
        return JL_OK;
    }
    filter->used += len;
    if (len == 0) {
        for (size_t i = 0; i < filter->n; i++)
            if (filter->patterns[i].matched > hold) hold = filter->patterns[i].matched;
    }
    size_t ready = filter->held.len - hold;
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
