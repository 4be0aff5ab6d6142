/* Blocks of 32 as integers: one scale, no sub-scales. */
#include "tensor/blocks.h"
#include "tensor/blocks_q.h"
#include "tensor/qblock.h"

static void whole(struct qblock *out, float d) { *out = (struct qblock){.d = d, .scale = {1, 1}}; }

/* What is added to each element, as a minimum of -m. */
static void lift(struct qblock *out, float m) {
    out->dmin = -m;
    out->min[0] = out->min[1] = 1;
}

static int nibble(const uint8_t *q, int i) { return i < 16 ? q[i] & 15 : q[i - 16] >> 4; }

/* Five bits: a nibble and one of 32 further bits. */
static int five(const uint8_t *high, const uint8_t *q, int i) {
    return nibble(q, i) | (high[i / 8] >> i % 8 & 1) << 4;
}

void qblock_q4_0(const uint8_t *block, struct qblock *out) {
    whole(out, block_f16(block));
    for (int i = 0; i < 32; i++)
        out->q[i] = (int8_t)(nibble(block + Q4_0_Q, i) - 8);
}

void qblock_q4_1(const uint8_t *block, struct qblock *out) {
    whole(out, block_f16(block));
    lift(out, block_f16(block + Q4_1_M));
    for (int i = 0; i < 32; i++)
        out->q[i] = (int8_t)nibble(block + Q4_1_Q, i);
}

void qblock_q5_0(const uint8_t *block, struct qblock *out) {
    whole(out, block_f16(block));
    for (int i = 0; i < 32; i++)
        out->q[i] = (int8_t)(five(block + Q5_0_HIGH, block + Q5_0_Q, i) - 16);
}

void qblock_q5_1(const uint8_t *block, struct qblock *out) {
    whole(out, block_f16(block));
    lift(out, block_f16(block + Q5_1_M));
    for (int i = 0; i < 32; i++)
        out->q[i] = (int8_t)five(block + Q5_1_HIGH, block + Q5_1_Q, i);
}

void qblock_q8_0(const uint8_t *block, struct qblock *out) {
    whole(out, block_f16(block));
    memcpy(out->q, block + Q8_0_Q, 32);
}
