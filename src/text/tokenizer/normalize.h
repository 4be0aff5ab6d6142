/* Normalisers as data: steps that rewrite a stretch of text before it is split and merged. Texts
 * may hold bytes that are not UTF-8; every step leaves these as they are. */
#ifndef JL_TEXT_NORMALIZE_H
#define JL_TEXT_NORMALIZE_H

#include "base/status.h"
#include "text/buffer.h"
#include "text/tokenizer/charsmap.h"
#include "text/tokenizer/regex.h"
#include "text/tokenizer/sp_normalize.h"
#include "text/tokenizer/unicode_form.h"

#define NORMALIZE_MAX_STEPS 16

struct normalize_step {
    enum normalize_kind {
        NORMALIZE_PREPEND,       // `content` in front of a text that is not empty
        NORMALIZE_REPLACE,       // each `pattern`, left to right, by `content`
        NORMALIZE_REPLACE_REGEX, // each match of `regex` by `content`
        NORMALIZE_FORM,          // Unicode's normalisation form `form`
        NORMALIZE_LOWERCASE,
        NORMALIZE_STRIP_ACCENTS,
        NORMALIZE_STRIP, // white space at the `left` and `right` end
        NORMALIZE_NMT,
        NORMALIZE_BERT,          // `bert`
        NORMALIZE_CHARSMAP,      // `map`, by grapheme clusters
        NORMALIZE_SENTENCEPIECE, // `sp`
    } kind;
    const char *pattern, *content; // in the tokenizer's arena; pattern is not empty
    size_t pattern_len, content_len;
    struct regex *regex; // owned
    enum unicode_form form;
    bool left, right;
    struct unicode_form_bert bert;
    struct charsmap map;      // its bytes are in the tokenizer's arena
    struct sp_normalizer *sp; // in the tokenizer's arena, but what it owns is freed
};

struct normalizer {
    struct normalize_step steps[NORMALIZE_MAX_STEPS];
    int n_step;
};
void normalize_free(struct normalizer *normalizer);

/* Appends `text` with each occurrence of a step's pattern replaced; false: out of memory. */
bool normalize_replace(const struct normalize_step *step, const char *text, size_t len,
                       struct byte_buffer *out);

/* Replaces *text and *len by the normalised text, which is the old one where nothing had to change,
 * else in one of `out`, whose old contents are gone. at_start: the stretch begins a whole text. */
enum jl_status normalize_view(const struct normalizer *normalizer, const char **text, size_t *len,
                              bool at_start, struct byte_buffer out[2], struct jl_error *err);

/* The same of a whole text, always in out[0]; out[1] is scratch. */
enum jl_status normalize_text(const struct normalizer *normalizer, const char *text, size_t len,
                              struct byte_buffer out[2], struct jl_error *err);

#endif
