#include "model/synth_blocks.h"

#include <math.h>
#include <string.h>

#include "tensor/codebook.h"
#include "tensor/dtype.h"

/* Where a block of random bits keeps the factor that all of its values are multiples of. */
static const struct {
    enum dtype dtype;
    // two bytes; the top of four words; a power of two in a byte
    enum { FACTOR_F16, FACTOR_NIBBLES, FACTOR_POWER } form;
    int at;
} factors[] = {
    {DTYPE_IQ1_S, FACTOR_F16, 0},   {DTYPE_IQ1_M, FACTOR_NIBBLES, IQ1_M_SCALES},
    {DTYPE_IQ2_XXS, FACTOR_F16, 0}, {DTYPE_IQ2_XS, FACTOR_F16, 0},
    {DTYPE_IQ2_S, FACTOR_F16, 0},   {DTYPE_IQ3_XXS, FACTOR_F16, 0},
    {DTYPE_IQ3_S, FACTOR_F16, 0},   {DTYPE_MXFP4, FACTOR_POWER, 0},
};
#define N_FACTOR ((int)(sizeof factors / sizeof factors[0]))

static int factor_of(enum dtype dtype) {
    for (int i = 0; i < N_FACTOR; i++)
        if (factors[i].dtype == dtype) return i;
    return -1;
}

bool synth_blocks_has(enum dtype dtype) { return factor_of(dtype) >= 0; }

static void put_factor(int factor, uint8_t *block, float value) {
    uint16_t f16 = f16_from_f32(value);
    uint8_t *at = block + factors[factor].at;
    if (factors[factor].form == FACTOR_POWER) {
        int exponent;
        frexpf(value, &exponent); // value is at least half of two to it
        *at = (uint8_t)(127 + exponent);
        return;
    }
    if (factors[factor].form == FACTOR_F16) {
        memcpy(at, &f16, sizeof f16);
        return;
    }
    for (int i = 0; i < 4; i++) {
        uint8_t *top = at + 2 * i + 1;
        *top = (uint8_t)((*top & 15) | (f16 >> 4 * i & 15) << 4);
    }
}

static float root_mean_square(const float *x, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return (float)sqrt(sum / n);
}

void synth_blocks_row(enum dtype dtype, const struct rng_key *key, float deviation, uint8_t *row,
                      float *x, int64_t n) {
    const struct dtype_row *type = dtype_row(dtype);
    int64_t bytes = n / type->block * type->bytes;
    int factor = factor_of(dtype);
    for (int64_t i = 0; i < bytes; i += 16) {
        uint32_t words[4];
        rng_block(key, (uint64_t)(i / 16), words);
        memcpy(row + i, words, bytes - i < 16 ? (size_t)(bytes - i) : 16);
    }
    for (int64_t b = 0; b < n / type->block; b++, row += type->bytes) {
        put_factor(factor, row, 1);
        dtype_dequantize(dtype, row, x, type->block);
        put_factor(factor, row, deviation / root_mean_square(x, type->block));
    }
}
