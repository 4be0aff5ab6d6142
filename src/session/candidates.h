/* The tokens that may still come next, and the stages that cut their list (docs/sampling.md).
 *
 * A list is in the order of the vocabulary until top_k or top_p has put it in the order of rank:
 * the larger logit first, the lower id among equals. Weights are exp(logit - top) as in softmax.h;
 * sums run through the list in its order, in double: the same bits everywhere. No stage takes the
 * last token; every list has at least one. */
#ifndef JL_SESSION_CANDIDATES_H
#define JL_SESSION_CANDIDATES_H

#include "session/ranking.h"
#include <stdbool.h>
#include <stdint.h>

struct candidate {
    float logit;
    int32_t id;
};

struct candidates {
    struct candidate *items; // (n_vocab), the first n
    int32_t n;
    float top;   // the largest logit of the list
    bool ranked; // in the order of rank
    // Scratch; `marks` is zero between calls, `spare` and `items` may change places.
    struct candidate *spare; // (n_vocab)
    struct ranked *heap;     // (n_vocab)
    float *maxima;           // (RANKING_BLOCKS(n_vocab))
    int32_t *marks;          // (n_vocab)
};

/* The list from (n_vocab) logits, without those of -infinity; empty when there is no other. */
void candidates_all(struct candidates *list, const float *logits, int32_t n_vocab);
void candidates_top_k(struct candidates *list, const float *logits, int32_t n_vocab, int32_t k);

/* The likeliest whose weights reach p of the total. */
void candidates_top_p(struct candidates *list, double p);
/* Those with logit - top >= log(p); p > 0. */
void candidates_min_p(struct candidates *list, double p);
/* Those whose -log probability is nearest to the entropy, until their weights reach p of the total
 * (Meister et al., "Locally typical sampling", 2022). */
void candidates_typical(struct candidates *list, double p);
/* Of those whose weight reaches `threshold` of the total all but the least likely go (XTC). */
void candidates_xtc(struct candidates *list, double threshold);

/* A token with probability in proportion to exp(logit / temperature); temperature > 0. `unit` is
 * the draw, in [0, 1): the first token whose running sum exceeds that share of the total. */
int32_t candidates_draw(const struct candidates *list, double temperature, double unit);

#endif
