/* The examples of one document, as they stand in a cache: for each
 *
 *     u32 n | u32 n_loss | u32 id[n] | bits, one a token, from the lowest of u32[(n + 31) / 32]
 *
 * n >= 2 tokens; a bit says that predicting the token is in the loss. The first token's never is,
 * n_loss >= 1 bits are set, and those behind the last token are 0. */
#ifndef JL_TRAIN_DATA_DOC_H
#define JL_TRAIN_DATA_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/tokenizer.h"

#define DATA_MAX_TOKENS ((uint32_t)1 << 30) // of an example

struct data_doc {
    uint32_t *words; // heap
    size_t n_word, cap;
    uint32_t n_example;
};
void data_doc_free(struct data_doc *doc); // zeroed is fine

/* Appends an example. `loss`: (n) 0 or 1, the first is taken as 0. JL_ERR_USAGE: nothing would be
 * predicted; JL_ERR_LIMIT: more tokens than fit. */
enum jl_status data_doc_add(struct data_doc *doc, const int32_t *ids, const uint8_t *loss, size_t n,
                            struct jl_error *err);

/* A text: BOS where the tokenizer adds one, the tokens, EOS; all but the first in the loss. */
enum jl_status data_doc_add_text(struct data_doc *doc, const struct tokenizer *tokenizer,
                                 const char *text, size_t len, struct jl_error *err);

/* An example in place. */
struct data_example {
    const uint32_t *ids;  // (n)
    const uint32_t *bits; // ((n + 31) / 32)
    uint32_t n, n_loss;
};
static inline size_t data_example_words(uint32_t n) { return 2 + (size_t)n + (n + 31u) / 32; }
static inline struct data_example data_example_at(const uint32_t *words) {
    return (struct data_example){words + 2, words + 2 + words[0], words[0], words[1]};
}
static inline bool data_example_loss(const struct data_example *example, uint64_t i) {
    return example->bits[i / 32] >> (i % 32) & 1;
}

/* Whether `n_word` words are `n_example` examples with ids below n_vocab. Adds up their tokens. */
bool data_doc_check(const uint32_t *words, size_t n_word, uint32_t n_example, uint32_t n_vocab,
                    uint64_t *n_token, uint64_t *n_loss);

#endif
