#include "session/sample.h"

#include "session/softmax.h"

int32_t sample_greedy(const float *logits, int n_vocab) {
    float top = logits[0];
    int32_t block = 0; // where the first of the largest is
    for (int32_t at = 0; at < n_vocab; at += SOFTMAX_BLOCK) {
        int n = n_vocab - at < SOFTMAX_BLOCK ? n_vocab - at : SOFTMAX_BLOCK;
        float most = softmax_top(logits + at, n);
        if (most > top) {
            top = most;
            block = at;
        }
    }
    int32_t best = block;
    for (int32_t i = block; i < n_vocab && i < block + SOFTMAX_BLOCK; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

/* The first weight that takes the sum of those up to it above `wanted`. Added one by one they may
 * come out a rounding below the block's sum: the last one that is not 0, then. */
static int pick(const double *weights, int n, double wanted) {
    double sum = 0;
    int last = 0;
    for (int i = 0; i < n; i++) {
        if (weights[i] > 0) last = i;
        sum += weights[i];
        if (sum > wanted) break;
    }
    return last;
}

#define N_MARK 64
#define BLOCK SOFTMAX_BLOCK

int32_t sample_draw(const float *logits, int n_vocab, double temperature, const struct rng_key *key,
                    double *logprob) {
    int32_t best = sample_greedy(logits, n_vocab);
    if (temperature <= 0) return best;
    double scale = 1 / temperature, sum = 0, block[BLOCK];
    // The running sum where each of the marks lies: the second walk need not begin at 0.
    struct mark {
        int32_t at;
        double sum;
    } marks[N_MARK];
    int32_t step = (n_vocab / N_MARK / BLOCK + 1) * BLOCK, from = 0;
    int n_mark = 0;
    for (int32_t at = 0; at < n_vocab; at += BLOCK) {
        int n = n_vocab - at < BLOCK ? n_vocab - at : BLOCK;
        if (at % step == 0) marks[n_mark++] = (struct mark){at, sum};
        sum += softmax_weights_sum(logits + at, n, logits[best], scale, block);
    }
    const struct softmax_mass mass = {.scale = scale, .sum = sum, .top = logits[best]};
    double wanted = rng_unit53(key) * sum;
    int32_t chosen = best; // the product above may round up to the total
    for (int i = 0; i < n_mark && marks[i].sum <= wanted; i++) {
        from = marks[i].at;
        sum = marks[i].sum;
    }
    for (int32_t at = from; at < n_vocab; at += BLOCK) {
        int n = n_vocab - at < BLOCK ? n_vocab - at : BLOCK;
        double behind = sum + softmax_weights_sum(logits + at, n, logits[best], scale, block);
        if (behind > wanted) {
            chosen = at + pick(block, n, wanted - sum);
            break;
        }
        sum = behind;
    }
    if (logprob) *logprob = softmax_logprob(&mass, logits[chosen]);
    return chosen;
}
