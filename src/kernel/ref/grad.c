/* The backward pass's row kernels, one scalar step after another: "Training" of docs/numerics.md in
 * C. */
#include "kernel/grad.h"

#include <math.h>

#include "kernel/fill.h"
#include "kernel/fmath.h"
#include "kernel/norm.h"
#include "kernel/ref/lanes.h"

static float dot(const float *x, const float *y, int n) {
    float lane[LANES] = {0};
    for (int i = 0; i < n; i++)
        lane[i % LANES] = fmaf(x[i], y[i], lane[i % LANES]);
    return lanes_sum(lane);
}

static float rms_norm_grad(const struct rms_norm_grad_args *args) {
    float n = (float)args->n, lane[LANES] = {0};
    float s = norm_scale(dot(args->x, args->x, args->n) / n + args->eps);
    for (int i = 0; i < args->n; i++) {
        float g = args->w ? args->dy[i] * args->w[i] : args->dy[i];
        lane[i % LANES] = fmaf(g, args->x[i], lane[i % LANES]);
    }
    float along = lanes_sum(lane) / n * s * s; // how much of dy only makes the row longer
    for (int i = 0; i < args->n; i++) {
        float g = args->w ? args->dy[i] * args->w[i] : args->dy[i];
        args->dx[i] = fmaf(-args->x[i], along, g) * s;
    }
    return s;
}

static void norm_weight_grad(float s, const float *x, const float *dy, float *dw, int n) {
    for (int i = 0; i < n; i++)
        dw[i] = fmaf(dy[i], x[i] * s, dw[i]);
}

static float sigmoid(float x) { return 1.0f / (1.0f + fmath_exp(-x)); }

/* silu' = s * (1 + x * (1 - s)) */
static void silu_mul_grad(const struct silu_mul_grad_args *args) {
    for (int i = 0; i < args->n; i++) {
        float x = args->gate[i], dy = args->dy[i], s = sigmoid(x);
        float slope = s * fmaf(x, 1.0f - s, 1.0f), up = args->up[i];
        args->dup[i] = dy * (x * s);
        args->dgate[i] = dy * up * slope;
    }
}

static void sigmoid_mul_grad(const struct sigmoid_mul_grad_args *args) {
    float lane[LANES] = {0};
    for (int i = 0; i < args->n; i++) {
        float s = sigmoid(args->gate[args->one ? 0 : i]), dy = args->dy[i];
        float d = dy * args->old[i] * (s * (1.0f - s));
        args->dold[i] = dy * s;
        if (args->one)
            lane[i % LANES] = lane[i % LANES] + d;
        else
            args->dgate[i] = d;
    }
    if (args->one) args->dgate[0] = lanes_sum(lane);
}

static void sigmoid_grad(const float *x, const float *dy, float *dx, int n) {
    for (int i = 0; i < n; i++) {
        float s = sigmoid(x[i]);
        dx[i] = dy[i] * (s * (1.0f - s));
    }
}

static void decay_grad(const struct decay_grad_args *args) {
    for (int i = 0; i < args->n; i++) {
        float rate = fmath_softplus(args->x[i]);
        float d = args->dy[i] * fmath_exp(args->a[i] * rate);
        args->da[i] = fmaf(d, rate, args->da[i]);
        args->dx[i] = d * args->a[i] * sigmoid(args->x[i]);
    }
}

static void l2_norm_grad(const struct l2_norm_grad_args *args) {
    float s = norm_scale(dot(args->x, args->x, args->n) + args->eps);
    float along = dot(args->dy, args->x, args->n) * s * s, factor = s * args->scale;
    for (int i = 0; i < args->n; i++)
        args->dx[i] = fmaf(-args->x[i], along, args->dy[i]) * factor;
}

static void softmax(struct softmax_args *args) {
    float m = -INFINITY, lane[LANES] = {0};
    for (int i = 0; i < args->n; i++) {
        float x = args->scale * args->x[i];
        m = x > m || isnan(x) ? x : m;
    }
    m = m + 0.0f; // a zero is +0, whichever zero came first
    for (int i = 0; i < args->n; i++) {
        args->p[i] = fmath_exp(args->scale * args->x[i] - m);
        lane[i % LANES] = lane[i % LANES] + args->p[i];
    }
    args->max = m;
    args->sum = lanes_sum(lane);
    float share = 1.0f / args->sum;
    for (int i = 0; i < args->n; i++)
        args->p[i] = args->p[i] * share;
}

static void softmax_grad(const struct softmax_grad_args *args) {
    float mean = dot(args->p, args->dp, args->n);
    for (int i = 0; i < args->n; i++)
        args->dx[i] = args->p[i] * (args->dp[i] - mean) * args->scale;
}

static void scale(float a, float *x, int n) {
    for (int i = 0; i < n; i++)
        x[i] = x[i] * a;
}

static void mix(float a, const float *x, float b, float *y, int n) {
    for (int i = 0; i < n; i++)
        y[i] = fmaf(a, x[i], b * y[i]);
}

void ref_fill_grad(struct kernel_table *table) {
#define FILL(slot)                                                                                 \
    table->slot = slot;                                                                            \
    table->row_name[KSLOT_##slot] = #slot ".ref"
    FILL(rms_norm_grad);
    FILL(norm_weight_grad);
    FILL(silu_mul_grad);
    FILL(sigmoid_mul_grad);
    FILL(sigmoid_grad);
    FILL(decay_grad);
    FILL(l2_norm_grad);
    FILL(softmax);
    FILL(softmax_grad);
    FILL(scale);
    FILL(dot);
    FILL(mix);
#undef FILL
}
