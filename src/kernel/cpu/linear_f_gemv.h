/* A few rows of x by float weights: 16 weight rows become lanes in registers and are dropped after
 * use. */
#ifndef JL_KERNEL_CPU_LINEAR_F_GEMV_H
#define JL_KERNEL_CPU_LINEAR_F_GEMV_H

#include "kernel/cpu/columns_f8.h"
#include "kernel/cpu/linear_f.h"

#define GEMV_ROWS 4

struct gemv_place {
    const uint8_t *x[GEMV_ROWS];
    int k; // first element of the block
};

/* A pair of elements of each lane, of which only the even one may exist. */
SIMD_INLINE void chain_floats(v16 even, v16 odd, bool whole, const struct gemv_place *at, int k,
                              int rows, v16 acc[GEMV_ROWS]) {
    COLUMNS_UNROLL
    for (int r = 0; r < rows; r++) {
        acc[r] = v16_fma(odd, whole ? v16_set1(x_at(at->x[r], k + 1)) : v16_zero(), acc[r]);
        acc[r] = v16_fma(even, v16_set1(x_at(at->x[r], k)), acc[r]);
    }
}

/* chain_column for weights of F8: two pairs a lane. */
SIMD_INLINE void chain_f8(enum kind kind, v16i column, const struct gemv_place *at, int j, int n,
                          int rows, v16 acc[GEMV_ROWS]) {
    bool special = f8_special(column);
    COLUMNS_UNROLL
    for (int h = 0; h < 2; h++) {
        if (2 * h >= n) continue;
        int k = at->k + 4 * j + 2 * h;
#if !SIMD_SPLITS_PAIRS
        if (kind == KIND_F8) {
            v16i w = special ? f8_any_pair(column, h) : f8_normal_pair(column, h);
            COLUMNS_UNROLL
            for (int r = 0; r < rows; r++) {
                const uint16_t *pair = (const uint16_t *)(const void *)(at->x[r] + 2 * (size_t)k);
                acc[r] = v16_dpbf16(acc[r], w, v16i_set1_pair(pair));
            }
            continue;
        }
#endif
        v16 even = special ? f8_any(column, 2 * h) : f8_normal(column, 2 * h);
        v16 odd = special ? f8_any(column, 2 * h + 1) : f8_normal(column, 2 * h + 1);
        if (kind == KIND_F8_F32) {
            chain_floats(even, odd, 2 * h + 1 < n, at, k, rows, acc);
            continue;
        }
        COLUMNS_UNROLL
        for (int r = 0; r < rows; r++) {
            const uint16_t *pair = (const uint16_t *)(const void *)(at->x[r] + 2 * (size_t)k);
            v16i x = v16i_set1_pair(pair);
            acc[r] = v16_fma(odd, v16_pair_odd(x), acc[r]);
            acc[r] = v16_fma(even, v16_pair_even(x), acc[r]);
        }
    }
}

/* The chains of `rows` rows of x over one dword column of weights, of which n elements exist. */
SIMD_INLINE void chain_column(enum kind kind, v16i column, const struct gemv_place *at, int j,
                              int n, int rows, v16 acc[GEMV_ROWS]) {
    int k = at->k + (kind == KIND_F32 ? j : 2 * j);
    bool whole = n > 1;
    if (is_scaled(kind)) {
        chain_f8(kind, column, at, j, n, rows, acc);
        return;
    }
    if (kind == KIND_BF16) {
        COLUMNS_UNROLL
        for (int r = 0; r < rows; r++) {
            const uint16_t *pair = (const uint16_t *)(const void *)(at->x[r] + 2 * (size_t)k);
            acc[r] = v16_dpbf16(acc[r], column, v16i_set1_pair(pair));
        }
        return;
    }
    v16 even, odd;
    if (kind == KIND_F32) {
        even = columns_f32(column);
    } else if (kind == KIND_F16) {
        columns_f16(column, &even, &odd);
    } else {
        even = v16_pair_even(column);
        odd = v16_pair_odd(column);
    }
    if (kind == KIND_BF16_F32) {
        chain_floats(even, odd, whole, at, k, rows, acc);
        return;
    }
    COLUMNS_UNROLL
    for (int r = 0; r < rows; r++) {
        acc[r] = v16_fma(even, v16_set1(x_at(at->x[r], k)), acc[r]);
        if (kind == KIND_F16 && whole)
            acc[r] = v16_fma(odd, v16_set1(x_at(at->x[r], k + 1)), acc[r]);
    }
}

/* The last block of a row, or any block of fewer than 16 outputs: n elements of `present` outputs.
 * Out of line: speed and its many copies matter little here. */
static __attribute__((noinline)) void chain_edge(enum kind kind, const uint8_t *w, size_t w_stride,
                                                 int present, const struct gemv_place *at, int n,
                                                 int rows, v16 acc[GEMV_ROWS]) {
    v16i column[COLUMNS];
    int per = 4 / weight_bytes(kind);
    columns_load_edge(w, w_stride, present, n * weight_bytes(kind), column);
    for (int j = 0; j * per < n; j++)
        chain_column(kind, column[j], at, j, n - j * per, rows, acc);
}

