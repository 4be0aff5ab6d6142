/* Linear steps of Q5_K weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_k.h"
#include "kernel/fill.h"
#include "tensor/blocks_k.h"

/* Sub-blocks 0 2, 1 3, 4 6, 5 7: what 64 bytes of nibbles hold. */
SIMD_INLINE v16i quants(const uint8_t *block, int c) {
    v16i low = v16i_load(block + Q5_K_Q + c / 2 * 64), high = v16i_load_32x2(block + Q5_K_HIGH);
    low = v16i_and(c % 2 ? v16i_srl16(low, 4) : low, v16i_set8(15));
    high = c < 2 ? v16i_sll_halves(high, 4 - c, 2 - c) : v16i_srl_halves(high, c - 2, c);
    return v16i_or_and(low, high, v16i_set8(16));
}

/* Bit j of each byte as bit 4. */
SIMD_INLINE v16i high_bit(v16i x, int j) {
    return v16i_and(j < 4 ? v16i_sll16(x, 4 - j) : v16i_srl16(x, j - 4), v16i_set8(16));
}

/* A half of each of the eight sub-blocks. */
SIMD_INLINE void slice(const struct q256_form *form, const struct q256_slice *s, int half) {
    const v16i low4 = v16i_set8(15);
    v16i high[4];
    q_columns(s->rows, s->at + Q5_K_HIGH + 16 * (size_t)half, high);
    int step = 4 * half;
    SIMD_UNROLL
    for (int j = 0; j < 8; j += 2) {
        v16i column[4];
        q_columns(s->rows, s->at + Q5_K_Q + 16 * (size_t)(j + half), column);
        SIMD_UNROLL
        for (int i = 0; i < 4; i++) {
            v16i low = v16i_and(column[i], low4), next = v16i_srl16(column[i], 4);
            q256_put(form, s, step + 8 * j + i, v16i_or(low, high_bit(high[i], j)));
            q256_put(form, s, step + 8 * j + 8 + i,
                     v16i_or(v16i_and(next, low4), high_bit(high[i], j + 1)));
        }
    }
}

static const struct q256_form form = {
    .bytes = 176,
    .n_sub = 8,
    .quant_most = 31,
    .scale_most = 63,
    .most = 31,
    .has_min = true,
    .order = {0, 2, 1, 3, 4, 6, 5, 7},
    .header = k_header_of_32,
    .quants = quants,
    .slice = slice,
    .n_slice = 2,
};

Q_BODIES(q256, form)

/* From this many rows on the panel pays: measured with weights in DRAM. */
enum { GEMM_ROWS = 5 };

Q_FILL(q5_k, DTYPE_Q5_K, GEMM_ROWS)
