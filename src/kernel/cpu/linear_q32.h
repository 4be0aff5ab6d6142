/* The frame of the types with blocks of 32: a type says how a block of 16 weight rows unpacks, and
 * gemv, panels and tiles follow.
 *
 * Outputs are lanes throughout: vector i of a block holds elements 4i .. 4i+3 of 16 rows, four
 * bytes a lane. */
#ifndef JL_KERNEL_CPU_LINEAR_Q32_H
#define JL_KERNEL_CPU_LINEAR_Q32_H

#include "kernel/cpu/linear_q_gemm.h"

/* A block of 16 rows. */
struct q32_block {
    v16i w[8];
    v16 d, m; // m: with has_min
};

/* Constant in each file, so that everything it decides is decided by the compiler. */
struct q32_form {
    int bytes;      // of a block
    int most;       // quants are stored as 0 .. most, `offset` higher than they count
    int offset;     //
    bool is_signed; // quants are int8 (most is 128, offset 0)
    bool has_min;
    void (*unpack)(const struct q_rows *rows, size_t at, struct q32_block *out);
};

SIMD_INLINE int q32_offset(const struct q32_form *form) {
    return form->is_signed ? Q_SIGNED_BIAS : Q_SIGNED_PANELS ? 0 : form->offset;
}

/* The dwords at `at` of 16 rows. They meet in memory: words put together in a register would keep
 * the shuffle units busy, which columns need. */
SIMD_INLINE v16i q32_dwords(const struct q_rows *rows, size_t at) {
    int32_t lane[16];
    SIMD_UNROLL
    for (int i = 0; i < 8; i++) {
        lane[i] = q_load_i32(rows->p[i] + at);
        lane[i + 8] = q_load_i32(rows->p[i + 8] + at);
    }
    return v16i_load(lane);
}

/* The f16 at `at` of 16 rows, which two bytes follow. */
SIMD_INLINE v16 q_f16_at(const struct q_rows *rows, size_t at) {
    return v16_from_f16_low(q32_dwords(rows, at));
}

/* The first and the second f16 of each of 16 rows from `at` on. */
SIMD_INLINE void q32_two_f16(const struct q_rows *rows, size_t at, v16 *first, v16 *second) {
    v16i both = q32_dwords(rows, at);
    *first = v16_from_f16_low(both);
    *second = v16_from_f16_low(v16i_srl32(both, 16));
}

/* Two dwords of each of 16 rows from `at` on, in the order that a shuffle within quarters undoes.
 */
SIMD_INLINE void q32_two_dwords(const struct q_rows *rows, size_t at, v16i *first, v16i *second) {
    uint64_t pair[2][8];
    SIMD_UNROLL
    for (int i = 0; i < 8; i++) {
        int row = i / 2 * 4 + i % 2;
        memcpy(&pair[0][i], rows->p[row] + at, 8);
        memcpy(&pair[1][i], rows->p[row + 2] + at, 8);
    }
    v16i a = v16i_load(pair[0]), b = v16i_load(pair[1]);
    *first = v16i_even32(a, b);
    *second = v16i_odd32(a, b);
}

/* 16 bytes of nibbles: elements 0 .. 15 are the low ones, 16 .. 31 the high ones. */
SIMD_INLINE void q32_nibbles(const struct q_rows *rows, size_t at, v16i w[8]) {
    const v16i low4 = v16i_set8(15);
    v16i column[4];
    q_columns(rows, at, column);
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        w[i] = v16i_and(column[i], low4);
        w[4 + i] = v16i_and(v16i_srl16(column[i], 4), low4);
    }
}

/* The fifth bits of 32 elements, bit k of a lane that of element k. */
SIMD_INLINE void q32_fifth_bits(v16i high, v16i w[8]) {
    const v16i even = v16i_set1(0x08040201), odd = v16i_set1((int32_t)0x80402010u);
    SIMD_UNROLL
    for (int i = 0; i < 8; i += 2) { // byte i/2 holds the bits of two vectors
        const int byte = i / 2 * 0x01010101;
        const v16i at = v16i_load_16x4(
            (const int32_t[4]){byte, byte + 0x04040404, byte + 0x08080808, byte + 0x0c0c0c0c});
        v16i chosen = v16i_shuffle8(high, at);
        w[i] = v16i_add_bit4(w[i], chosen, even);
        w[i + 1] = v16i_add_bit4(w[i + 1], chosen, odd);
    }
}

