/* Unicode rewriting of texts: normalisation forms and the small normalisers of Hugging Face
 * tokenizers, over utf8proc. The promise is Unicode 14 (docs/tokenizer-models.md).
 *
 * Every function appends the rewritten `text` to *out and returns false when memory is out. Bytes
 * that are not UTF-8 stand for themselves and interact with nothing. */
#ifndef JL_TEXT_UNICODE_FORM_H
#define JL_TEXT_UNICODE_FORM_H

#include "text/buffer.h"

enum unicode_form { UNICODE_NFC, UNICODE_NFD, UNICODE_NFKC, UNICODE_NFKD };

/* Text that is in the form already costs little more than copying it. */
bool unicode_form_apply(enum unicode_form form, const char *text, size_t len,
                        struct byte_buffer *out);

/* True only if the text is in the form; false may also mean that telling is too costly. */
bool unicode_form_is(enum unicode_form form, const char *text, size_t len);

/* Each character by itself, as Rust's char::to_lowercase: no final sigma, U+0130 becomes two. */
bool unicode_form_lowercase(const char *text, size_t len, struct byte_buffer *out);

/* Drops all marks (general category M) of the text as it stands. */
bool unicode_form_strip_accents(const char *text, size_t len, struct byte_buffer *out);

/* Drops white space (White_Space) at either end. */
bool unicode_form_strip(bool left, bool right, const char *text, size_t len,
                        struct byte_buffer *out);

/* Hugging Face's Nmt: drops control characters, turns odd white space into spaces. */
bool unicode_form_nmt(const char *text, size_t len, struct byte_buffer *out);

/* Hugging Face's BertNormalizer. strip_accents takes NFD and drops non-spacing marks (Mn). */
struct unicode_form_bert {
    bool clean_text, handle_chinese_chars, strip_accents, lowercase;
};
bool unicode_form_bert(const struct unicode_form_bert *bert, const char *text, size_t len,
                       struct byte_buffer *out);

#endif
