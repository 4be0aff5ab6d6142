#include "text/patterns.h"

#include <stdlib.h>
#include <string.h>

#include "text/utf8.h"

/* One string with its failure function: border[i] is the length of the longest proper prefix of the
 * first i bytes that is also their suffix. */
struct pattern {
    char *text;
    uint32_t *border; // (len + 1)
    uint32_t len;
};

struct patterns {
    struct pattern *items;
    size_t n;
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

static bool add(struct pattern *pattern, const struct pattern_text *string) {
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

static enum jl_status check(const struct patterns_spec *spec, struct jl_error *err) {
    size_t total = 0;
    if (spec->n > PATTERNS_MAX)
        return jl_fail(err, JL_ERR_USAGE, "%zu %ss, at most %d are possible", spec->n, spec->what,
                       PATTERNS_MAX);
    for (size_t i = 0; i < spec->n; i++) {
        const struct pattern_text *text = &spec->texts[i];
        if (text->len == 0) return jl_fail(err, JL_ERR_USAGE, "%s %zu is empty", spec->what, i + 1);
        if (text->len > PATTERNS_MAX_BYTES || (total += text->len) > PATTERNS_MAX_BYTES)
            return jl_fail(err, JL_ERR_USAGE, "the %ss are longer than %d bytes together",
                           spec->what, PATTERNS_MAX_BYTES);
        if (spec->utf8 && !well_formed(text->text, text->len))
            return jl_fail(err, JL_ERR_USAGE, "%s %zu is not UTF-8", spec->what, i + 1);
    }
    return JL_OK;
}

enum jl_status patterns_new(const struct patterns_spec *spec, struct patterns **out,
                            struct jl_error *err) {
    *out = NULL;
    JL_TRY(check(spec, err));
    struct patterns *patterns = calloc(1, sizeof *patterns);
    bool whole = patterns != NULL;
    if (whole) patterns->items = calloc(spec->n ? spec->n : 1, sizeof *patterns->items);
    whole = whole && patterns->items;
    for (size_t i = 0; whole && i < spec->n; i++) {
        patterns->n = i + 1;
        whole = add(&patterns->items[i], &spec->texts[i]);
    }
    if (!whole) {
        patterns_free(patterns);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for the %ss", spec->what);
    }
    *out = patterns;
    return JL_OK;
}

void patterns_free(struct patterns *patterns) {
    if (!patterns) return;
    for (size_t i = 0; i < patterns->n; i++) {
        free(patterns->items[i].text);
        free(patterns->items[i].border);
    }
    free(patterns->items);
    free(patterns);
}

size_t patterns_count(const struct patterns *patterns) { return patterns->n; }

size_t patterns_length(const struct patterns *patterns, int i) { return patterns->items[i].len; }

int patterns_step(const struct patterns *patterns, uint32_t *state, char byte) {
    int hit = -1;
    for (size_t i = 0; i < patterns->n; i++) {
        const struct pattern *p = &patterns->items[i];
        uint32_t matched = state[i];
        while (matched && p->text[matched] != byte)
            matched = p->border[matched];
        if (p->text[matched] == byte) matched++;
        if (matched == p->len) {
            if (hit < 0 || patterns->items[hit].len < p->len) hit = (int)i;
            matched = p->border[p->len];
        }
        state[i] = matched;
    }
    return hit;
}

size_t patterns_begun(const struct patterns *patterns, const uint32_t *state) {
    uint32_t most = 0;
    for (size_t i = 0; i < patterns->n; i++)
        if (state[i] > most) most = state[i];
    return most;
}
