#include "text/tokenizer/normalize.h"

#include <string.h>

bool normalize_replace(const struct normalize_step *step, const char *text, size_t len,
                       struct byte_buffer *out) {
    const char *at = text, *end = text + len;
    if (!buffer_reserve(out, len)) return false;
    while (at < end) {
        const char *hit = step->pattern_len == 1
                              ? memchr(at, step->pattern[0], (size_t)(end - at))
                              : memmem(at, (size_t)(end - at), step->pattern, step->pattern_len);
        if (!hit) break;
        if (!buffer_append(out, at, (size_t)(hit - at))) return false;
        if (!buffer_append(out, step->content, step->content_len)) return false;
        at = hit + step->pattern_len;
    }
    return buffer_append(out, at, (size_t)(end - at));
}

static bool run_step(const struct normalize_step *step, const char *text, size_t len,
                     struct byte_buffer *out) {
    out->len = 0;
    if (step->kind == NORMALIZE_REPLACE) return normalize_replace(step, text, len, out);
    if (len && !buffer_append(out, step->content, step->content_len)) return false;
    return buffer_append(out, text, len);
}

bool normalize_text(const struct normalizer *normalizer, const char *text, size_t len,
                    struct byte_buffer out[2]) {
    int into = normalizer->n_step & 1; // so that the last step writes out[0]
    for (int i = 0; i < normalizer->n_step; i++) {
        into ^= 1;
        if (!run_step(&normalizer->steps[i], text, len, &out[into])) return false;
        text = out[into].data;
        len = out[into].len;
    }
    if (normalizer->n_step) return true;
    out[0].len = 0;
    return buffer_append(&out[0], text, len);
}
