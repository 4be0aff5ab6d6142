/* Blocks of 32 as integers: one scale, no sub-scales. */
#include "tensor/blocks.h"
#include "tensor/blocks_q.h"
#include "tensor/qblock.h"

static void whole(struct qblock *out, float d) { *out = (struct qblock){.d = d, .scale = {1, 1}}; }

void qblock_q8_0(const uint8_t *block, struct qblock *out) {
    whole(out, block_f16(block));
    memcpy(out->q, block + Q8_0_Q, 32);
}
