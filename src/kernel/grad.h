/* The loops of the backward pass and of the optimizers; slots of the kernel table like all others.
 *
 * A gradient has the name of its value behind a d: dy is what comes from the steps after, dx what
 * goes to the steps before. Where it says so, dx may stand where dy does. docs/numerics.md,
 * "Training", has the orders; kernel/ref/grad.c and optim.c are their executable form. */
#ifndef JL_KERNEL_GRAD_H
#define JL_KERNEL_GRAD_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/route.h"

/* y = x * s * w with s = 1 / sqrt(mean of squares + eps): dx, which may be dy. */
struct rms_norm_grad_args {
    const float *x, *w, *dy; // (n) each; w NULL: no weight
    float *dx;               // (n)
    int n;
    float eps;
};

/* y = silu(gate) * up; dgate and dup may each be dy. */
struct silu_mul_grad_args {
    const float *gate, *up, *dy; // (n)
    float *dgate, *dup;          // (n)
    int n;
};

/* y = old * sigmoid(gate); one gate for all, or one each. dgate (1 or n); dold may be dy. */
struct sigmoid_mul_grad_args {
    const float *gate, *old, *dy;
    float *dgate, *dold;
    bool one;
    int n;
};

/* y = exp(a * softplus(x)): dx and da, added to what da holds; dx may be dy. */
struct decay_grad_args {
    const float *a, *x, *dy; // (n)
    float *dx, *da;          // (n)
    int n;
};

/* y = x * s * scale with s = 1 / sqrt(sum of squares + eps); dx may be dy. */
struct l2_norm_grad_args {
    const float *x, *dy;
    float *dx;
    int n;
    float eps, scale;
};

/* p = exp(scale * x - max) / sum; p may be x. */
struct softmax_args {
    const float *x;
    float *p;
    int n;
    float scale;
    float max, sum; // what it found
};

/* p = softmax(scale * x): dx, which may be dp or p. */
struct softmax_grad_args {
    const float *p, *dp;
    float *dx;
    int n;
    float scale;
};

/* (rows, cols) at `x` as (cols, rows) at `y`; strides in elements. Nothing behind a row of y is
 * written but, of bf16 rows of an odd length, one +0, so that pairs are whole. */
struct transpose_args {
    const void *x;
    void *y;
    size_t x_stride, y_stride;
    int rows, cols;
};

/* A sequence from an empty past through conv_silu (kernel.h): dx, which may be dy. */
struct conv_grad_args {
    int n_token, n_channel, n_tap;
    int channel0, channel1; // channels to compute
    const float *w;         // (n_tap, n_channel)
    const float *x, *dy;    // (n_token, n_channel), strides in floats
    float *dx, *dw;         // dw (n_tap, n_channel): overwritten
    size_t x_stride, dy_stride, dx_stride;
    float *scratch; // (n_token, channel1 - channel0)
};

/* A sequence from an empty state through the delta rule for one head; one decay a token. The
 * gradients of q and k are added to what is there, the others overwrite. Each may stand where its
 * input does not. */
struct delta_grad_args {
    int n_token, d_k, d_v;
    const float *q, *k, *v, *beta, *decay, *dout; // one vector a token, strides in floats
    size_t q_stride, v_stride, beta_stride, decay_stride, dout_stride; // k's is q's
    float *dq, *dk, *dv, *dbeta, *ddecay;
    size_t dq_stride, dv_stride, dbeta_stride, ddecay_stride; // dk's is dq's
    float *scratch; // delta_grad_floats(n_token, d_k, d_v)
};
#define DELTA_GRAD_SEGMENT 32 // tokens whose states are there at a time
static inline size_t delta_grad_floats(int n_token, int d_k, int d_v) {
    size_t n = (size_t)(n_token + DELTA_GRAD_SEGMENT - 1) / DELTA_GRAD_SEGMENT;
    return (n + DELTA_GRAD_SEGMENT + 2) * (size_t)d_k * (size_t)d_v + 2 * (size_t)d_v;
}

/* AdamW (arXiv 1711.05101), element by element, with g = clip * grad:
 *   m += (1 - beta1) * (g - m);  v += (1 - beta2) * (g * g - v)
 *   w -= rate * ((m * fix1) / (sqrt(v * fix2) + eps) + decay * w)
 * fix1 = 1 / (1 - beta1^t), fix2 likewise. */
struct adamw_args {
    float *w, *m, *v;
    const float *grad;
    size_t n;
    float rate, beta1, beta2, eps, decay, clip, fix1, fix2;
};

/* slot, C type */
#define GRAD_KERNEL_LIST(X)                                                                        \
    X(rms_norm_grad, float (*)(const struct rms_norm_grad_args *)) /* returns s */                 \
    X(norm_weight_grad,                                            /* dw = fma(dy, x * s, dw) */   \
      void (*)(float s, const float *x, const float *dy, float *dw, int n))                        \
    X(silu_mul_grad, void (*)(const struct silu_mul_grad_args *))                                  \
    X(sigmoid_mul_grad, void (*)(const struct sigmoid_mul_grad_args *))                            \
    /* y = sigmoid(x): dx, which may be dy */                                                      \
    X(sigmoid_grad, void (*)(const float *x, const float *dy, float *dx, int n))                   \
    X(decay_grad, void (*)(const struct decay_grad_args *))                                        \
    X(l2_norm_grad, void (*)(const struct l2_norm_grad_args *))                                    \
    X(softmax, void (*)(struct softmax_args *))                                                    \
    X(softmax_grad, void (*)(const struct softmax_grad_args *))                                    \
    X(scale, void (*)(float a, float *x, int n))                        /* x *= a */               \
    X(dot, float (*)(const float *x, const float *y, int n))            /* lanes and tree */       \
    X(mix, void (*)(float a, const float *x, float b, float *y, int n)) /* y = fma(a, x, b*y) */   \
    X(route_grad, void (*)(const struct route_grad_args *))                                        \
    X(conv_grad, void (*)(const struct conv_grad_args *))                                          \
    X(delta_grad, void (*)(const struct delta_grad_args *))                                        \
    X(transpose_f32, void (*)(const struct transpose_args *))                                      \
    X(transpose_bf16, void (*)(const struct transpose_args *))                                     \
    X(adamw, void (*)(const struct adamw_args *))

#endif
