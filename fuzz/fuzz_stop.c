/* Stop strings: the first byte says how many, each has its length before it, the rest is the text.
 * Any cut gives what a plain search gives. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "text/stop_filter.h"

#define STRINGS 4

struct result {
    uint8_t *text;
    size_t len, used;
    int stopped;
};

static void take(struct result *result, const char *out, size_t len) {
    memcpy(result->text + result->len, out, len);
    result->len += len;
}

static void check(const struct pattern_text *strings, size_t n, const uint8_t *text, size_t len,
                  size_t piece, const struct result *wanted) {
    struct stop_filter *filter;
    struct jl_error err;
    struct result got = {malloc(len + 1), 0, 0, -1};
    if (!got.text) abort();
    if (stop_filter_new(strings, n, &filter, &err) != JL_OK) abort();
    const char *out;
    size_t out_len;
    for (size_t at = 0; at < len; at += piece) {
        size_t some = piece < len - at ? piece : len - at;
        if (stop_filter_push(filter, (const char *)text + at, some, &out, &out_len, &err) != JL_OK)
            abort();
        take(&got, out, out_len);
    }
    if (stop_filter_end(filter, &out, &out_len, &err) != JL_OK) abort();
    take(&got, out, out_len);
    if (stop_filter_stopped(filter) != wanted->stopped || got.len != wanted->len ||
        stop_filter_used(filter) != wanted->len || memcmp(got.text, text, got.len) != 0)
        abort();
    stop_filter_free(filter);
    free(got.text);
}

static struct result search(const struct pattern_text *strings, size_t n, const uint8_t *text,
                            size_t len) {
    struct result result = {.len = len, .stopped = -1};
    for (size_t end = 1; end <= len && result.stopped < 0; end++) {
        size_t longest = 0;
        for (size_t i = 0; i < n; i++) {
            size_t size = strings[i].len;
            if (size > end || size <= longest) continue;
            if (memcmp(text + end - size, strings[i].text, size) != 0) continue;
            longest = size;
            result.stopped = (int)i;
            result.len = end - size;
        }
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct pattern_text strings[STRINGS];
    size_t n = size ? data[0] % (STRINGS + 1) : 0, at = 1;
    for (size_t i = 0; i < n; i++) {
        if (at >= size) return 0;
        size_t len = data[at++] % 16;
        if (len > size - at) return 0;
        strings[i] = (struct pattern_text){(const char *)data + at, len};
        at += len;
    }
    if (at > size) return 0;
    struct stop_filter *filter;
    struct jl_error err;
    if (stop_filter_new(strings, n, &filter, &err) != JL_OK) return 0; // empty or no UTF-8
    stop_filter_free(filter);
    struct result wanted = search(strings, n, data + at, size - at);
    static const size_t pieces[] = {1, 2, 3, 7, (size_t)1 << 20};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        check(strings, n, data + at, size - at, pieces[i], &wanted);
    return 0;
}
