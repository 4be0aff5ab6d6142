/* All words end to end, as symbols that merges replace in place.
 *
 * One place a byte, and a gap before, between and behind the words. A symbol of n bytes lies at its
 * first and at its last place: from a symbol's start its neighbours are found at start + n and at
 * start - 1, so no links are kept. Between the two lies what was there before, and a symbol that
 * was merged into a longer one leaves BPE_WORDS_GONE at its start: what a place holds is only ever
 * compared with a symbol that once began there. */
#ifndef JL_TEXT_BPE_TRAIN_WORDS_H
#define JL_TEXT_BPE_TRAIN_WORDS_H

#include "base/status.h"
#include "text/bpe_train/pieces.h"

#define BPE_WORDS_GAP (-1)
#define BPE_WORDS_GONE (-2)

struct bpe_words {
    int32_t *places; // n_place
    size_t n_place;
    uint32_t *starts; // (n) of each word's first place, ascending
    uint64_t *counts; // (n)
    uint32_t *blocks; // of 64 places each: the word that its first place lies in or behind
    size_t n;
};

/* Words of one byte, which have no pairs, are left out, and those `leave_out` is true for.
 * JL_ERR_LIMIT: more places than 32 bits count. */
enum jl_status bpe_words_fill(struct bpe_words *words, const struct bpe_pieces *pieces,
                              bool (*leave_out)(const char *text, size_t len),
                              struct jl_error *err);
void bpe_words_free(struct bpe_words *words); // zeroed is fine

/* How often the word at a place occurs. */
static inline uint64_t bpe_words_count(const struct bpe_words *words, uint32_t place) {
    size_t word = words->blocks[place >> 6];
    while (word + 1 < words->n && words->starts[word + 1] <= place)
        word++;
    return words->counts[word];
}

#endif
