/* The superblocks of the K types as integers. */
#include "tensor/blocks.h"
#include "tensor/blocks_k.h"
#include "tensor/qblock.h"

/* Eight 6-bit scales and minima, each of two runs. */
static void scales_of_32(const uint8_t *packed, struct qblock *out) {
    for (int j = 0; j < 8; j++) {
        int scale, min;
        q4_k_scale(packed, j, &scale, &min);
        out->scale[2 * j] = out->scale[2 * j + 1] = (int16_t)scale;
        out->min[2 * j] = out->min[2 * j + 1] = (int16_t)min;
    }
}

void qblock_q4_k(const uint8_t *block, struct qblock *out) {
    out->d = block_f16(block);
    out->dmin = block_f16(block + Q4_K_DMIN);
    scales_of_32(block + Q4_K_SCALES, out);
    for (int i = 0; i < 256; i++) {
        int pair = block[Q4_K_Q + i / 64 * 32 + i % 32];
        out->q[i] = (int8_t)(i / 32 % 2 ? pair >> 4 : pair & 15);
    }
}

void qblock_q6_k(const uint8_t *block, struct qblock *out) {
    *out = (struct qblock){.d = block_f16(block + Q6_K_D)};
    for (int j = 0; j < 16; j++)
        out->scale[j] = (int8_t)block[Q6_K_SCALES + j];
    for (int i = 0; i < 256; i++) {
        int half = i / 128, quarter = i % 128 / 32, at = i % 32;
        int low = block[half * 64 + quarter % 2 * 32 + at];
        low = quarter < 2 ? low & 15 : low >> 4;
        int high = block[Q6_K_HIGH + half * 32 + at] >> 2 * quarter & 3;
        out->q[i] = (int8_t)((low | high << 4) - 32);
    }
}