/* Ends the chains of a block of k that shares a scale: one step of the outer ones. */
SIMD_INLINE void chain_fold(const struct linear_args *args, int o, int k, int rows,
                            v16 acc[GEMV_ROWS], v16 total[GEMV_ROWS]) {
    v16 scale = scales_at(args, o, k);
    COLUMNS_UNROLL
    for (int r = 0; r < rows; r++) {
        total[r] = v16_fma(acc[r], scale, total[r]);
        acc[r] = v16_zero();
    }
}

/* `groups` times 16 outputs from o on, of which the last may lack some, for `rows` rows of x. What
 * follows in memory is fetched into the second cache meanwhile, line after line: the rows of one
 * group of outputs are too many streams, and too much for the first cache. */
SIMD_INLINE void gemv_outputs(enum kind kind, const struct linear_args *args, int row0, int rows,
                              int o, int groups, int outputs) {
    struct gemv_place at = {.k = 0};
    for (int r = 0; r < rows; r++)
        at.x[r] = linear_x(args, row0 + r);
    const uint8_t *w = args->w + (size_t)o * args->w_stride;
    const uint8_t *ahead = w + 16 * (size_t)groups * args->w_stride; // the outputs after these
    size_t group_stride = 16 * args->w_stride;
    int block = COLUMN_BYTES / weight_bytes(kind); // elements
    int whole = outputs < 16 * groups ? 0 : args->n_in - args->n_in % block;
    v16 acc[2][GEMV_ROWS], total[2][GEMV_ROWS]; // total: where there are scales
    for (int g = 0; g < groups; g++)
        for (int r = 0; r < rows; r++)
            acc[g][r] = total[g][r] = v16_zero();
    for (; at.k < whole; at.k += block, w += COLUMN_BYTES) {
        COLUMNS_UNROLL
        for (int g = 0; g < groups; g++) {
            COLUMNS_UNROLL
            for (int line = 0; line < 16 * COLUMN_BYTES; line += 64)
                SIMD_PREFETCH(ahead + line);
            ahead += 16 * COLUMN_BYTES;
            v16i column[COLUMNS];
            columns_load(w + (size_t)g * group_stride, args->w_stride, column);
            COLUMNS_UNROLL
            for (int j = 0; j < COLUMNS; j++)
                chain_column(kind, column[j], &at, j, block, rows, acc[g]);
            if (is_scaled(kind) && (at.k + block) % F8_SCALE_BLOCK == 0)
                chain_fold(args, o + 16 * g, at.k, rows, acc[g], total[g]);
        }
    }
    for (; at.k < args->n_in; at.k += block, w += COLUMN_BYTES)
        for (int g = 0; g < groups; g++) {
            int n = args->n_in - at.k < block ? args->n_in - at.k : block;
            int present = outputs - 16 * g < 16 ? outputs - 16 * g : 16;
            chain_edge(kind, w + (size_t)g * group_stride, args->w_stride, present, &at, n, rows,
                       acc[g]);
            bool ends = (at.k + n) % F8_SCALE_BLOCK == 0 || at.k + n == args->n_in;
            if (is_scaled(kind) && ends) chain_fold(args, o + 16 * g, at.k, rows, acc[g], total[g]);
        }
    if (is_scaled(kind) && whole == args->n_in && whole % F8_SCALE_BLOCK)
        for (int g = 0; g < groups; g++)
            chain_fold(args, o + 16 * g, whole - 1, rows, acc[g], total[g]);
    for (int g = 0; g < groups; g++) {
        int present = outputs - 16 * g < 16 ? outputs - 16 * g : 16;
        for (int r = 0; r < rows; r++)
            v16_store_n(args->y + (size_t)(row0 + r) * args->y_stride + o + 16 * g,
                        is_scaled(kind) ? total[g][r] : acc[g][r], present);
    }
}

SIMD_INLINE void gemv_rows(enum kind kind, const struct linear_args *args, int row0, int rows) {
    int o = args->out0;
    if (rows == 1)
        for (; o + 32 <= args->out1; o += 32)
            gemv_outputs(kind, args, row0, rows, o, 2, 32);
    for (; o < args->out1; o += 16)
        gemv_outputs(kind, args, row0, rows, o, 1, args->out1 - o < 16 ? args->out1 - o : 16);
}

SIMD_INLINE void gemv(enum kind kind, const struct linear_args *args) {
    for (int row = 0; row < args->n_rows; row += GEMV_ROWS) {
        int rows = args->n_rows - row;
        if (rows == 1) gemv_rows(kind, args, row, 1);
        if (rows == 2) gemv_rows(kind, args, row, 2);
        if (rows == 3) gemv_rows(kind, args, row, 3);
        if (rows >= 4) gemv_rows(kind, args, row, 4);
    }
}

#endif
