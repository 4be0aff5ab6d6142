/* Normalisers as data: steps that rewrite a stretch of text before it is split and merged. */
#ifndef JL_TEXT_NORMALIZE_H
#define JL_TEXT_NORMALIZE_H

#include "text/buffer.h"

#define NORMALIZE_MAX_STEPS 16

struct normalize_step {
    enum normalize_kind {
        NORMALIZE_PREPEND, // `content` in front of a text that is not empty
        NORMALIZE_REPLACE, // each `pattern`, left to right, by `content`
    } kind;
    const char *pattern, *content; // in the tokenizer's arena; pattern is not empty
    size_t pattern_len, content_len;
};

struct normalizer {
    struct normalize_step steps[NORMALIZE_MAX_STEPS];
    int n_step;
};

/* Appends `text` with each occurrence of a step's pattern replaced; false: out of memory. */
bool normalize_replace(const struct normalize_step *step, const char *text, size_t len,
                       struct byte_buffer *out);

/* The normalised text in out[0]; out[1] is scratch. The old contents of both are gone. */
bool normalize_text(const struct normalizer *normalizer, const char *text, size_t len,
                    struct byte_buffer out[2]);

#endif
