/* A matrix from its other side: "Sums across quant blocks" of docs/numerics.md in C. */
#include <math.h>

#include "kernel/fill.h"

/* F8_E4M3: n dequantised weights of a row, from column `out` on, times their scales. */
static void apply_scales(const struct linear_t_args *args, int row, int out, float *w, int n) {
    const float *scale = args->scale + (size_t)(row / F8_SCALE_BLOCK) * args->scale_stride;
    for (int j = 0; j < n; j++)
        w[j] *= scale[(out + j) / F8_SCALE_BLOCK];
}

/* Columns out .. out+n-1, all in the scratch at a time. */
static void columns(const struct linear_t_args *args, int out, int n) {
    const struct dtype_row *type = dtype_row(args->dtype);
    float *w = (float *)(void *)args->scratch; // (n)
    for (int i = 0; i < args->n_in; i++) {
        const uint8_t *row = args->w + (size_t)(args->row0 + i) * args->w_stride;
        dtype_dequantize(args->dtype, row + (size_t)(out / type->block) * (size_t)type->bytes, w,
                         n);
        if (args->dtype == DTYPE_F8_E4M3) apply_scales(args, args->row0 + i, out, w, n);
        for (int r = 0; r < args->n_rows; r++) {
            float x = args->x[(size_t)r * args->x_stride + (size_t)i];
            float *y = args->y + (size_t)r * args->y_stride + (size_t)out;
            for (int j = 0; j < n; j++)
                y[j] = fmaf(w[j], x, i == 0 ? 0.0f : y[j]);
        }
    }
}

static void linear_t(const struct linear_t_args *args) {
    for (int out = args->out0; out < args->out1; out += LINEAR_T_COLUMNS) {
        int left = args->out1 - out;
        columns(args, out, left < LINEAR_T_COLUMNS ? left : LINEAR_T_COLUMNS);
    }
}

void ref_fill_linear_t(struct kernel_table *table) {
    table->linear_t = linear_t;
    table->row_name[KSLOT_linear_t] = "linear_t.ref";
}
