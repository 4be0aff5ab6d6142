#include "support/make_rows.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tensor/codebook.h"
#include "tensor/quant.h"

/* How large scale * q of a random block usually is, for a d of one. */
static float usual(enum dtype dtype) {
    switch (dtype) {
    case DTYPE_IQ4_NL: return 70;
    case DTYPE_IQ4_XS: return 70 * 16;
    case DTYPE_MXFP4: return 5;
    case DTYPE_IQ2_XXS:
    case DTYPE_IQ2_XS:
    case DTYPE_IQ2_S: return 25 * 16 / 8;
    case DTYPE_IQ3_XXS: return 25 * 16 / 4;
    case DTYPE_IQ3_S: return 7 * 16;
    case DTYPE_IQ1_S:
    case DTYPE_IQ1_M: return 7 * 8 / 8;
    default: fail_msg("%s has neither a quantiser nor random blocks", dtype_name(dtype)); return 1;
    }
}

static void put_scale(enum dtype dtype, uint8_t *block, float d) {
    uint16_t f16 = f16_from_f32(d);
    if (dtype == DTYPE_MXFP4) {
        block[0] = (uint8_t)(128 + lrintf(log2f(d)));
    } else if (dtype == DTYPE_IQ1_M) {
        for (int i = 0; i < 4; i++) {
            uint8_t *top = block + IQ1_M_SCALES + 2 * i + 1;
            *top = (uint8_t)((*top & 15) | (f16 >> 4 * i & 15) << 4);
        }
    } else {
        memcpy(block, &f16, sizeof f16);
    }
}

static void random_row(enum dtype dtype, float size, int64_t cols, const struct rng_key *key,
                       uint8_t *out) {
    const struct dtype_row *type = dtype_row(dtype);
    uint64_t draw = 0;
    for (int64_t i = 0; i < cols; i += type->block, out += type->bytes) {
        for (int at = 0; at < type->bytes; at += 16) {
            uint32_t words[4];
            int left = type->bytes - at;
            rng_block(key, draw++, words);
            memcpy(out + at, words, left < 16 ? (size_t)left : 16);
        }
        put_scale(dtype, out, size / usual(dtype));
    }
}

void make_rows(enum dtype dtype, const float *values, int64_t rows, int64_t cols,
               const struct rng_key *key, uint8_t *out) {
    size_t row_bytes;
    assert_true(dtype_row_bytes(dtype, cols, &row_bytes));
    float size = fabsf(values[0]) > 1e-3f ? fabsf(values[0]) : 1e-3f;
    for (int64_t r = 0; r < rows; r++, values += cols, out += row_bytes) {
        struct rng_key own = *key;
        own.position = (uint32_t)r;
        if (!dtype_quantize(dtype, values, NULL, out, cols))
            random_row(dtype, size, cols, &own, out);
    }
}

void make_f8_rows(const float *values, int64_t rows, int64_t cols, uint8_t *out, float *scale) {
    const int64_t side = F8_SCALE_BLOCK, across = (cols + side - 1) / side;
    for (int64_t r = 0; r < rows; r++) // the largest of each block first
        for (int64_t k = 0; k < cols; k++) {
            float *most = &scale[r / side * across + k / side];
            *most = fmaxf(r % side || k % side ? *most : 0, fabsf(values[r * cols + k]) / 448);
        }
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = 0; k < cols; k++)
            out[r * cols + k] =
                f8_e4m3_from_f32(values[r * cols + k] / scale[r / side * across + k / side]);
}
