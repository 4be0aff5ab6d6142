/* Linear steps of Q2_K weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_k.h"
#include "kernel/fill.h"
#include "tensor/blocks_k.h"

enum { BYTES = 84 };

SIMD_INLINE void header(const struct q_rows *rows, size_t at, struct q256_header *h) {
    const v16i low4 = v16i_set8(15);
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        v16i both = q_gather16(rows, i, at);
        h->scale[i] = v16i_and(both, low4);
        h->min[i] = v16i_and(v16i_srl16(both, 4), low4);
    }
    v16i both = k_last_dwords(rows, at, BYTES);
    h->d = v16_from_f16_low(both);
    h->dmin = v16_from_f16_low(v16i_srl32(both, 16));
}

/* 32 elements of each half of the superblock: what bits 2c, 2c + 1 of 64 bytes hold. */
SIMD_INLINE v16i quants(const uint8_t *block, int c) {
    v16i q = v16i_load(block + Q2_K_Q);
    return v16i_and(c ? v16i_srl16(q, 2 * c) : q, v16i_set8(3));
}

/* 16 bytes of each row: four sub-blocks of a half. */
SIMD_INLINE void slice(const struct q256_form *form, const struct q256_slice *s, int part) {
    v16i column[4];
    q_columns(s->rows, s->at + Q2_K_Q + 16 * (size_t)part, column);
    int step = part / 2 * 32 + part % 2 * 4;
    SIMD_UNROLL
    for (int j = 0; j < 4; j++) {
        SIMD_UNROLL
        for (int i = 0; i < 4; i++) {
            v16i q = j ? v16i_srl16(column[i], 2 * j) : column[i];
            q256_put(form, s, step + 8 * j + i, v16i_and(q, v16i_set8(3)));
        }
    }
}

/* At most 3 * 15: two bytes at once, nothing is carried from one into the other. */
SIMD_INLINE v16i fold(v16i quants, v16i factor) { return v16i_mul16(quants, factor); }

static const struct q256_form form = {
    .bytes = BYTES,
    .n_sub = 16,
    .quant_most = 3,
    .scale_most = 15,
    .most = 3,
    .has_min = true,
    .order = {0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15},
    .header = header,
    .quants = quants,
    .slice = slice,
    .n_slice = 4,
    .fold = fold,
};

Q_BODIES(q256, form)

/* From this many rows on the panel pays: measured with weights in DRAM. */
enum { GEMM_ROWS = 5 };

Q_FILL(q2_k, DTYPE_Q2_K, GEMM_ROWS)
