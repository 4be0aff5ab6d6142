/* Normalisers as data: steps that rewrite a stretch of text before it is split and merged. Texts
 * may hold bytes that are not UTF-8; every step leaves these as they are. */
#ifndef JL_TEXT_NORMALIZE_H
#define JL_TEXT_NORMALIZE_H

#include "base/status.h"
#include "text/buffer.h"
#include "text/tokenizer/regex.h"

#define NORMALIZE_MAX_STEPS 16

struct normalize_step {
    enum normalize_kind {
        NORMALIZE_PREPEND,       // `content` in front of a text that is not empty
        NORMALIZE_REPLACE,       // each `pattern`, left to right, by `content`
        NORMALIZE_REPLACE_REGEX, // each match of `regex` by `content`
    } kind;
    const char *pattern, *content; // in the tokenizer's arena; pattern is not empty
    size_t pattern_len, content_len;
    struct regex *regex; // owned
};

struct normalizer {
    struct normalize_step steps[NORMALIZE_MAX_STEPS];
    int n_step;
};
void normalize_free(struct normalizer *normalizer);

/* Appends `text` with each occurrence of a step's pattern replaced; false: out of memory. */
bool normalize_replace(const struct normalize_step *step, const char *text, size_t len,
                       struct byte_buffer *out);

/* The normalised text in out[0]; out[1] is scratch. The old contents of both are gone. */
enum jl_status normalize_text(const struct normalizer *normalizer, const char *text, size_t len,
                              struct byte_buffer out[2], struct jl_error *err);

#endif
