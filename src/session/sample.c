#include "session/sample.h"

#include <string.h>

int32_t sample_greedy(const float *logits, int n_vocab) {
    int32_t best = 0;
    for (int32_t i = 1; i < n_vocab; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

/* Tokens less likely than exp(-60) times the likeliest are never drawn: no draw of 53 bits could
 * tell their weight from nothing, and so no denormal number is ever met. */
#define SMALLEST_EXPONENT (-60.0)
#define N_MARK 64
#define BLOCK 64 // weights computed together, so that the compiler can do several at once

/* exp((logit - top) * scale) for n <= BLOCK logits none of which is above top: x = k ln 2 + r,
 * |r| <= ln 2 / 2, and a Taylor series whose remainder is below 2^-57. Plain IEEE steps in a
 * written order: the same bits everywhere, about 1 ulp. It stands here beside fmath_exp64 because a
 * token takes one of a vocabulary's 150,000; the loops are apart so that compilers make vectors of
 * them. */
static void weights(const float *logits, int n, float top, double scale, double *out) {
    static const double c[] = {1.0 / 6227020800,
                               1.0 / 479001600,
                               1.0 / 39916800,
                               1.0 / 3628800,
                               1.0 / 362880,
                               1.0 / 40320,
                               1.0 / 5040,
                               1.0 / 720,
                               1.0 / 120,
                               1.0 / 24,
                               1.0 / 6,
                               0.5,
                               1.0,
                               1.0};
    const double magic = 0x1.8p52, ln2_hi = 0x1.62e42feep-1, ln2_lo = 0x1.a39ef35793c76p-33;
    double x[BLOCK], r[BLOCK], shifted[BLOCK];
    int64_t low[BLOCK], bits[BLOCK];
    for (int i = 0; i < n; i++) {
        x[i] = ((double)logits[i] - (double)top) * scale;
        double y = x[i] < SMALLEST_EXPONENT ? SMALLEST_EXPONENT : x[i];
        shifted[i] = y * 0x1.71547652b82fep+0 + magic;
        double k = shifted[i] - magic;
        r[i] = (y - k * ln2_hi) - k * ln2_lo;
    }
    for (int i = 0; i < n; i++) {
        double y = c[0];
        for (int j = 1; j < (int)(sizeof c / sizeof c[0]); j++)
            y = y * r[i] + c[j];
        out[i] = y;
    }
    // Times 2^k: k stands in the low bits of `shifted`.
    memcpy(low, shifted, (size_t)n * sizeof *low);
    memcpy(bits, out, (size_t)n * sizeof *bits);
    for (int i = 0; i < n; i++)
        bits[i] += (int64_t)((uint64_t)low[i] << 52);
    memcpy(out, bits, (size_t)n * sizeof *out);
    for (int i = 0; i < n; i++)
        out[i] = x[i] < SMALLEST_EXPONENT ? 0 : out[i];
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
    double scale = 1 / (double)temperature, sum = 0, block[BLOCK];
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
        weights(logits + at, n, logits[best], scale, block);
        for (int i = 0; i < n; i++)
            sum += block[i];
    }
    double wanted = unit(key) * sum;
    for (int i = 0; i < n_mark && marks[i].sum <= wanted; i++) {
        from = marks[i].at;
        sum = marks[i].sum;
    }
    for (int32_t at = from; at < n_vocab; at += BLOCK) {
        int n = n_vocab - at < BLOCK ? n_vocab - at : BLOCK;
        weights(logits + at, n, logits[best], scale, block);
        for (int i = 0; i < n; i++) {
            sum += block[i];
            if (sum > wanted) return at + i;
        }
    }
    return best; // the product above may round up to the total
}
