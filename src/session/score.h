/* How well logits foretell a text, and how far they are from a reference's logits. In double, in a
 * written order: the same bits everywhere. docs/quantize.md says what the figures mean. */
#ifndef JL_SESSION_SCORE_H
#define JL_SESSION_SCORE_H

#include <stdbool.h>
#include <stdint.h>

/* One position. */
struct score_row {
    const float *logits;    // (n_vocab), finite
    const float *reference; // the same of the reference, or NULL
    int32_t target;         // the token that follows; -1: none does
    double scale;           // both are multiplied by it; 0: 1
};

struct score {
    double nll;           // -log p(target); 0 without a target
    double nll_reference; // the reference's; 0 without
    double kl;            // KL(reference, logits), nats, never negative; 0 without a reference
    bool predicts, compares;
    bool hit;      // the target is the likeliest token, the lower id among equals
    bool same_top; // both find the same token the likeliest (the lower id among equals)
};

void score_row(const struct score_row *row, int n_vocab, struct score *out);

/* Sums over positions, added in their order. Zeroed is empty. */
struct score_sums {
    int64_t n_predicted, n_compared, n_same_top;
    double nll, nll2; // sum, sum of squares
    double nll_reference;
    double kl, kl2, kl_max;
};
void score_add(struct score_sums *sums, const struct score *score);

struct score_mean {
    double mean, error; // error: standard error of the mean; 0 for fewer than two values
};
struct score_mean score_mean(double sum, double sum_of_squares, int64_t n);

/* exp of the mean nll, and what its standard error makes of it. */
struct score_mean score_perplexity(const struct score_sums *sums);

#endif
