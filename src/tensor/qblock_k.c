/* The superblocks of the K types as integers. */
#include "tensor/blocks.h"
#include "tensor/blocks_k.h"
#include "tensor/qblock.h"

/* Two bits of element i: four elements 32 apart share a byte. */
static int two_bits(const uint8_t *q, int i) {
    return q[i / 128 * 32 + i % 32] >> 2 * (i % 128 / 32) & 3;
}

/* One bit of element i: eight elements 32 apart share a byte. */
static int one_bit(const uint8_t *q, int i) { return q[i % 32] >> i / 32 & 1; }

void qblock_q2_k(const uint8_t *block, struct qblock *out) {
    out->d = block_f16(block + Q2_K_D);
    out->dmin = block_f16(block + Q2_K_DMIN);
    for (int j = 0; j < 16; j++) {
        out->scale[j] = block[j] & 15;
        out->min[j] = block[j] >> 4;
    }
    for (int i = 0; i < 256; i++)
        out->q[i] = (int8_t)two_bits(block + Q2_K_Q, i);
}

void qblock_q3_k(const uint8_t *block, struct qblock *out) {
    *out = (struct qblock){.d = block_f16(block + Q3_K_D)};
    for (int j = 0; j < 16; j++)
        out->scale[j] = (int16_t)q3_k_scale(block + Q3_K_SCALES, j);
    for (int i = 0; i < 256; i++)
        out->q[i] = (int8_t)((two_bits(block + Q3_K_Q, i) | one_bit(block, i) << 2) - 4);
}

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
    const uint8_t *from = block + Q4_K_Q; // nibbles: two elements 32 apart share a byte
    for (int8_t *q = out->q; q < out->q + 256; q += 64, from += 32)
        for (int i = 0; i < 32; i++) { // a loop that compilers make vectors of
            q[i] = (int8_t)(from[i] & 15);
            q[32 + i] = (int8_t)(from[i] >> 4);
        }
}

void qblock_q5_k(const uint8_t *block, struct qblock *out) {
    out->d = block_f16(block);
    out->dmin = block_f16(block + Q4_K_DMIN);
    scales_of_32(block + Q4_K_SCALES, out);
    const uint8_t *from = block + Q5_K_Q, *high = block + Q5_K_HIGH;
    int8_t *q = out->q;
    for (int bit = 0; bit < 8; bit += 2, q += 64, from += 32)
        for (int i = 0; i < 32; i++) {
            q[i] = (int8_t)((from[i] & 15) | (high[i] >> bit & 1) << 4);
            q[32 + i] = (int8_t)((from[i] >> 4) | (high[i] >> (bit + 1) & 1) << 4);
        }
}

void qblock_q6_k(const uint8_t *block, struct qblock *out) {
    *out = (struct qblock){.d = block_f16(block + Q6_K_D)};
    for (int j = 0; j < 16; j++)
        out->scale[j] = (int8_t)block[Q6_K_SCALES + j];
    for (int half = 0; half < 2; half++) {
        const uint8_t *low = block + half * 64, *high = block + Q6_K_HIGH + half * 32;
        int8_t *q = out->q + half * 128;
        for (int i = 0; i < 32; i++) { // a loop that compilers make vectors of
            q[i] = (int8_t)(((low[i] & 15) | (high[i] << 4 & 0x30)) - 32);
            q[32 + i] = (int8_t)(((low[32 + i] & 15) | (high[i] << 2 & 0x30)) - 32);
            q[64 + i] = (int8_t)(((low[i] >> 4) | (high[i] & 0x30)) - 32);
            q[96 + i] = (int8_t)(((low[32 + i] >> 4) | (high[i] >> 2 & 0x30)) - 32);
        }
    }
}
