/* What the published block layouts share. They are written down field by field in blocks_q.h
 * (blocks of 32) and blocks_k.h (superblocks of 256): offsets are in bytes from the block's start,
 * and nothing is aligned. Source: ggml's block definitions. */
#ifndef JL_TENSOR_BLOCKS_H
#define JL_TENSOR_BLOCKS_H

#include <stdint.h>
#include <string.h>

#include "tensor/dtype.h"

static inline float block_f16(const uint8_t *p) {
    uint16_t bits;
    memcpy(&bits, p, sizeof bits);
    return f32_from_f16(bits);
}

#endif
