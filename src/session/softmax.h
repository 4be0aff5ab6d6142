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

float softmax_top(const float *logits, int n); // the largest of n >= 1

/* The sum of all weights against the largest logit, ascending; *top is that logit. */
double softmax_sum(const float *logits, int n_vocab, float *top);
/* log p, in nats, of a token with that logit, of what softmax_sum gave. */
double softmax_logprob(float logit, float top, double sum);

/* The same where logits are multiplied by `scale`, 1 / temperature: log p of a token, and the
 * entropy of the distribution, in nats. Whoever asks about the same logits gets the same bits. */
struct softmax_scaled {
    double scale, sum, entropy;
    float top;
};
void softmax_scaled_make(const float *logits, int n_vocab, double scale,
                         struct softmax_scaled *out);
double softmax_scaled_logprob(const struct softmax_scaled *of, float logit);

#endif
