/* Layouts of the K types, superblocks of 256 elements: see blocks.h. */
#ifndef JL_TENSOR_BLOCKS_K_H
#define JL_TENSOR_BLOCKS_K_H

#include <stdint.h>

/* Q2_K: 16 bytes of scale (low nibble) and minimum (high) of a sub-block of 16; 64 bytes, two bits
 * an element: byte l of half h holds elements 128h + l, + 32, + 64, + 96 from its low bits up; f16
 * d, dmin. */
#define Q2_K_Q 16
#define Q2_K_D 80
#define Q2_K_DMIN 82

/* Q3_K: 32 bytes of third bits: bit j of byte l belongs to element 32j + l; 64 bytes of two bits as
 * in Q2_K; 12 bytes of sixteen 6-bit scales; f16 d. Scales count from -32, quants from -4. */
#define Q3_K_Q 32
#define Q3_K_SCALES 96
#define Q3_K_D 108

static inline int q3_k_scale(const uint8_t *scales, int j) {
    int low = j < 8 ? scales[j] & 15 : scales[j - 8] >> 4;
    return (low | (scales[8 + j % 4] >> 2 * (j / 4) & 3) << 4) - 32;
}

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

/* Q5_K: as Q4_K, with 32 bytes of fifth bits before the nibbles: bit j of byte l belongs to element
 * 32j + l. */
#define Q5_K_HIGH 16
#define Q5_K_Q 48

/* Q6_K: low nibbles 128 bytes; high pairs 64 bytes; int8 scales[16]; f16 d. Halves of 128 elements,
 * each in four quarters of 32. */
#define Q6_K_HIGH 128
#define Q6_K_SCALES 192
#define Q6_K_D 208

#endif
