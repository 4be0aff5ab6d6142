#include "session/sample.h"

#include "base/fmath.h"

int32_t sample_greedy(const float *logits, int n_vocab) {
    int32_t best = 0;
    for (int32_t i = 1; i < n_vocab; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

/* Tokens less likely than exp(-60) times the likeliest are never drawn: no draw of 53 bits could
 * tell their weight from nothing, and so no denormal number is ever met. */
#define SMALLEST_EXPONENT (-60.0)

static double weight(float logit, float top, double scale) {
    double x = ((double)logit - (double)top) * scale;
    return x < SMALLEST_EXPONENT ? 0 : fmath_exp64(x);
}

/* 53 bits in [0, 1). */
static double unit(const struct rng_key *key) {
    uint32_t words[4];
    rng_block(key, 0, words);
    uint64_t bits = ((uint64_t)words[0] << 32 | words[1]) >> 11;
    return (double)bits * 0x1p-53;
}

int32_t sample_draw(const float *logits, int n_vocab, float temperature,
                    const struct rng_key *key) {
    int32_t best = sample_greedy(logits, n_vocab);
    if (temperature <= 0) return best;
    double scale = 1 / (double)temperature, total = 0, sum = 0;
    for (int32_t i = 0; i < n_vocab; i++)
        total += weight(logits[i], logits[best], scale);
    double wanted = unit(key) * total;
    for (int32_t i = 0; i < n_vocab; i++) {
        sum += weight(logits[i], logits[best], scale);
        if (sum > wanted) return i;
    }
    return best; // the product above may round up to the total
}
