/* Tiles of superblocks of 256, by vectors. */
#ifndef JL_KERNEL_CPU_LINEAR_Q256_TILE_H
#define JL_KERNEL_CPU_LINEAR_Q256_TILE_H

#include "kernel/cpu/linear_q256_panel.h"

SIMD_INLINE v16i q256_row_pairs(const struct q256_form *form, const struct q_tile *t,
                                const uint8_t *scale, int b, int r) {
    v16i side[Q256_PAIRS_MOST];
    q256_pairs_load(form, scale, side);
    return q256_pairs(form, side, t->aux[r] + form->n_sub / 2 * b);
}

/* Where the sum of a superblock starts. */
SIMD_INLINE void q256_start(const struct q256_form *form, const struct q_tile *t,
                            const uint8_t *scale, int b, int n, v16i total[Q_ROWS][Q_WIDTH]) {
    q_start(t, q256_folds(form) && q256_from_aux(form) ? b : -1, n, total);
    if (form->has_min || !q256_has_pairs(form)) return;
    for (int r = 0; r < n; r++)
        for (int v = 0; v < Q_WIDTH; v++) {
            v16i over = q256_row_pairs(form, t, scale + 64 * v, b, r);
            total[r][v] =
                v16i_sub(v16i_zero(), v16i_sll32(over, __builtin_ctz((unsigned)form->offset)));
        }
}

/* The minima's part of the chain. */
SIMD_INLINE void q256_chain_min(const struct q256_form *form, const struct q_tile *t,
                                const uint8_t *scale, int b, int n, v16 acc[Q_ROWS][Q_WIDTH]) {
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        v16 d_x = v16_set1(t->d[r][b]);
        SIMD_UNROLL
        for (int v = 0; v < Q_WIDTH; v++) {
            v16i minima = q256_row_pairs(form, t, scale + 64 * v, b, r);
            const float *dmin = (const float *)(const void *)(scale + Q_STEP + 64 * v);
            acc[r][v] = v16_fnma(v16_from_i32(minima), v16_mul(v16_load(dmin), d_x), acc[r][v]);
        }
    }
}

/* total[r][v] += the products of a superblock; q is where it starts. */
SIMD_INLINE void q256_products(const struct q256_form *form, const struct q_tile *t,
                               const uint8_t *q, const uint8_t *scale, int b, int n,
                               v16i total[Q_ROWS][Q_WIDTH]) {
    int steps = 64 / form->n_sub, run = q_run_steps(form->most, steps);
    q_dot_fn *dot = form->is_signed ? q_signed_sub_dot : q_sub_dot;
    for (int j = 0; j < form->n_sub; j++) {
        SIMD_UNROLL
        for (int i = 0; i < steps; i += run, q += run * Q_STEP) {
            v16i sub[Q_ROWS][Q_WIDTH];
            int k = 256 * b + 4 * (steps * j + i);
            if (q256_folds(form)) {
                q_products(t, q, k, run, n, dot, total);
                continue;
            }
            q_start(t, q256_from_aux(form) ? form->n_sub * b + j : -1, n, sub);
            q_products(t, q, k, run, n, dot, sub);
            q_scale_sums(scale + (q256_step_scale(form) + j) * Q_STEP, n, sub, total);
        }
    }
}

SIMD_INLINE void q256_tile(const struct q256_form *form, const struct q_tile *t, int n) {
    const uint8_t *q = t->panel.q, *scale = t->panel.scale;
    v16 acc[Q_ROWS][Q_WIDTH];
    q_acc_load(t, n, acc);
    for (int b = 0; b < t->panel.n_block; b++) {
        v16i total[Q_ROWS][Q_WIDTH];
        q256_start(form, t, scale, b, n, total);
        q256_products(form, t, q, scale, b, n, total);
        q_chain(t, scale, b, n, total, acc);
        if (form->has_min) q256_chain_min(form, t, scale, b, n, acc);
        q += 64 * Q_STEP;
        scale += q256_scale_steps(form) * Q_STEP;
    }
    q_acc_store(t, n, acc);
}

#endif
