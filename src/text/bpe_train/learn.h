/* The merges: the pair that occurs most often becomes a token, again and again.
 *
 * What is counted are pairs of neighbouring symbols in the words, each as often as its word occurs;
 * ties go to the pair whose left bytes, then whose right bytes are lower. A pair is only merged
 * into bytes that are no token yet, so each token has one merge, and encoding by the merges gives
 * at every stage the symbols that were counted. Counts are kept exact by looking only at the
 * neighbours of what was merged (Sennrich, Haddow and Birch 2016, "Neural machine translation of
 * rare words with subword units"). */
#ifndef JL_TEXT_BPE_TRAIN_LEARN_H
#define JL_TEXT_BPE_TRAIN_LEARN_H

#include "text/bpe_train/words.h"
#include "text/u64map.h"

#define BPE_LEARN_TOKEN_BYTES 1024 // most that max_token_bytes may be

struct bpe_learn_token {
    uint32_t len;
    int32_t left, right; // what it is merged from; -1 of a byte
    bool whole;          // whole characters; else a part of one, or see cross_characters
    size_t at;           // of its bytes in `text`
};

/* A symbol pair. All its places are found in the one merge that makes the later of its symbols;
 * afterwards they can only be lost. */
struct bpe_learn_pair {
    uint64_t count;
    int32_t left, right, merged; // merged: -1 until it is
    uint32_t n_found;            // in the merge at hand
    uint32_t *places;            // (n_place) where it was found; it may be gone from there
    uint32_t n_place;
};

struct bpe_learn_candidate { // of the heap: never less than the pair's true count
    uint64_t count;
    uint32_t pair;
};

struct bpe_learn {
    struct bpe_words words;
    size_t max_token_bytes;
    bool cross_characters;
    struct byte_buffer text;
    struct bpe_learn_token *tokens; // the first 256 are the bytes
    int n_token;
    size_t cap_token;
    struct bpe_pieces known; // the bytes that are tokens, or may not become one
    struct u64map index;     // left, right -> pair
    struct bpe_learn_pair *pairs;
    size_t n_pair, cap_pair;
    struct bpe_learn_candidate *heap;
    size_t n_heap, cap_heap;
    struct bpe_learn_found { // new places of the merge at hand
        uint32_t pair, place;
    } * found;
    size_t n_found, cap_found;
    uint32_t *touched; // pairs that have some
    size_t n_touched, cap_touched;
};

/* Takes the words over. */
enum jl_status bpe_learn_start(struct bpe_learn *learn, struct bpe_words *words,
                               struct jl_error *err);
/* Bytes that no token may have. */
enum jl_status bpe_learn_forbid(struct bpe_learn *learn, const char *text, size_t len,
                                struct jl_error *err);
/* Merges two tokens however often they stand side by side, and gives the id; the same again gives
 * the same id. */
enum jl_status bpe_learn_join(struct bpe_learn *learn, int32_t left, int32_t right, int32_t *id,
                              struct jl_error *err);
/* Merges the best pair; *done when none occurs min_count times. */
enum jl_status bpe_learn_best(struct bpe_learn *learn, uint64_t min_count, bool *done,
                              struct jl_error *err);
void bpe_learn_free(struct bpe_learn *learn); // zeroed is fine

static inline const char *bpe_learn_bytes(const struct bpe_learn *learn, int32_t id) {
    return learn->text.data + learn->tokens[id].at;
}

#endif
