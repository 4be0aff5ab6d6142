/* The next token from the logits: the likeliest, or one drawn from all of them.
 *
 * Draws are keyed, not counted: the same logits, temperature and key give the same token whatever
 * was drawn before, on any number of threads (docs/sampling.md); sampler.h
 * has the stages that come before. */
#ifndef JL_SESSION_SAMPLE_H
#define JL_SESSION_SAMPLE_H

#include <stdint.h>

#include "base/rng.h"

/* Index of the largest logit, the lowest index among equals. */
int32_t sample_greedy(const float *logits, int n_vocab);

/* An index with probability softmax(logits / temperature), sums and exponentials in double with
 * the project's own exp, indices ascending. temperature 0 is sample_greedy; logits are finite or,
 * of tokens that are never drawn, -infinity, but for one. logprob: of what was drawn, in nats (at
 * temperature 0 it is left alone); may be NULL. */
int32_t sample_draw(const float *logits, int n_vocab, double temperature, const struct rng_key *key,
                    double *logprob);

#endif
