/* Bytes of the types with blocks of 32. */
#include "tensor/blocks_q.h"
#include "tensor/quant_pack.h"

static void put_nibbles(const struct qblock *block, int offset, uint8_t *out) {
    for (int i = 0; i < 16; i++) {
        int first = block->q[i] + offset, second = block->q[i + 16] + offset;
        out[i] = (uint8_t)((first & 15) | (second & 15) << 4);
    }
}

static void put_fifth_bits(const struct qblock *block, int offset, uint8_t *out) {
    for (int i = 0; i < 4; i++)
        out[i] = 0;
    for (int i = 0; i < 32; i++)
        out[i / 8] |= (uint8_t)(((block->q[i] + offset) >> 4 & 1) << i % 8);
}

void quant_pack_q4_0(const struct qblock *block, uint8_t *bytes) {
    quant_put_f16(bytes, block->d);
    put_nibbles(block, 8, bytes + Q4_0_Q);
}

void quant_pack_q4_1(const struct qblock *block, uint8_t *bytes) {
    quant_put_f16(bytes, block->d);
    quant_put_f16(bytes + Q4_1_M, -block->dmin);
    put_nibbles(block, 0, bytes + Q4_1_Q);
}

void quant_pack_q5_0(const struct qblock *block, uint8_t *bytes) {
    quant_put_f16(bytes, block->d);
    put_fifth_bits(block, 16, bytes + Q5_0_HIGH);
    put_nibbles(block, 16, bytes + Q5_0_Q);
}

void quant_pack_q5_1(const struct qblock *block, uint8_t *bytes) {
    quant_put_f16(bytes, block->d);
    quant_put_f16(bytes + Q5_1_M, -block->dmin);
    put_fifth_bits(block, 0, bytes + Q5_1_HIGH);
    put_nibbles(block, 0, bytes + Q5_1_Q);
}

void quant_pack_q8_0(const struct qblock *block, uint8_t *bytes) {
    quant_put_f16(bytes, block->d);
    memcpy(bytes + Q8_0_Q, block->q, 32);
}
