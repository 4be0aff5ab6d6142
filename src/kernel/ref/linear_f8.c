/* The linear rule of F8_E4M3 weights: docs/numerics.md. The BF16 pair rule over each block of k,
 * then one step that brings in the block's scale. */
#include <math.h>
#include <string.h>

#include "kernel/fill.h"
#include "tensor/xrow.h"

static float x_at(enum xfmt xfmt, const uint8_t *x, int k) {
    float value;
    uint16_t half;
    if (xfmt == XFMT_BF16) {
        memcpy(&half, x + 2 * (size_t)k, sizeof half);
        return f32_from_bf16(half);
    }
    memcpy(&value, x + 4 * (size_t)k, sizeof value);
    return value;
}

/* Elements k .. end-1, the odd one of a pair first; a missing odd element is +0 times +0. */
static float dot_block(enum xfmt xfmt, const uint8_t *w, const uint8_t *x, int k, int end) {
    float acc = 0;
    for (; k < end; k += 2) {
        bool whole = k + 1 < end;
        acc = fmaf(whole ? f32_from_f8_e4m3(w[k + 1]) : 0, whole ? x_at(xfmt, x, k + 1) : 0, acc);
        acc = fmaf(f32_from_f8_e4m3(w[k]), x_at(xfmt, x, k), acc);
    }
    return acc;
}

static void each_output(enum xfmt xfmt, const struct linear_args *args) {
    for (int r = 0; r < args->n_rows; r++)
        for (int o = args->out0; o < args->out1; o++) {
            const uint8_t *w = args->w + (size_t)o * args->w_stride;
            const uint8_t *x = linear_x(args, r);
            const float *scale = args->scale + (size_t)(o / F8_SCALE_BLOCK) * args->scale_stride;
            float acc = 0;
            for (int k = 0; k < args->n_in; k += F8_SCALE_BLOCK) {
                int end = args->n_in - k < F8_SCALE_BLOCK ? args->n_in : k + F8_SCALE_BLOCK;
                acc = fmaf(dot_block(xfmt, w, x, k, end), scale[k / F8_SCALE_BLOCK], acc);
            }
            args->y[(size_t)r * args->y_stride + (size_t)o] = acc;
        }
}

static void run_f32(const struct linear_args *args) { each_output(XFMT_F32, args); }
static void run_bf16(const struct linear_args *args) { each_output(XFMT_BF16, args); }

void ref_fill_linear_f8(struct kernel_table *table) {
    static const struct linear_body bodies[] = {
        {run_f32, "gemv_f8_f32.ref", NULL, 1},
        {run_f32, "gemm_f8_f32.ref", NULL, 1},
        {run_bf16, "gemv_f8.ref", NULL, 1},
        {run_bf16, "gemm_f8.ref", NULL, 1},
    };
    table->gemv[DTYPE_F8_E4M3][XFMT_F32] = &bodies[0];
    table->gemm[DTYPE_F8_E4M3][XFMT_F32] = &bodies[1];
    table->gemv[DTYPE_F8_E4M3][XFMT_BF16] = &bodies[2];
    table->gemm[DTYPE_F8_E4M3][XFMT_BF16] = &bodies[3];
    table->gemm_rows[DTYPE_F8_E4M3][XFMT_F32] = table->gemm_rows[DTYPE_F8_E4M3][XFMT_BF16] = 4;
}
