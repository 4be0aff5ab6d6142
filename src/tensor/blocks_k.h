/* Layouts of the K types, superblocks of 256 elements: see blocks.h. */
#ifndef JL_TENSOR_BLOCKS_K_H
#define JL_TENSOR_BLOCKS_K_H

#include <stdint.h>

/* Q4_K: f16 d, dmin; 12 bytes of eight 6-bit scales and minima; 4 runs of 32 bytes, run j holding
 * sub-block 2j in the low nibbles and 2j+1 in the high ones. */
#define Q4_K_DMIN 2
#define Q4_K_SCALES 4
#define Q4_K_Q 16

/* Scale and minimum of sub-block j, 0 .. 63 each. */
static inline void q4_k_scale(const uint8_t *scales, int j, int *scale, int *min) {
    if (j < 4) {
        *scale = scales[j] & 63;
        *min = scales[j + 4] & 63;
    } else {
        *scale = (scales[j + 4] & 15) | (scales[j - 4] >> 6) << 4;
        *min = scales[j + 4] >> 4 | (scales[j] >> 6) << 4;
    }
}

/* Q6_K: low nibbles 128 bytes; high pairs 64 bytes; int8 scales[16]; f16 d. Halves of 128 elements,
 * each in four quarters of 32. */
#define Q6_K_HIGH 128
#define Q6_K_SCALES 192
#define Q6_K_D 208

#endif
