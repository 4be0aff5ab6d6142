/* The linear rules of float weights, to be read beside docs/numerics.md: one accumulator an output,
 * k ascending. */
#include <math.h>
#include <string.h>

#include "kernel/fill.h"
#include "tensor/blocks.h"

static float load_f32(const uint8_t *p) {
    float v;
    memcpy(&v, p, sizeof v);
    return v;
}

static float load_bf16(const uint8_t *p) { return f32_from_bf16((uint16_t)(p[0] | p[1] << 8)); }

/* One output of one row: a weight row and an activation row. */
typedef float dot_fn(const uint8_t *w, const uint8_t *x, int n);

static void each_output(const struct linear_args *args, dot_fn *dot) {
    for (int r = 0; r < args->n_rows; r++)
        for (int o = args->out0; o < args->out1; o++)
            args->y[(size_t)r * args->y_stride + (size_t)o] =
                dot(args->w + (size_t)o * args->w_stride, linear_x(args, r),
                    args->n_in);
}

static float dot_f32(const uint8_t *w, const uint8_t *x, int n) {
    float acc = 0;
    for (int k = 0; k < n; k++)
        acc = fmaf(load_f32(w + 4 * k), load_f32(x + 4 * k), acc);
    return acc;
}

static float dot_f16(const uint8_t *w, const uint8_t *x, int n) {
    float acc = 0;
    for (int k = 0; k < n; k++)
        acc = fmaf(block_f16(w + 2 * k), load_f32(x + 4 * k), acc);
    return acc;
}

/* Pairs, the odd element first; where n is odd the last odd element is +0 times +0. */
static float dot_bf16_f32(const uint8_t *w, const uint8_t *x, int n) {
    float acc = 0;
    for (int k = 0; k < n; k += 2) {
        bool whole = k + 1 < n;
        acc = fmaf(whole ? load_bf16(w + 2 * k + 2) : 0, whole ? load_f32(x + 4 * k + 4) : 0, acc);
        acc = fmaf(load_bf16(w + 2 * k), load_f32(x + 4 * k), acc);
    }
    return acc;
}

static float dot_bf16(const uint8_t *w, const uint8_t *x, int n) {
    float acc = 0;
    for (int k = 0; k < n; k += 2) {
        bool whole = k + 1 < n;
        acc = fmaf(whole ? load_bf16(w + 2 * k + 2) : 0, whole ? load_bf16(x + 2 * k + 2) : 0, acc);
        acc = fmaf(load_bf16(w + 2 * k), load_bf16(x + 2 * k), acc);
    }
    return acc;
}

/* ---- the slots: rows are as good alone as together, so one body serves gemv and gemm ---- */

#define BODIES(name)                                                                               \
    static void run_##name(const struct linear_args *args) { each_output(args, dot_##name); }      \
    static const struct linear_body gemv_##name = {run_##name, "gemv_" #name ".ref", NULL, 1};     \
    static const struct linear_body gemm_##name = {run_##name, "gemm_" #name ".ref", NULL, 1}

BODIES(f32);
BODIES(f16);
BODIES(bf16_f32);
BODIES(bf16);

void ref_fill_linear(struct kernel_table *table) {
#define FILL(dtype, xfmt, name)                                                                    \
    table->gemv[dtype][xfmt] = &gemv_##name;                                                       \
    table->gemm[dtype][xfmt] = &gemm_##name;                                                       \
    table->gemm_rows[dtype][xfmt] = 4
    FILL(DTYPE_F32, XFMT_F32, f32);
    FILL(DTYPE_F16, XFMT_F32, f16);
    FILL(DTYPE_BF16, XFMT_F32, bf16_f32);
    FILL(DTYPE_BF16, XFMT_BF16, bf16);
    ref_fill_linear_q(table);
    ref_fill_xconv(table);
}
