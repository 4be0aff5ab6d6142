/* Bytes of the K types. */
#include "tensor/blocks_k.h"
#include "tensor/quant_pack.h"

/* Two bits from `shift` on of each quant + offset, four elements 32 apart in a byte. */
static void put_two_bits(const struct qblock *block, int offset, int shift, uint8_t *out) {
    memset(out, 0, 64);
    for (int i = 0; i < 256; i++) {
        int bits = (block->q[i] + offset) >> shift & 3;
        out[i / 128 * 32 + i % 32] |= (uint8_t)(bits << 2 * (i % 128 / 32));
    }
}

/* The low four bits of each quant, two elements 32 apart in a byte. */
static void put_nibbles(const struct qblock *block, uint8_t *out) {
    for (int i = 0; i < 128; i++) {
        const int8_t *q = block->q + i / 32 * 64 + i % 32;
        out[i] = (uint8_t)((q[0] & 15) | (q[32] & 15) << 4);
    }
}

/* Bit `bit` of each quant + offset, eight elements 32 apart in a byte. */
static void put_one_bit(const struct qblock *block, int offset, int bit, uint8_t *out) {
    memset(out, 0, 32);
    for (int i = 0; i < 256; i++)
        out[i % 32] |= (uint8_t)(((block->q[i] + offset) >> bit & 1) << i / 32);
}

void quant_pack_q2_k(const struct qblock *block, uint8_t *bytes) {
    for (int j = 0; j < 16; j++)
        bytes[j] = (uint8_t)(block->scale[j] | block->min[j] << 4);
    put_two_bits(block, 0, 0, bytes + Q2_K_Q);
    quant_put_f16(bytes + Q2_K_D, block->d);
    quant_put_f16(bytes + Q2_K_DMIN, block->dmin);
}

void quant_pack_q3_k(const struct qblock *block, uint8_t *bytes) {
    uint8_t *scales = bytes + Q3_K_SCALES;
    put_one_bit(block, 4, 2, bytes);
    put_two_bits(block, 4, 0, bytes + Q3_K_Q);
    memset(scales, 0, 12);
    for (int j = 0; j < 16; j++) { // see q3_k_scale
        int code = block->scale[j] + 32;
        scales[j % 8] |= (uint8_t)((code & 15) << 4 * (j / 8));
        scales[8 + j % 4] |= (uint8_t)((code >> 4) << 2 * (j / 4));
    }
    quant_put_f16(bytes + Q3_K_D, block->d);
}

/* Factors, and eight 6-bit scales and minima: the inverse of q4_k_scale. */
static void put_head_of_32(const struct qblock *block, uint8_t *bytes) {
    uint8_t *out = bytes + Q4_K_SCALES;
    quant_put_f16(bytes, block->d);
    quant_put_f16(bytes + Q4_K_DMIN, block->dmin);
    for (int j = 0; j < 4; j++) {
        int scale = block->scale[2 * j], later_scale = block->scale[2 * j + 8];
        int min = block->min[2 * j], later_min = block->min[2 * j + 8];
        out[j] = (uint8_t)(scale | (later_scale >> 4) << 6);
        out[j + 4] = (uint8_t)(min | (later_min >> 4) << 6);
        out[j + 8] = (uint8_t)((later_scale & 15) | (later_min & 15) << 4);
    }
}

void quant_pack_q4_k(const struct qblock *block, uint8_t *bytes) {
    put_head_of_32(block, bytes);
    put_nibbles(block, bytes + Q4_K_Q);
}

void quant_pack_q5_k(const struct qblock *block, uint8_t *bytes) {
    put_head_of_32(block, bytes);
    put_one_bit(block, 0, 4, bytes + Q5_K_HIGH);
    put_nibbles(block, bytes + Q5_K_Q);
}

void quant_pack_q6_k(const struct qblock *block, uint8_t *bytes) {
    for (int i = 0; i < 128; i++) { // elements 64 apart share a byte
        const int8_t *q = block->q + i / 64 * 128 + i % 64;
        bytes[i] = (uint8_t)(((q[0] + 32) & 15) | ((q[64] + 32) & 15) << 4);
    }
    put_two_bits(block, 32, 4, bytes + Q6_K_HIGH);
    for (int j = 0; j < 16; j++)
        bytes[Q6_K_SCALES + j] = (uint8_t)(int8_t)block->scale[j];
    quant_put_f16(bytes + Q6_K_D, block->d);
}
