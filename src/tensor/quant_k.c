/* Reference quantisers of the K types. */
#include "tensor/blocks.h"
#include "tensor/blocks_k.h"
#include "tensor/quant_block.h"

/* Eight 6-bit scales and minima into 12 bytes: the inverse of q4_k_scale. */
static void pack_q4_k_scales(const int scale[8], const int min[8], uint8_t *out) {
    for (int j = 0; j < 4; j++) {
        out[j] = (uint8_t)(scale[j] | (scale[j + 4] >> 4) << 6);
        out[j + 4] = (uint8_t)(min[j] | (min[j + 4] >> 4) << 6);
        out[j + 8] = (uint8_t)((scale[j + 4] & 15) | (min[j + 4] & 15) << 4);
    }
}

void quant_block_q4_k(const float *x, uint8_t *block) {
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
    quant_store_f16(block, most_step / 63.0f);
    quant_store_f16(block + Q4_K_DMIN, most_low / 63.0f);
    float d = block_f16(block), dmin = block_f16(block + Q4_K_DMIN);
    for (int j = 0; j < 8; j++) {
        scale[j] = d > 0 ? quant_round(step[j] / d, 0, 63) : 0;
        min[j] = dmin > 0 ? quant_round(low[j] / dmin, 0, 63) : 0;
    }
    pack_q4_k_scales(scale, min, block + Q4_K_SCALES);
    memset(block + Q4_K_Q, 0, 128);
    for (int i = 0; i < 256; i++) {
        int j = i / 32;
        float width = d * (float)scale[j];
        int q = width > 0 ? quant_round((x[i] + dmin * (float)min[j]) / width, 0, 15) : 0;
        block[Q4_K_Q + i / 64 * 32 + i % 32] |= (uint8_t)(j % 2 ? q << 4 : q);
    }
}

void quant_block_q6_k(const float *x, uint8_t *block) {
    float step[16], most_step = 0;
    int scale[16];
    for (int j = 0; j < 16; j++) {
        step[j] = quant_largest(x + 16 * j, 16) / 31.0f;
        if (step[j] > most_step) most_step = step[j];
    }
    memset(block, 0, 210);
    quant_store_f16(block + Q6_K_D, most_step / 127.0f);
    float d = block_f16(block + Q6_K_D);
    for (int j = 0; j < 16; j++) {
        scale[j] = d > 0 ? quant_round(step[j] / d, 0, 127) : 0;
        block[Q6_K_SCALES + j] = (uint8_t)(int8_t)scale[j];
    }
    for (int i = 0; i < 256; i++) {
        int half = i / 128, quarter = i % 128 / 32, at = i % 32;
        float width = d * (float)scale[i / 16];
        int q = 32 + (width > 0 ? quant_round(x[i] / width, -32, 31) : 0);
        int nibble = q & 15;
        block[half * 64 + quarter % 2 * 32 + at] |= (uint8_t)(quarter < 2 ? nibble : nibble << 4);
        block[Q6_K_HIGH + half * 32 + at] |= (uint8_t)((q >> 4) << 2 * quarter);
    }
}
