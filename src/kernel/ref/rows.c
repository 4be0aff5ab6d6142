/* Row kernels, one scalar step after another: "Row steps" of docs/numerics.md in C. */
#include <math.h>

#include "kernel/fill.h"
#include "kernel/fmath.h"
#include "kernel/norm.h"
#include "kernel/ref/lanes.h"

static void rms_norm(const struct rms_norm_args *args) {
    float lane[LANES] = {0};
    for (int i = 0; i < args->n; i++)
        lane[i % LANES] = fmaf(args->x[i], args->x[i], lane[i % LANES]);
    float scale = norm_scale(lanes_sum(lane) / (float)args->n + args->eps);
    for (int i = 0; i < args->n; i++) {
        float y = args->x[i] * scale;
        args->y[i] = args->w ? y * args->w[i] : y;
    }
}

static void rope(const struct rope_args *args) {
    int half = args->n_rot / 2;
    for (int i = 0; i < half; i++) {
        float *a = args->interleaved ? args->x + 2 * i : args->x + i;
        float *b = args->interleaved ? a + 1 : a + half;
        float cos_i = args->cs[2 * i], sin_i = args->cs[2 * i + 1];
        float a_sin = fmaf(*a, sin_i, *b * cos_i);
        *a = fmaf(*a, cos_i, -(*b * sin_i));
        *b = a_sin;
    }
}

static void silu_mul(const float *gate, const float *up, float *y, int n) {
    for (int i = 0; i < n; i++)
        y[i] = gate[i] / (1.0f + fmath_exp(-gate[i])) * up[i];
}

static void add(const float *x, float *y, int n) {
    for (int i = 0; i < n; i++)
        y[i] += x[i];
}

static void add_scaled(float a, const float *x, float *y, int n) {
    for (int i = 0; i < n; i++)
        y[i] = fmaf(a, x[i], y[i]);
}

static void sigmoid_mul(const float *gate, bool one, float *y, int n) {
    for (int i = 0; i < n; i++)
        y[i] = y[i] * (1.0f / (1.0f + fmath_exp(-gate[one ? 0 : i])));
}

static bool all_finite(const float *x, int n) {
    for (int i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

void ref_fill_rows(struct kernel_table *table) {
    table->rms_norm = rms_norm;
    table->rope = rope;
    table->silu_mul = silu_mul;
    table->add = add;
    table->add_scaled = add_scaled;
    table->sigmoid_mul = sigmoid_mul;
    table->all_finite = all_finite;
    table->row_name[KSLOT_rms_norm] = "rms_norm.ref";
    table->row_name[KSLOT_rope] = "rope.ref";
    table->row_name[KSLOT_silu_mul] = "silu_mul.ref";
    table->row_name[KSLOT_add] = "add.ref";
    table->row_name[KSLOT_add_scaled] = "add_scaled.ref";
    table->row_name[KSLOT_sigmoid_mul] = "sigmoid_mul.ref";
    table->row_name[KSLOT_all_finite] = "all_finite.ref";
}
