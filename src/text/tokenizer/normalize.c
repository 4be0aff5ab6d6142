#include "text/tokenizer/normalize.h"

#include <string.h>

#include "text/utf8.h"

void normalize_free(struct normalizer *normalizer) {
    for (int i = 0; i < normalizer->n_step; i++) {
        regex_free(normalizer->steps[i].regex);
        if (normalizer->steps[i].sp) sp_normalize_free(normalizer->steps[i].sp);
    }
    normalizer->n_step = 0;
}

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

static enum jl_status no_memory(size_t len, struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory while normalising a text of %zu bytes", len);
}

/* Well-formed text only. */
static enum jl_status replace_matches(const struct normalize_step *step,
                                      struct regex_scratch *scratch, const char *text, size_t len,
                                      struct byte_buffer *out, struct jl_error *err) {
    struct regex_search search;
    size_t at = 0;
    regex_begin(&search, step->regex, scratch, text, len);
    for (;;) {
        bool found;
        JL_TRY(regex_next(&search, &found, err));
        if (!found) break;
        if (!buffer_append(out, text + at, search.in.match.start - at) ||
            !buffer_append(out, step->content, step->content_len))
            return no_memory(len, err);
        at = search.in.match.stop;
    }
    return buffer_append(out, text + at, len - at) ? JL_OK : no_memory(len, err);
}

static enum jl_status replace_regex(const struct normalize_step *step, const char *text, size_t len,
                                    struct byte_buffer *out, struct jl_error *err) {
    struct regex_scratch scratch = {0};
    enum jl_status status = JL_OK;
    for (size_t at = 0, bad; at < len && status == JL_OK; at = bad) {
        size_t good = utf8_valid_length(text + at, len - at);
        if (good) status = replace_matches(step, &scratch, text + at, good, out, err);
        for (bad = at + good; bad < len && utf8_length(text + bad, len - bad) == 0;)
            bad++;
        if (status == JL_OK && !buffer_append(out, text + at + good, bad - at - good))
            status = no_memory(len, err);
    }
    regex_scratch_free(&scratch);
    return status;
}

/* A step that rewrites character by character. */
static bool rewrite(const struct normalize_step *step, const char *text, size_t len, bool at_start,
                    struct byte_buffer *out) {
    switch (step->kind) {
    case NORMALIZE_PREPEND:
        return (len == 0 || buffer_append(out, step->content, step->content_len)) &&
               buffer_append(out, text, len);
    case NORMALIZE_REPLACE: return normalize_replace(step, text, len, out);
    case NORMALIZE_FORM: return unicode_form_apply(step->form, text, len, out);
    case NORMALIZE_LOWERCASE: return unicode_form_lowercase(text, len, out);
    case NORMALIZE_STRIP_ACCENTS: return unicode_form_strip_accents(text, len, out);
    case NORMALIZE_STRIP: return unicode_form_strip(step->left, step->right, text, len, out);
    case NORMALIZE_NMT: return unicode_form_nmt(text, len, out);
    case NORMALIZE_BERT: return unicode_form_bert(&step->bert, text, len, out);
    case NORMALIZE_CHARSMAP: return charsmap_rewrite_graphemes(&step->map, text, len, out);
    case NORMALIZE_SENTENCEPIECE: return sp_normalize_text(step->sp, at_start, text, len, out);
    case NORMALIZE_REPLACE_REGEX: break; // can fail otherwise
    }
    return false;
}

static enum jl_status run_step(const struct normalize_step *step, const char *text, size_t len,
                               bool at_start, struct byte_buffer *out, struct jl_error *err) {
    out->len = 0;
    if (!buffer_reserve(out, 1)) return no_memory(len, err); // an empty text is not NULL
    if (step->kind == NORMALIZE_REPLACE_REGEX) return replace_regex(step, text, len, out, err);
    return rewrite(step, text, len, at_start, out) ? JL_OK : no_memory(len, err);
}

/* Whether the step leaves this text as it is; only what is quick to see. */
static bool is_done(const struct normalize_step *step, const char *text, size_t len) {
    if (step->kind == NORMALIZE_FORM) return unicode_form_is(step->form, text, len);
    return step->kind == NORMALIZE_REPLACE && step->pattern_len == 1 &&
           !memchr(text, step->pattern[0], len);
}

enum jl_status normalize_view(const struct normalizer *normalizer, const char **text, size_t *len,
                              bool at_start, struct byte_buffer out[2], struct jl_error *err) {
    int into = 0;
    for (int i = 0; i < normalizer->n_step; i++) {
        const struct normalize_step *step = &normalizer->steps[i];
        if (*len && is_done(step, *text, *len)) continue;
        JL_TRY(run_step(step, *text, *len, at_start, &out[into], err));
        *text = out[into].data;
        *len = out[into].len;
        into ^= 1;
    }
    return JL_OK;
}

enum jl_status normalize_text(const struct normalizer *normalizer, const char *text, size_t len,
                              struct byte_buffer out[2], struct jl_error *err) {
    size_t old_len = len;
    JL_TRY(normalize_view(normalizer, &text, &len, true, out, err));
    if (out[1].data && text == out[1].data) {
        struct byte_buffer swap = out[0];
        out[0] = out[1];
        out[1] = swap;
    } else if (!out[0].data || text != out[0].data) {
        out[0].len = 0;
        if (!buffer_append(&out[0], text, len)) return no_memory(old_len, err);
    }
    return JL_OK;
}
