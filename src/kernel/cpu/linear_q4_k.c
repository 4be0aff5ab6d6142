/* Linear steps of Q4_K weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_k.h"
#include "kernel/fill.h"
#include "tensor/blocks_k.h"

SIMD_INLINE v16i quants(const uint8_t *block, int c) {
    v16i q = v16i_load(block + Q4_K_Q + c / 2 * 64);
    return v16i_and(c % 2 ? v16i_srl16(q, 4) : q, v16i_set8(15));
}

/* 16 bytes of each row: a half of two sub-blocks. */
SIMD_INLINE void slice(const struct q256_form *form, const struct q256_slice *s, int c) {
    const v16i low4 = v16i_set8(15);
    v16i column[4];
    q_columns(s->rows, s->at + Q4_K_Q + 16 * (size_t)c, column);
    int step = c / 2 * 16 + c % 2 * 4;
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        q256_put(form, s, step + i, v16i_and(column[i], low4));
        q256_put(form, s, step + 8 + i, v16i_and(v16i_srl16(column[i], 4), low4));
    }
}

static const struct q256_form form = {
    .bytes = 144,
    .n_sub = 8,
    .quant_most = 15,
    .scale_most = 63,
    .most = 15,
    .has_min = true,
    .order = {0, 2, 1, 3, 4, 6, 5, 7},
    .header = k_header_of_32,
    .quants = quants,
    .slice = slice,
    .n_slice = 8,
};

Q_BODIES(q256, form)

/* From this many rows on the panel pays: measured with weights in DRAM. */
#if defined(JINLIN_LEVEL_AVX512)
enum { GEMM_ROWS = 5 };
#else
enum { GEMM_ROWS = 4 };
#endif

Q_FILL(q4_k, DTYPE_Q4_K, GEMM_ROWS)