/* One block of 16 rows against one activation row. */
SIMD_INLINE v16i q32_sum(const struct q32_form *form, const v16i w[8], const uint8_t *x, int sum) {
    v16i total = v16i_set1(-q32_offset(form) * sum);
#if SIMD_DOTS
    SIMD_UNROLL
    for (int i = 0; i < 8; i++)
        total = q_sub_dot(total, w[i], v16i_set1(q_load_i32(x + 4 * i)));
#else
    int run = q_run_steps(form->most, 8);
    SIMD_UNROLL
    for (int i = 0; i < 8; i += run) {
        v16i part = v16i_zero();
        SIMD_UNROLL
        for (int k = i; k < i + run; k++) {
            v16i quad = v16i_set1(q_load_i32(x + 4 * k));
            part =
                form->is_signed ? q_signed_sub_dot(part, w[k], quad) : q_sub_dot(part, w[k], quad);
        }
        total = v16i_dot16(total, part, v16i_set1(0x00010001));
    }
#endif
    return total;
}

SIMD_INLINE void q32_gemv(const struct q32_form *form, const struct linear_args *args, int o,
                          int r0, int n) {
    const struct xrow_layout layout = xrow_layout(XFMT_Q8_32, args->n_in);
    const struct q_rows rows = q_rows_at(args, o, 0);
    const uint8_t *next = rows.next;
    const uint8_t *x[4];
    v16 acc[4];
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        x[r] = linear_x(args, r0 + r);
        acc[r] = v16_zero();
    }
    for (int b = 0; b < args->n_in / 32; b++) {
        struct q32_block w;
        q_prefetch(&next, 16 * form->bytes);
        form->unpack(&rows, (size_t)b * (size_t)form->bytes, &w);
        SIMD_UNROLL
        for (int r = 0; r < n; r++) {
            const int16_t *sums = (const int16_t *)(const void *)(x[r] + layout.sum_at) + 2 * b;
            v16 d_x = v16_set1(((const float *)(const void *)(x[r] + layout.d_at))[b]);
            int sum = sums[0] + sums[1];
            v16i total = q32_sum(form, w.w, x[r] + 32 * b, sum);
            acc[r] = v16_fma(v16_from_i32(total), v16_mul(w.d, d_x), acc[r]);
            if (form->has_min) acc[r] = v16_fma(v16_set1((float)sum), v16_mul(w.m, d_x), acc[r]);
        }
    }
    SIMD_UNROLL
    for (int r = 0; r < n; r++)
        v16_store_n(args->y + (size_t)(r0 + r) * args->y_stride + o, acc[r], q_lanes(args, o));
}

/* ---- many rows: steps of a block's scales in the panel are d and, with has_min, m ---- */

SIMD_INLINE int q32_scale_steps(const struct q32_form *form) { return form->has_min ? 2 : 1; }

SIMD_INLINE v16i q32_panel_quants(const struct q32_form *form, v16i w) {
    if (form->is_signed) return q_signed(w);
    return Q_SIGNED_PANELS ? v16i_sub8(w, v16i_set8((unsigned)form->offset)) : w;
}

SIMD_INLINE void q32_panel(const struct q32_form *form, const struct q_rows *rows,
                           const struct q_panel *p, int vec) {
    const uint8_t *next = rows->next;
    int steps = q32_scale_steps(form);
    for (int b = 0; b < p->n_block; b++) {
        struct q32_block w;
        q_prefetch(&next, 16 * form->bytes);
        form->unpack(rows, (size_t)b * (size_t)form->bytes, &w);
        SIMD_UNROLL
        for (int i = 0; i < 8; i++)
            q_put(p->q, 8 * b + i, vec, q32_panel_quants(form, w.w[i]));
        q_put(p->scale, steps * b, vec, v16_bits(w.d));
        if (form->has_min) q_put(p->scale, steps * b + 1, vec, v16_bits(w.m));
    }
}

