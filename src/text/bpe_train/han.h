/* Han characters as tokens of their own, before anything else is merged. */
#ifndef JL_TEXT_BPE_TRAIN_HAN_H
#define JL_TEXT_BPE_TRAIN_HAN_H

#include "text/bpe_train/learn.h"

/* Of the words those that are one Han character and occur min_count times, the most frequent first,
 * then by code point. */
struct bpe_han {
    const struct bpe_piece **chars; // (n), of `pieces`
    size_t n;
    const struct bpe_pieces *pieces;
};
enum jl_status bpe_han_list(struct bpe_han *han, const struct bpe_pieces *pieces,
                            uint64_t min_count, struct jl_error *err);
/* How many merges the first n of them take: their own and those of the bytes they begin with. */
size_t bpe_han_merges(const struct bpe_han *han, size_t n);
/* Merges each from left to right: the lead byte with the second, that with the third. As these
 * merges come before all others and begin with a lead byte, no other merge gets in their way, and
 * none of them reaches into the next character. */
enum jl_status bpe_han_join(const struct bpe_han *han, struct bpe_learn *learn,
                            struct jl_error *err);
void bpe_han_free(struct bpe_han *han); // zeroed is fine

#endif
