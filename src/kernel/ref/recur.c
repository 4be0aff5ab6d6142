/* Recurrent mixers, one scalar step after another: "Recurrent mixers" of docs/numerics.md in C. */
#include <math.h>

#include "kernel/fill.h"
#include "kernel/fmath.h"
#include "kernel/norm.h"
#include "kernel/ref/lanes.h"

static void sigmoid(const float *x, float *y, int n) {
    for (int i = 0; i < n; i++)
        y[i] = 1.0f / (1.0f + fmath_exp(-x[i]));
}

static void decay(const float *a, const float *x, float *y, int n) {
    for (int i = 0; i < n; i++)
        y[i] = fmath_exp(a[i] * fmath_softplus(x[i]));
}

static void l2_norm(const struct l2_norm_args *args) {
    float lane[LANES] = {0};
    for (int i = 0; i < args->n; i++)
        lane[i % LANES] = fmaf(args->x[i], args->x[i], lane[i % LANES]);
    float scale = norm_scale(lanes_sum(lane) + args->eps);
    for (int i = 0; i < args->n; i++)
        args->y[i] = args->x[i] * scale * args->scale;
}

static void conv_channel(const struct conv_silu_args *args, int c) {
    size_t width = (size_t)args->n_channel, at = (size_t)c;
    int n_past = args->n_tap - 1;
    float past[CONV_MAX_TAP]; // the last n_past inputs, oldest first
    for (int j = 0; j < n_past; j++)
        past[j] = args->from[(size_t)j * width + at];
    for (int t = 0; t < args->n_token; t++) {
        past[n_past] = args->x[(size_t)t * args->x_stride + at];
        float acc = 0.0f;
        for (int j = 0; j < args->n_tap; j++)
            acc = fmaf(args->w[(size_t)j * width + at], past[j], acc);
        args->y[(size_t)t * args->y_stride + at] = acc / (1.0f + fmath_exp(-acc));
        for (int j = 0; j < n_past; j++)
            past[j] = past[j + 1];
    }
    for (int j = 0; j < n_past; j++)
        args->to[(size_t)j * width + at] = past[j];
}

static void conv_silu(const struct conv_silu_args *args) {
    for (int c = args->channel0; c < args->channel1; c++)
        conv_channel(args, c);
}

/* One column of the state over all tokens: columns do not meet. */
static void delta_column(const struct delta_args *args, int v) {
    const float *from = args->from;
    for (int t = 0; t < args->n_token; t++) {
        const float *q = args->q.at + (size_t)t * args->q.stride;
        const float *k = args->k.at + (size_t)t * args->k.stride;
        const float *decay = args->decay.at + (size_t)t * args->decay.stride;
        float value = args->v.at[(size_t)t * args->v.stride + (size_t)v];
        float known = 0.0f; // what the decayed state answers to this key
        for (int i = 0; i < args->d_k; i++) {
            size_t at = delta_state_at(args->d_k, i, v);
            args->to[at] = from[at] * decay[args->n_decay == 1 ? 0 : i];
            known = fmaf(args->to[at], k[i], known);
        }
        float delta = (value - known) * args->beta.at[(size_t)t * args->beta.stride];
        float o = 0.0f;
        for (int i = 0; i < args->d_k; i++) {
            size_t at = delta_state_at(args->d_k, i, v);
            args->to[at] = fmaf(k[i], delta, args->to[at]);
            o = fmaf(args->to[at], q[i], o);
        }
        args->o[(size_t)t * args->o_stride + (size_t)v] = o;
        from = args->to;
    }
}

static void delta(const struct delta_args *args) {
    for (int v = 0; v < args->d_v; v++)
        delta_column(args, v);
}

void ref_fill_recur(struct kernel_table *table) {
    table->sigmoid = sigmoid;
    table->decay = decay;
    table->l2_norm = l2_norm;
    table->conv_silu = conv_silu;
    table->delta = delta;
    table->row_name[KSLOT_sigmoid] = "sigmoid.ref";
    table->row_name[KSLOT_decay] = "decay.ref";
    table->row_name[KSLOT_l2_norm] = "l2_norm.ref";
    table->row_name[KSLOT_conv_silu] = "conv_silu.ref";
    table->row_name[KSLOT_delta] = "delta.ref";
}
