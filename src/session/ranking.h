/* The first of many by a key, without sorting the rest: a heap of (key, id) that gives them out one
 * at a time, the smallest key first, the lower id among equals. */
#ifndef JL_SESSION_RANKING_H
#define JL_SESSION_RANKING_H

#include <stdint.h>

struct ranked {
    double key;
    int32_t id;
};

void ranking_build(struct ranked *heap, int32_t n); // any order into a heap, linear
/* Takes the first; *n counts what is left and is above 0. */
struct ranked ranking_take(struct ranked *heap, int32_t *n);

#define RANKING_BLOCK 64 // logits whose largest is found together
#define RANKING_BLOCKS(n) (((n) + RANKING_BLOCK - 1) / RANKING_BLOCK)

/* The k largest of n logits as (-logit, id), in order, into out: the lower id first among equals.
 * Logits of -infinity count as absent. out: room for n. maxima: (RANKING_BLOCKS(n)), scratch.
 * Returns how many there are, at most k. k >= 1. */
int32_t ranking_largest(const float *logits, int32_t n, int32_t k, struct ranked *out,
                        float *maxima);

#endif
