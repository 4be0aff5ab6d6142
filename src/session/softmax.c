#include "session/softmax.h"

#include <stdint.h>
#include <string.h>

#include "base/fmath.h"

/* Compiled once for each width of vectors, and chosen when the program starts: steps and so bits
 * are the same. Static, for gcc shows such a function to all the world whatever the visibility
 * says; sanitizers do not know them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WIDE
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define WIDE
#endif
#endif
#if !defined(WIDE) && defined(__x86_64__)
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#elif !defined(WIDE)
#define WIDE
#endif

/* x = k ln 2 + r, |r| <= ln 2 / 2, and a Taylor series whose remainder is below 2^-57. It stands
 * here beside fmath_exp64 because a token takes one of a vocabulary's 150,000; the loops are apart
 * so that compilers make vectors of them. */
WIDE static void softmax_wide(const float *logits, int n, float top, double scale, double *out) {
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
    double x[SOFTMAX_BLOCK], r[SOFTMAX_BLOCK], shifted[SOFTMAX_BLOCK];
    int64_t low[SOFTMAX_BLOCK], bits[SOFTMAX_BLOCK];
    for (int i = 0; i < n; i++) {
        x[i] = ((double)logits[i] - (double)top) * scale;
        double y = x[i] < SOFTMAX_SMALLEST ? SOFTMAX_SMALLEST : x[i];
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
        out[i] = x[i] < SOFTMAX_SMALLEST ? 0 : out[i];
}

enum { CHAINS = 8 };

static double fold_chains(const double *c) {
    return ((c[0] + c[4]) + (c[2] + c[6])) + ((c[1] + c[5]) + (c[3] + c[7]));
}

/* Several chains, for one waits for each of its sums: over a vocabulary as long as the weights
 * themselves take. */
WIDE static double softmax_sum_wide(const double *x, int n) {
    double chains[CHAINS] = {0};
    int i = 0;
    for (; i + CHAINS <= n; i += CHAINS)
        for (int c = 0; c < CHAINS; c++)
            chains[c] += x[i + c];
    for (int c = 0; i < n; i++, c++)
        chains[c] += x[i];
    return fold_chains(chains);
}

double softmax_weights_sum(const float *logits, int n, float top, double scale, double *out) {
    softmax_wide(logits, n, top, scale, out);
    return softmax_sum_wide(out, n);
}

void softmax_weights(const float *logits, int n, float top, double scale, double *out) {
    softmax_wide(logits, n, top, scale, out);
}

/* Sixteen chains, so that compilers take several at once. */
float softmax_top(const float *logits, int n) {
    enum { LANES = 16 };
    float lanes[LANES], top = logits[0];
    int i = 0;
    if (n >= LANES) {
        for (int l = 0; l < LANES; l++)
            lanes[l] = logits[l];
        for (i = LANES; i + LANES <= n; i += LANES)
            for (int l = 0; l < LANES; l++)
                lanes[l] = logits[i + l] > lanes[l] ? logits[i + l] : lanes[l];
        for (int l = 0; l < LANES; l++)
            if (lanes[l] > top) top = lanes[l];
    }
    for (; i < n; i++)
        if (logits[i] > top) top = logits[i];
    return top;
}

void softmax_mass_make(const float *logits, int n_vocab, double scale, struct softmax_mass *out,
                       double *entropy) {
    double block[SOFTMAX_BLOCK], sum = 0, mean = 0;
    float top = softmax_top(logits, n_vocab);
    for (int at = 0; at < n_vocab; at += SOFTMAX_BLOCK) {
        int n = n_vocab - at < SOFTMAX_BLOCK ? n_vocab - at : SOFTMAX_BLOCK;
        sum += softmax_weights_sum(logits + at, n, top, scale, block);
        if (!entropy) continue;
        for (int i = 0; i < n; i++)
            block[i] *= ((double)logits[at + i] - (double)top) * scale;
        mean += softmax_sum_wide(block, n);
    }
    *out = (struct softmax_mass){.scale = scale, .sum = sum, .top = top};
    if (entropy) *entropy = fmath_log64(sum) - mean / sum;
}

double softmax_logprob(const struct softmax_mass *of, float logit) {
    return ((double)logit - (double)of->top) * of->scale - fmath_log64(of->sum);
}
