/* Rotary frequencies with their scaling. In double, from own pow and log, so that every build gets
 * the same bits. Sources: the Llama 3.1 release's three bands; the YaRN paper (arXiv 2309.00071).
 */
#include <stddef.h>

#include "base/fmath.h"
#include "model/hparams.h"

#define TAU 6.283185307179586476925286766559

/* Llama 3: long wavelengths are stretched by factor, short ones kept, a smooth band between. */
static double stretch_llama3(const struct rope_hparams *rope, double freq) {
    double wavelength = TAU / freq;
    double low = rope->n_ctx_orig / rope->low_freq_factor;
    double high = rope->n_ctx_orig / rope->high_freq_factor;
    if (wavelength < high) return freq;
    if (wavelength > low) return freq / rope->factor;
    double smooth = (rope->n_ctx_orig / wavelength - rope->low_freq_factor) /
                    (rope->high_freq_factor - rope->low_freq_factor);
    return (1 - smooth) * (freq / rope->factor) + smooth * freq;
}

/* The factor is rounded to f32, as a GGUF file stores it: both kinds of file give the same bits. */
static float factor_llama3(const struct rope_hparams *rope, double freq) {
    return (float)(freq / stretch_llama3(rope, freq));
}

static double plain_frequency(const struct hparams *hp, int i) {
    return fmath_pow64(hp->rope_theta, -2.0 * i / hp->n_rot);
}

void rope_factors(const struct hparams *hp, float *factors) {
    for (int i = 0; i < hp->n_rot / 2; i++)
        factors[i] = factor_llama3(&hp->rope, plain_frequency(hp, i));
}

/* The (fractional) pair that turns `rotations` times within the original context. */
static double yarn_pair(const struct hparams *hp, double rotations) {
    return hp->n_rot * fmath_log64(hp->rope.n_ctx_orig / (rotations * TAU)) /
           (2 * fmath_log64(hp->rope_theta));
}

static double floor_of(double x) {
    if (!(x > -1e9 && x < 1e9)) return x;
    double whole = (double)(long long)x;
    return whole > x ? whole - 1 : whole;
}

static void yarn_range(const struct hparams *hp, double *low, double *high) {
    *low = yarn_pair(hp, hp->rope.beta_fast);
    *high = yarn_pair(hp, hp->rope.beta_slow);
    if (hp->rope.truncate) {
        *low = floor_of(*low);
        *high = -floor_of(-*high);
    }
    if (*low < 0) *low = 0;
    if (*high > hp->n_rot - 1) *high = hp->n_rot - 1;
    if (*high == *low) *high += 0.001;
}

void rope_frequencies(const struct hparams *hp, const float *factors, double *freq) {
    const struct rope_hparams *rope = &hp->rope;
    double low = 0, high = 0;
    if (rope->scaling == ROPE_YARN) yarn_range(hp, &low, &high);
    for (int i = 0; i < hp->n_rot / 2; i++) {
        double f = plain_frequency(hp, i);
        if (factors) f /= (double)factors[i];
        if (rope->scaling == ROPE_LINEAR) f /= rope->factor;
        if (rope->scaling == ROPE_LLAMA3) f /= (double)factor_llama3(rope, f);
        if (rope->scaling == ROPE_YARN) {
            double ramp = (i - low) / (high - low);
            ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
            f = (f / rope->factor) * ramp + f * (1 - ramp);
        }
        freq[i] = f;
    }
}
