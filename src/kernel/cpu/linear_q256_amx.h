/* Tiles of superblocks of 256, by AMX.
 *
 * The panel holds products of quants with digits of their sub-scales (q256_digits), so that the
 * unit adds up whole superblocks; the sums of the digits' planes are put together once for 256
 * elements. Two groups of rows by two vectors of outputs share what is loaded: a panel does not
 * come from the second cache faster than one group would want it. */
#ifndef JL_KERNEL_CPU_LINEAR_Q256_AMX_H
#define JL_KERNEL_CPU_LINEAR_Q256_AMX_H

#include "kernel/cpu/linear_q256_panel.h"
#include "kernel/cpu/linear_q_amx.h"

/* What passes between the unit and the vectors: sums by plane, and chains. */
struct q256_amx_work {
    _Alignas(64) amx_sums sums[Q256_PLANES_MOST][AMX_GROUPS][Q_WIDTH];
    _Alignas(64) float acc[AMX_GROUPS][Q_WIDTH][AMX_ROWS][16];
};

/* 64 elements from k on, their weights at w. */
#define Q256_AMX_STEP(dot, t, both, k, w)                                                          \
    do {                                                                                           \
        AMX_LOAD_ROWS(4, t, 0, k);                                                                 \
        _tile_loadd(6, w, Q_STEP);                                                                 \
        dot(0, 4, 6);                                                                              \
        _tile_loadd(7, (w) + 64, Q_STEP);                                                          \
        dot(1, 4, 7);                                                                              \
        if (both) {                                                                                \
            AMX_LOAD_ROWS(5, t, 1, k);                                                             \
            dot(2, 5, 6);                                                                          \
            dot(3, 5, 7);                                                                          \
        }                                                                                          \
    } while (0)

/* The sums of plane p of superblock b, whose weights are at w; of one group of rows or both. */
SIMD_INLINE void q256_amx_plane(const struct q256_digits *digits, const struct q_tile *t, bool both,
                                int b, int p, const uint8_t *w, struct q256_amx_work *work) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int k = 256 * b; k < 256 * (b + 1); k += 64, w += 16 * Q_STEP) {
        if (digits->step)
            Q256_AMX_STEP(_tile_dpbssd, t, both, k, w);
        else
            Q256_AMX_STEP(_tile_dpbsud, t, both, k, w);
    }
    _tile_stored(0, work->sums[p][0][0], 64);
    _tile_stored(1, work->sums[p][0][1], 64);
    if (!both) return;
    _tile_stored(2, work->sums[p][1][0], 64);
    _tile_stored(3, work->sums[p][1][1], 64);
}

/* acc[r] += the superblock's sums times its factor times that of the row; less the minima's part.
 */
SIMD_INLINE void q256_amx_chain(const struct q256_form *form, const struct q256_digits *digits,
                                const struct q_tile *t, const uint8_t *scale, int b, int group,
                                int v, struct q256_amx_work *work) {
    const float *d_rows = t->d[b] + AMX_ROWS * group;
    const int32_t *aux_rows = t->aux[AMX_ROWS * group];
    float(*acc)[16] = work->acc[group][v];
    v16 d = v16_load((const float *)(const void *)(scale + 64 * v)), dmin = v16_zero();
    v16i side[Q256_PAIRS_MOST];
    if (form->has_min) dmin = v16_load((const float *)(const void *)(scale + Q_STEP + 64 * v));
    q256_pairs_load(form, scale + 64 * v, side);
    SIMD_UNROLL
    for (int r = 0; r < AMX_ROWS; r++, aux_rows += Q_PANEL_K / 16) {
        v16 d_x = v16_set1(d_rows[r]);
        v16i sum = v16i_load(work->sums[digits->n - 1][group][v][r]);
        for (int p = digits->n - 2; p >= 0; p--)
            sum = v16i_add32(q256_times_base(digits, sum), v16i_load(work->sums[p][group][v][r]));
        if (q256_from_aux(form)) sum = v16i_add32(sum, v16i_set1(aux_rows[b]));
        v16 chain = v16_fma(v16_from_i32(sum), v16_mul(d, d_x), v16_load(acc[r]));
        if (form->has_min) {
            v16i minima = q256_pairs(form, side, aux_rows + form->n_sub / 2 * b);
            chain = v16_fnma(v16_from_i32(minima), v16_mul(dmin, d_x), chain);
        }
        v16_store(acc[r], chain);
    }
}

SIMD_INLINE void q256_tile(const struct q256_form *form, const struct q_tile *t, int n) {
    const struct q256_digits digits = q256_digits(form);
    const uint8_t *q = t->panel.q, *scale = t->panel.scale;
    const bool both = n > AMX_ROWS;
    struct q256_amx_work work;
    amx_configure(t, amx_group_rows(n, 0), both ? amx_group_rows(n, 1) : 1, 16);
    for (int group = 0; group <= both; group++)
        for (int v = 0; v < Q_WIDTH; v++)
            for (int r = 0; r < AMX_ROWS; r++)
                v16_store(work.acc[group][v][r], amx_chain_load(t, AMX_ROWS * group + r, n, v));
    for (int b = 0; b < t->panel.n_block; b++) {
        for (int p = 0; p < digits.n; p++, q += 64 * Q_STEP)
            q256_amx_plane(&digits, t, both, b, p, q, &work);
        for (int group = 0; group <= both; group++)
            for (int v = 0; v < Q_WIDTH; v++)
                q256_amx_chain(form, &digits, t, scale, b, group, v, &work);
        scale += q256_scale_steps(form) * Q_STEP;
    }
    for (int group = 0; group <= both; group++)
        for (int v = 0; v < Q_WIDTH; v++)
            for (int r = 0; r < AMX_ROWS; r++)
                amx_chain_store(t, AMX_ROWS * group + r, n, v, v16_load(work.acc[group][v][r]));
}

#endif
