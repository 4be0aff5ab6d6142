/* Tiles of the types with blocks of 32, by AMX: each block's sums are scaled before they are added,
 * so the unit cannot add up more than a block, and works at half of its width. */
#ifndef JL_KERNEL_CPU_LINEAR_Q32_AMX_H
#define JL_KERNEL_CPU_LINEAR_Q32_AMX_H

#include "kernel/cpu/linear_q_amx.h"

/* acc[r] += sums of block b times its scale times that of the row, and the minima's part. */
SIMD_INLINE void q32_amx_chain(const struct q32_form *form, const struct q_tile *t, int first,
                               int b, int v, const amx_sums sums, v16 acc[AMX_ROWS]) {
    const uint8_t *scales = t->panel.scale + (size_t)(q32_scale_steps(form) * b) * Q_STEP + 64 * v;
    const float *scale = (const float *)(const void *)scales;
    const float *sum_rows = (const float *)(const void *)(t->aux[first] + b);
    v16 d = v16_load(scale), m = form->has_min ? v16_load(scale + Q_STEP / 4) : v16_zero();
    SIMD_UNROLL
    for (int r = 0; r < AMX_ROWS; r++) {
        v16 d_x = v16_set1(t->d[b][first + r]);
        acc[r] = v16_fma(v16_from_i32(v16i_load(sums[r])), v16_mul(d, d_x), acc[r]);
        if (!form->has_min) continue;
        v16 sum = v16_set1(sum_rows[r * (Q_PANEL_K / 16)]);
        acc[r] = v16_fma(sum, v16_mul(m, d_x), acc[r]);
    }
}

/* Products of block b of the panel, whose quants are at q. */
#define Q32_AMX_PRODUCTS(c, a, w, t, group, b, q)                                                  \
    do {                                                                                           \
        _tile_zero(c);                                                                             \
        AMX_LOAD_ROWS(a, t, group, 32 * (b));                                                      \
        _tile_loadd(w, q, Q_STEP);                                                                 \
        _tile_dpbssd(c, a, w);                                                                     \
    } while (0)

/* 16 outputs of a group of the n rows. While vectors work on the sums of a block, the unit is on
 * its way with the next. */
SIMD_INLINE void q32_amx_outputs(const struct q32_form *form, const struct q_tile *t, int group,
                                 int n, int v) {
    const uint8_t *q = t->panel.q + 64 * v;
    const int first = AMX_ROWS * group, n_block = t->panel.n_block, block = 8 * Q_STEP;
    _Alignas(64) amx_sums sums[2];
    v16 acc[AMX_ROWS];
    SIMD_UNROLL
    for (int r = 0; r < AMX_ROWS; r++)
        acc[r] = amx_chain_load(t, first + r, n, v);
    Q32_AMX_PRODUCTS(0, 4, 6, t, group, 0, q);
    _tile_stored(0, sums[0], 64);
    for (int b = 0; b < n_block; b += 2, q += 2 * block) {
        if (b + 1 < n_block) {
            Q32_AMX_PRODUCTS(1, 5, 7, t, group, b + 1, q + block);
            _tile_stored(1, sums[1], 64);
        }
        q32_amx_chain(form, t, first, b, v, sums[0], acc);
        if (b + 1 == n_block) break;
        if (b + 2 < n_block) {
            Q32_AMX_PRODUCTS(0, 4, 6, t, group, b + 2, q + 2 * block);
            _tile_stored(0, sums[0], 64);
        }
        q32_amx_chain(form, t, first, b + 1, v, sums[1], acc);
    }
    SIMD_UNROLL
    for (int r = 0; r < AMX_ROWS; r++)
        amx_chain_store(t, first + r, n, v, acc[r]);
}

SIMD_INLINE void q32_tile(const struct q32_form *form, const struct q_tile *t, int n) {
    for (int group = 0; AMX_ROWS * group < n; group++) {
        int rows = amx_group_rows(n, group);
        amx_configure(t, rows, rows, 8);
        for (int v = 0; v < Q_WIDTH; v++)
            q32_amx_outputs(form, t, group, n, v);
    }
}

#endif
