/* SentencePiece's word model: the text is cut before each U+2581 (also where white space is a
 * suffix) and each word is a token or unknown. */
#ifndef JL_TEXT_WORDS_H
#define JL_TEXT_WORDS_H

#include "base/status.h"
#include "text/buffer.h"
#include "text/tokenizer/vocab.h"

struct words {
    const struct vocab *vocab;
    int32_t byte_token[256]; // TOKEN_NONE where absent
    bool byte_fallback;      // an unknown word becomes its bytes
    int32_t unknown;
};

/* Appends the ids; a run of unknown words is one unknown token. */
enum jl_status words_encode(const struct words *words, const char *text, size_t len,
                            struct id_buffer *ids, struct jl_error *err);

#endif
