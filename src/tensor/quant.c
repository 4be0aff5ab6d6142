/* Reference quantisers: the step comes from the block's range, values round to nearest. */
#include <math.h>
#include <string.h>

#include "tensor/blocks.h"
#include "tensor/dtype.h"

static void store_f16(uint8_t *p, float value) {
    uint16_t bits = f16_from_f32(value);
    memcpy(p, &bits, sizeof bits);
}

static int round_within(float x, int low, int high) {
    float r = rintf(x);
    if (!(r > (float)low)) return low; // NaN too
    return r < (float)high ? (int)r : high;
}

static float largest_magnitude(const float *x, int n) {
    float most = 0;
    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) > most) most = fabsf(x[i]);
    return most;
}

static void quantize_q8_0(const float *x, uint8_t *block) {
    store_f16(block, largest_magnitude(x, 32) / 127.0f);
    float d = block_f16(block), inverse = d > 0 ? 1.0f / d : 0;
    for (int i = 0; i < 32; i++)
        block[Q8_0_Q + i] = (uint8_t)(int8_t)round_within(x[i] * inverse, -127, 127);
}

/* Eight 6-bit scales and minima into 12 bytes: the inverse of q4_k_scale. */
static void pack_q4_k_scales(const int scale[8], const int min[8], uint8_t *out) {
    for (int j = 0; j < 4; j++) {
        out[j] = (uint8_t)(scale[j] | (scale[j + 4] >> 4) << 6);
        out[j + 4] = (uint8_t)(min[j] | (min[j + 4] >> 4) << 6);
        out[j + 8] = (uint8_t)((scale[j + 4] & 15) | (min[j + 4] & 15) << 4);
    }
}

static void quantize_q4_k(const float *x, uint8_t *block) {
    float step[8], low[8], most_step = 0, most_low = 0;
    int scale[8], min[8];
    for (int j = 0; j < 8; j++) {
        float least = 0, most = 0; // the range always holds zero: minima are not negative
        for (int i = 32 * j; i < 32 * j + 32; i++) {
            if (x[i] < least) least = x[i];
            if (x[i] > most) most = x[i];
        }
        step[j] = (most - least) / 15.0f;
        low[j] = -least;
        if (step[j] > most_step) most_step = step[j];
        if (low[j] > most_low) most_low = low[j];
    }
    store_f16(block, most_step / 63.0f);
    store_f16(block + Q4_K_DMIN, most_low / 63.0f);
    float d = block_f16(block), dmin = block_f16(block + Q4_K_DMIN);
    for (int j = 0; j < 8; j++) {
        scale[j] = d > 0 ? round_within(step[j] / d, 0, 63) : 0;
        min[j] = dmin > 0 ? round_within(low[j] / dmin, 0, 63) : 0;
    }
    pack_q4_k_scales(scale, min, block + Q4_K_SCALES);
    memset(block + Q4_K_Q, 0, 128);
    for (int i = 0; i < 256; i++) {
        int j = i / 32;
        float width = d * (float)scale[j];
        int q = width > 0 ? round_within((x[i] + dmin * (float)min[j]) / width, 0, 15) : 0;
        block[Q4_K_Q + i / 64 * 32 + i % 32] |= (uint8_t)(j % 2 ? q << 4 : q);
    }
}

static void quantize_q6_k(const float *x, uint8_t *block) {
    float step[16], most_step = 0;
    int scale[16];
    for (int j = 0; j < 16; j++) {
        step[j] = largest_magnitude(x + 16 * j, 16) / 31.0f;
        if (step[j] > most_step) most_step = step[j];
    }
    memset(block, 0, 210);
    store_f16(block + Q6_K_D, most_step / 127.0f);
    float d = block_f16(block + Q6_K_D);
    for (int j = 0; j < 16; j++) {
        scale[j] = d > 0 ? round_within(step[j] / d, 0, 127) : 0;
        block[Q6_K_SCALES + j] = (uint8_t)(int8_t)scale[j];
    }
    for (int i = 0; i < 256; i++) {
        int half = i / 128, quarter = i % 128 / 32, at = i % 32;
        float width = d * (float)scale[i / 16];
        int q = 32 + (width > 0 ? round_within(x[i] / width, -32, 31) : 0);
        int nibble = q & 15;
        block[half * 64 + quarter % 2 * 32 + at] |= (uint8_t)(quarter < 2 ? nibble : nibble << 4);
        block[Q6_K_HIGH + half * 32 + at] |= (uint8_t)((q >> 4) << 2 * quarter);
    }
}

bool dtype_quantize(enum dtype dtype, const float *x, void *row, int64_t n) {
    uint8_t *p = row;
    switch (dtype) {
    case DTYPE_F32: memcpy(p, x, (size_t)n * sizeof *x); return true;
    case DTYPE_F16:
        for (int64_t i = 0; i < n; i++)
            store_f16(p + 2 * i, x[i]);
        return true;
    case DTYPE_BF16:
        for (int64_t i = 0; i < n; i++) {
            uint16_t bits = bf16_from_f32(x[i]);
            memcpy(p + 2 * i, &bits, sizeof bits);
        }
        return true;
    case DTYPE_Q8_0:
        for (int64_t i = 0; i < n; i += 32)
            quantize_q8_0(x + i, p + i / 32 * 34);
        return true;
    case DTYPE_Q4_K:
        for (int64_t i = 0; i < n; i += 256)
            quantize_q4_k(x + i, p + i / 256 * 144);
        return true;
    case DTYPE_Q6_K:
        for (int64_t i = 0; i < n; i += 256)
            quantize_q6_k(x + i, p + i / 256 * 210);
        return true;
    default: return false;
    }
}
