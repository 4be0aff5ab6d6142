/* Optimizers and transposed copies, one element after another. */
#include <math.h>
#include <stdint.h>

#include "kernel/fill.h"
#include "kernel/grad.h"

static void adamw(const struct adamw_args *args) {
    float keep1 = 1.0f - args->beta1, keep2 = 1.0f - args->beta2;
    for (size_t i = 0; i < args->n; i++) {
        float g = args->clip * args->grad[i];
        float m = fmaf(keep1, g - args->m[i], args->m[i]);
        float v = fmaf(keep2, fmaf(g, g, -args->v[i]), args->v[i]);
        float step = m * args->fix1 / (__builtin_sqrtf(v * args->fix2) + args->eps);
        args->m[i] = m;
        args->v[i] = v;
        args->w[i] = fmaf(-args->rate, fmaf(args->decay, args->w[i], step), args->w[i]);
    }
}

static void transpose_f32(const struct transpose_args *args) {
    const float *x = args->x;
    float *y = args->y;
    for (int c = 0; c < args->cols; c++)
        for (int r = 0; r < args->rows; r++)
            y[(size_t)c * args->y_stride + (size_t)r] = x[(size_t)r * args->x_stride + (size_t)c];
}

static void transpose_bf16(const struct transpose_args *args) {
    const uint16_t *x = args->x;
    for (int c = 0; c < args->cols; c++) {
        uint16_t *y = (uint16_t *)args->y + (size_t)c * args->y_stride;
        for (int r = 0; r < args->rows; r++)
            y[r] = x[(size_t)r * args->x_stride + (size_t)c];
        if (args->rows % 2) y[args->rows] = 0;
    }
}

void ref_fill_optim(struct kernel_table *table) {
#define FILL(slot)                                                                                 \
    table->slot = slot;                                                                            \
    table->row_name[KSLOT_##slot] = #slot ".ref"
    FILL(adamw);
    FILL(transpose_f32);
    FILL(transpose_bf16);
#undef FILL
}
