/* Weights exp((logit - top) * scale) of a vocabulary: what sampling and scoring share. */
#ifndef JL_SESSION_SOFTMAX_H
#define JL_SESSION_SOFTMAX_H

#define SOFTMAX_BLOCK 64 // weights computed together, so that the compiler can do several at once

/* Weights below exp(-60) are 0: no draw of 53 bits and no sum of a vocabulary in double could tell
 * them from nothing, and so no denormal number is ever met. */
#define SOFTMAX_SMALLEST (-60.0)

/* Of n <= SOFTMAX_BLOCK logits none of which is above top. Plain IEEE steps in a written order: the
 * same bits everywhere, about 1 ulp. */
void softmax_weights(const float *logits, int n, float top, double scale, double *out);

/* The same, and their sum: eight chains over every eighth, then ((0+4)+(2+6)) + ((1+5)+(3+7)). */
double softmax_weights_sum(const float *logits, int n, float top, double scale, double *out);

float softmax_top(const float *logits, int n); // the largest of n >= 1

/* All of a vocabulary's weights against the largest logit, where logits are multiplied by `scale`,
 * 1 / temperature: the sums of blocks, added ascending. Whoever asks about the same logits gets the
 * same bits. */
struct softmax_mass {
    double scale, sum;
    float top; // the largest logit
};
/* entropy: of the distribution, in nats; may be NULL. */
void softmax_mass_make(const float *logits, int n_vocab, double scale, struct softmax_mass *out,
                       double *entropy);
/* log p, in nats, of a token with that logit. */
double softmax_logprob(const struct softmax_mass *of, float logit);

#endif
