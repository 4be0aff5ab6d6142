/* The merge loop of byte-pair encoding: the pair of lowest rank merges first, ties to the left.
 *
 * Symbols are numbers; what they stand for is the caller's business. Short pieces are scanned,
 * long ones use a linked list and a heap: O(n log n), also for a megabyte of one letter. */
#ifndef JL_TEXT_BPE_MERGE_H
#define JL_TEXT_BPE_MERGE_H

#include "text/u64map.h"

/* Keys are pairs of symbols, values the rank (high half) and the symbol they become. */
static inline uint64_t bpe_merge_key(int32_t left, int32_t right) {
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}
static inline uint64_t bpe_merge_value(uint32_t rank, int32_t merged) {
    return (uint64_t)rank << 32 | (uint32_t)merged;
}

#define BPE_MERGE_MAX ((size_t)INT32_MAX / 2) // symbols of one piece

/* Scratch memory for long pieces, kept between calls; zero is the empty one. */
struct bpe_merge_scratch {
    struct bpe_merge_node *nodes;
    uint64_t *heap;
    size_t cap; // symbols
};
void bpe_merge_scratch_free(struct bpe_merge_scratch *scratch);

#define BPE_MERGE_NONE UINT64_MAX // as a value: the two do not merge

/* Merges symbols[0..*n) in place and sets *n. `first`, unless NULL, holds the value of each symbol
 * with the next one, so that these need no look-up; it is overwritten. False: out of memory, or
 * n > BPE_MERGE_MAX. */
bool bpe_merge(const struct u64map *pairs, int32_t *symbols, size_t *n, uint64_t *first,
               struct bpe_merge_scratch *scratch);

#endif
