/* A vocabulary as masks need it: the bytes of its tokens, in order, as a trie.
 *
 * const after construction; shared by all threads and grammars. */
#ifndef JL_GRAMMAR_VOCAB_H
#define JL_GRAMMAR_VOCAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct tokenizer;
struct grammar_vocab;

struct grammar_token_bytes {
    const char *bytes; // len of them, copied; len 0: the token is never allowed as text
    size_t len;
};
/* tokens: (n); a token's id is its place. Special tokens are given with len 0. JL_ERR_LIMIT: a
 * token of more than GRAMMAR_MAX_TOKEN bytes. */
#define GRAMMAR_MAX_TOKEN 4096
enum jl_status grammar_vocab_new(const struct grammar_token_bytes *tokens, int n,
                                 struct grammar_vocab **out, struct jl_error *err);
/* The tokenizer's tokens, with the bytes that each adds to a text that has begun; marks
 * (tokenizer_is_mark) are special. */
enum jl_status grammar_vocab_of(const struct tokenizer *tokenizer, struct grammar_vocab **out,
                                struct jl_error *err);
void grammar_vocab_free(struct grammar_vocab *vocab); // NULL is fine

int grammar_vocab_size(const struct grammar_vocab *vocab);
size_t grammar_vocab_words(const struct grammar_vocab *vocab); // of a mask: 64 tokens each
/* The bytes of a token, len 0 for one that has none. */
struct grammar_token_bytes grammar_vocab_bytes(const struct grammar_vocab *vocab, int32_t id);

#endif
