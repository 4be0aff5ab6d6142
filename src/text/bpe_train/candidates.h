/* The pairs that may be merged, the best one first.
 *
 * A pair's count falls after it was put into the heap: what lies there is an upper bound, set right
 * when it comes to the top. It rises only in the merge that makes one of its symbols, and then it
 * is put in anew. */
#ifndef JL_TEXT_BPE_TRAIN_CANDIDATES_H
#define JL_TEXT_BPE_TRAIN_CANDIDATES_H

#include <stdbool.h>
#include <stdint.h>

struct bpe_learn;

bool bpe_candidates_put(struct bpe_learn *learn, uint32_t pair); // false: out of memory
/* Takes the best pair out, that occurs at least min_count times; false: there is none. */
bool bpe_candidates_take(struct bpe_learn *learn, uint64_t min_count, uint32_t *pair);

#endif
