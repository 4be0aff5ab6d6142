/* The vocabulary: id -> token and bytes -> id.
 *
 * Ids are 0..n-1 and may have holes (type 0). Only indexed tokens are found by their bytes: which
 * ones text may become is the builder's decision. Texts live in the arena given to vocab_init. */
#ifndef JL_TEXT_VOCAB_H
#define JL_TEXT_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "text/tokenizer.h"

#define VOCAB_MAX_TOKENS (1 << 21) // eight times the largest vocabulary in use
#define VOCAB_HOLE 0               // enum token_type has no 0

struct vocab_token {
    const char *text; // as the file has it; the bytes, if the file writes them in an alphabet
    const char *out;  // what decoding writes
    uint32_t len, out_len;
    int type; // enum token_type or VOCAB_HOLE
};

/* Texts up to here also lie in the bucket, so that a find reads one line. */
#define VOCAB_NEAR_BYTES 22
/* Few words of this length or longer are tokens: a small filter, which stays in the first caches,
 * tells nearly all the others without a look at the buckets. */
#define VOCAB_FILTER_FROM 9
#define VOCAB_FILTER_BITS 19

struct vocab_bucket {
    int32_t id;   // TOKEN_NONE where free
    uint32_t tag; // of the hash: most other texts are told apart without looking at theirs
    uint16_t len; // VOCAB_NEAR_BYTES + 1 for all longer ones
    char bytes[VOCAB_NEAR_BYTES];
};

struct vocab {
    struct vocab_token *tokens;
    int n;
    struct vocab_bucket *buckets;
    size_t mask;
    size_t far; // buckets from home, of the farthest token: as in u64map.h
    uint64_t seed;
    int n_seed;
    size_t longest; // bytes of the longest findable text
    uint64_t filter[(1 << VOCAB_FILTER_BITS) / 64];
    struct arena *arena;
    char *room; // where the next short text goes
    size_t room_left;
};

bool vocab_init(struct vocab *vocab, struct arena *arena, int n); // false: out of memory

/* A copy that lives as long as the vocabulary; NULL: out of memory. */
char *vocab_keep(struct vocab *vocab, const char *text, size_t len);

/* Makes a token findable. An id that already has these bytes is returned and kept, else `id`. */
int32_t vocab_index(struct vocab *vocab, int32_t id);
int32_t vocab_find(const struct vocab *vocab, const char *text, size_t len); // TOKEN_NONE: none

bool vocab_has(const struct vocab *vocab, int32_t id); // in range and no hole

/* The value of a byte token's text "<0xXX>", -1 for any other text. */
int vocab_byte_value(const char *text, size_t len);

/* At most 40 bytes of a token for a message. */
#define VOCAB_SHOW(len) ((int)((len) < 40 ? (len) : 40))

#endif
