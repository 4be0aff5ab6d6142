/* The merge loop of byte-pair encoding: the pair of lowest rank merges first, ties to the left.
 *
 * Symbols are numbers; what they stand for is the caller's business. Short pieces are scanned,
 * long ones use a linked list and a heap: O(n log n), also for a megabyte of one letter. */
#ifndef JL_TEXT_BPE_MERGE_H
#define JL_TEXT_BPE_MERGE_H

#include "text/tokenizer/bpe_pairs.h"

#define BPE_MERGE_MAX ((size_t)INT32_MAX / 2) // symbols of one piece

/* Scratch memory for long pieces, kept between calls; zero is the empty one. */
struct bpe_merge_scratch {
    struct bpe_merge_node *nodes;
    uint64_t *heap;
    size_t cap; // symbols
};
void bpe_merge_scratch_free(struct bpe_merge_scratch *scratch);

/* Merges symbols[0..*n) in place and sets *n. `first`, unless NULL, holds the value of each symbol
 * with the next one, so that these need no look-up; it is overwritten. False: out of memory, or
 * n > BPE_MERGE_MAX. */
bool bpe_merge(const struct bpe_pairs *pairs, int32_t *symbols, size_t *n, uint64_t *first,
               struct bpe_merge_scratch *scratch);

#endif
