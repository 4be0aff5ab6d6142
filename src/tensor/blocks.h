/* The published layouts of block types, field by field. Offsets are in bytes from the block's
 * start; nothing is aligned. Source: ggml's block definitions. */
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

/* Q8_0: f16 d; int8 q[32]. */
#define Q8_0_Q 2

/* Q4_K: f16 d, dmin; 12 bytes of eight 6-bit scales and minima; 4 runs of 32 bytes, run j holding
 * sub-block 2j in the low nibbles and 2j+1 in the high ones. */
#define Q4_K_DMIN 2
#define Q4_K_SCALES 4
#define Q4_K_Q 16

static inline void q4_k_scale(const uint8_t *scales, int j, int *scale, int *min) {
    if (j < 4) {
        *scale = scales[j] & 63;
        *min = scales[j + 4] & 63;
    } else {
        *scale = (scales[j + 4] & 15) | (scales[j - 4] >> 6) << 4;
        *min = scales[j + 4] >> 4 | (scales[j] >> 6) << 4;
    }
}

static inline int q4_k_quant(const uint8_t *block, int i) {
    int pair = block[Q4_K_Q + i / 64 * 32 + i % 32];
    return i / 32 % 2 ? pair >> 4 : pair & 15;
}

/* Q6_K: low nibbles 128 bytes; high pairs 64 bytes; int8 scales[16]; f16 d. Halves of 128 elements,
 * each in four quarters of 32. */
#define Q6_K_HIGH 128
#define Q6_K_SCALES 192
#define Q6_K_D 208

static inline int q6_k_quant(const uint8_t *block, int i) { // -32 .. 31
    int half = i / 128, quarter = i % 128 / 32, at = i % 32;
    int low = block[half * 64 + quarter % 2 * 32 + at];
    low = quarter < 2 ? low & 15 : low >> 4;
    return (low | (block[Q6_K_HIGH + half * 32 + at] >> 2 * quarter & 3) << 4) - 32;
}

#endif