/* aux: with has_min the sum of the block's activations as a float, else what the offset adds. */
SIMD_INLINE void q32_prepare(const struct q32_form *form, const struct q_tile *t, int n) {
    int factor = form->has_min ? 1 : -q32_offset(form);
    const v16i factors = v16i_set1((int32_t)((uint32_t)(uint16_t)factor * 0x10001u));
    if (factor == 0) return;
    for (int r = 0; r < n; r++)
        for (int b = 0; b < t->panel.n_block; b += 16) {
            int left = t->panel.n_block - b, lanes = left < 16 ? left : 16;
            v16i sums = v16i_load_n(t->sum[r] + 2 * b, lanes);
            sums = v16i_dot16(v16i_zero(), sums, factors);
            v16i_store(t->aux[r] + b, form->has_min ? v16_bits(v16_from_i32(sums)) : sums);
        }
}

#if defined(JINLIN_LEVEL_AMX)
#include "kernel/cpu/linear_q32_amx.h"
#else

/* The minima's part of the chain. */
SIMD_INLINE void q32_chain_min(const struct q_tile *t, const uint8_t *scale, int b, int n,
                               v16 acc[Q_ROWS][Q_WIDTH]) {
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        v16 d_x = v16_set1(t->d[r][b]), sum = v16_set1(((const float *)(const void *)t->aux[r])[b]);
        SIMD_UNROLL
        for (int v = 0; v < Q_WIDTH; v++) {
            const float *m = (const float *)(const void *)(scale + Q_STEP + 64 * v);
            acc[r][v] = v16_fma(sum, v16_mul(v16_load(m), d_x), acc[r][v]);
        }
    }
}

/* total[r][v] += the products of a block. */
SIMD_INLINE void q32_products(const struct q32_form *form, const struct q_tile *t, const uint8_t *q,
                              int b, int n, v16i total[Q_ROWS][Q_WIDTH]) {
    q_dot_fn *dot = form->is_signed ? q_signed_sub_dot : q_sub_dot;
#if SIMD_DOTS
    q_products(t, q, 32 * b, 8, n, dot, total);
#else
    int run = q_run_steps(form->most, 8);
    SIMD_UNROLL
    for (int i = 0; i < 8; i += run) {
        v16i part[Q_ROWS][Q_WIDTH];
        q_start(t, -1, n, part);
        q_products(t, q + i * Q_STEP, 32 * b + 4 * i, run, n, dot, part);
        SIMD_UNROLL
        for (int r = 0; r < n; r++)
            total[r][0] = v16i_settle(v16i_dot16(total[r][0], part[r][0], v16i_set1(0x00010001)));
    }
#endif
}

SIMD_INLINE void q32_tile(const struct q32_form *form, const struct q_tile *t, int n) {
    const uint8_t *q = t->panel.q, *scale = t->panel.scale;
    bool from_aux = !form->has_min && q32_offset(form) != 0;
    v16 acc[Q_ROWS][Q_WIDTH];
    q_acc_load(t, n, acc);
    for (int b = 0; b < t->panel.n_block; b++) {
        v16i total[Q_ROWS][Q_WIDTH];
        q_start(t, from_aux ? b : -1, n, total);
        q32_products(form, t, q, b, n, total);
        q_chain(t, scale, b, n, total, acc);
        if (form->has_min) q32_chain_min(t, scale, b, n, acc);
        q += 8 * Q_STEP;
        scale += q32_scale_steps(form) * Q_STEP;
    }
    q_acc_store(t, n, acc);
}

#endif

SIMD_INLINE struct q_type q32_type(const struct q32_form *form) {
    return (struct q_type){
        .xfmt = XFMT_Q8_32,
        .block = 32,
        .block_bytes = form->bytes,
        .scale_steps = q32_scale_steps(form),
        .planes = 1,
    };
}

#endif
