/* Pieces of superblocks that several K types share. */
#ifndef JL_KERNEL_CPU_LINEAR_K_H
#define JL_KERNEL_CPU_LINEAR_K_H

#include "kernel/cpu/linear_q256.h"

/* Sub-block scales of four rows, one in each quarter: from the header (d, dmin, 12 packed bytes) to
 * int8 scale[8], min[8]. See q4_k_scale in tensor/blocks_k.h. */
SIMD_INLINE v16i k_scales_of_32(v16i header) {
    const v16i from =
        v16i_load_16x4((const uint8_t[16]){4, 5, 6, 7, 4, 5, 6, 7, 8, 9, 10, 11, 8, 9, 10, 11});
    const v16i last = v16i_load_16x4((const uint8_t[16]){128, 128, 128, 128, 12, 13, 14, 15, 128,
                                                         128, 128, 128, 12, 13, 14, 15});
    const v16i from_shift = v16i_load_16x4((const int32_t[4]){0, 2, 0, 2});
    const v16i last_shift = v16i_load_16x4((const int32_t[4]){0, 0, 0, 4});
    const v16i from_mask =
        v16i_load_16x4((const int32_t[4]){0x3f3f3f3f, 0x30303030, 0x3f3f3f3f, 0x30303030});
    v16i low = v16i_srlv32(v16i_shuffle8(header, last), last_shift);
    v16i high = v16i_srlv32(v16i_shuffle8(header, from), from_shift);
    return v16i_or_and(v16i_and(low, v16i_set8(15)), high, from_mask);
}

/* The first 16 bytes of Q4_K and Q5_K. */
SIMD_INLINE void k_header_of_32(const struct q_rows *rows, size_t at, struct q256_header *h) {
    v16i row[4];
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        row[i] = q_gather16(rows, i, at);
        h->scale[i] = k_scales_of_32(row[i]);
    }
    v16i both = v16i_unlo64(v16i_unlo32(row[0], row[1]), v16i_unlo32(row[2], row[3]));
    h->d = v16_from_f16_low(both);
    h->dmin = v16_from_f16_low(v16i_srl32(both, 16));
}

/* Factors from the last four bytes of a superblock, of which `bytes` are in all: d first; dmin. */
SIMD_INLINE v16i k_last_dwords(const struct q_rows *rows, size_t at, int bytes) {
    v16i row[4];
    SIMD_UNROLL
    for (int i = 0; i < 4; i++)
        row[i] = q_gather16(rows, i, at + (size_t)bytes - 16);
    return v16i_unhi64(v16i_unhi32(row[0], row[1]), v16i_unhi32(row[2], row[3]));
}

#endif
