/* Linear steps of Q3_K weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_k.h"
#include "kernel/fill.h"
#include "tensor/blocks_k.h"

enum { BYTES = 110 };

/* Sixteen 6-bit scales of four rows, one row a quarter: from the last 16 bytes of the superblock
 * (12 of scales from byte 2 on) to int8. See q3_k_scale in tensor/blocks_k.h. */
SIMD_INLINE v16i unpack_scales(v16i last) {
    const v16i low_at =
        v16i_load_16x4((const uint8_t[16]){2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6, 7, 8, 9});
    const v16i high_at = v16i_load_16x4(
        (const uint8_t[16]){10, 11, 12, 13, 10, 11, 12, 13, 10, 11, 12, 13, 10, 11, 12, 13});
    v16i low =
        v16i_srlv32(v16i_shuffle8(last, low_at), v16i_load_16x4((const int32_t[4]){0, 0, 4, 4}));
    v16i high =
        v16i_srlv32(v16i_shuffle8(last, high_at), v16i_load_16x4((const int32_t[4]){0, 2, 4, 6}));
    v16i six = v16i_or_and(v16i_and(low, v16i_set8(15)), v16i_sll16(high, 4), v16i_set8(0x30));
    return v16i_sub8(six, v16i_set8(32));
}

SIMD_INLINE void header(const struct q_rows *rows, size_t at, struct q256_header *h) {
    v16i row[4];
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        row[i] = q_gather16(rows, i, at + BYTES - 16);
        h->scale[i] = unpack_scales(row[i]);
    }
    v16i last = v16i_unhi64(v16i_unhi32(row[0], row[1]), v16i_unhi32(row[2], row[3]));
    h->d = v16_from_f16_low(v16i_srl32(last, 16));
}

/* 32 elements of each half of the superblock: bits 2c, 2c + 1 of 64 bytes, and bit c or c + 4
 * of 32. */
SIMD_INLINE v16i quants(const uint8_t *block, int c) {
    v16i low = v16i_load(block + Q3_K_Q), high = v16i_srl_halves(v16i_load_32x2(block), 0, 4);
    low = v16i_and(c ? v16i_srl16(low, 2 * c) : low, v16i_set8(3));
    high = c < 2 ? v16i_sll16(high, 2 - c) : c > 2 ? v16i_srl16(high, c - 2) : high;
    return v16i_or_and(low, high, v16i_set8(4));
}

/* Bit j of each byte as bit 2. */
SIMD_INLINE v16i high_bit(v16i x, int j) {
    v16i moved = j < 2 ? v16i_sll16(x, 2 - j) : j > 2 ? v16i_srl16(x, j - 2) : x;
    return v16i_and(moved, v16i_set8(4));
}

/* A half of each run of 32 elements. */
SIMD_INLINE void slice(const struct q256_form *form, const struct q256_slice *s, int half) {
    v16i high[4], low[2][4];
    q_columns(s->rows, s->at + 16 * (size_t)half, high);
    q_columns(s->rows, s->at + Q3_K_Q + 16 * (size_t)half, low[0]);
    q_columns(s->rows, s->at + Q3_K_Q + 32 + 16 * (size_t)half, low[1]);
    int step = 4 * half;
    SIMD_UNROLL
    for (int j = 0; j < 8; j++) {
        SIMD_UNROLL
        for (int i = 0; i < 4; i++) {
            v16i q = low[j / 4][i];
            q = v16i_and(j % 4 ? v16i_srl16(q, 2 * (j % 4)) : q, v16i_set8(3));
            q256_put(form, s, step + 8 * j + i, v16i_or(q, high_bit(high[i], j)));
        }
    }
}

/* (q - 4) * scale is -124 .. 128, and 127 more of it a byte. Modulo 256 the offset comes last. */
SIMD_INLINE v16i fold(v16i quants, v16i factor) {
    const v16i low = v16i_set1(0x00ff00ff), four = v16i_set1(0x00040004);
    v16i even = v16i_sub16(v16i_and(quants, low), four);
    v16i odd = v16i_sub16(v16i_srl16(quants, 8), four);
    even = v16i_and(v16i_mul16(even, factor), low);
    odd = v16i_sll16(v16i_mul16(odd, factor), 8);
    return v16i_add8(v16i_or(even, odd), v16i_set8(127));
}

static const struct q256_form form = {
    .bytes = BYTES,
    .n_sub = 16,
    .quant_most = 4,
    .scale_most = 32,
    .most = 7,
    .offset = 4,
    .scale_signed = true,
    .order = {0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15},
    .header = header,
    .quants = quants,
    .slice = slice,
    .n_slice = 2,
    .fold = fold,
    .fold_offset = 127,
};

Q_BODIES(q256, form)

/* From this many rows on the panel pays: measured with weights in DRAM. */
enum { GEMM_ROWS = 5 };

Q_FILL(q3_k, DTYPE_Q3_K, GEMM_ROWS)
