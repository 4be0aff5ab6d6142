/* Recurrent mixers backwards. One body for every level: the state is walked column by column, token
 * by token, in the order that "Training" of docs/numerics.md gives. */
#include <math.h>
#include <string.h>

#include "kernel/fill.h"
#include "kernel/fmath.h"
#include "kernel/grad.h"

/* ---- convolution ---- */

/* Input u of channel c; those before the sequence are zeros. */
static float input_at(const struct conv_grad_args *args, int u, int c) {
    return u < 0 ? 0.0f : args->x[(size_t)u * args->x_stride + (size_t)c];
}

static void conv_channel(const struct conv_grad_args *args, int c) {
    size_t width = (size_t)(args->channel1 - args->channel0), n_channel = (size_t)args->n_channel;
    float *dacc = args->scratch + (c - args->channel0);
    int last = args->n_tap - 1;
    for (int t = 0; t < args->n_token; t++) {
        float acc = 0.0f;
        for (int j = 0; j < args->n_tap; j++)
            acc = fmaf(args->w[(size_t)j * n_channel + (size_t)c], input_at(args, t - last + j, c),
                       acc);
        float s = 1.0f / (1.0f + fmath_exp(-acc));
        dacc[(size_t)t * width] =
            args->dy[(size_t)t * args->dy_stride + (size_t)c] * (s * fmaf(acc, 1.0f - s, 1.0f));
    }
    for (int j = 0; j < args->n_tap; j++) {
        float sum = 0.0f;
        for (int t = 0; t < args->n_token; t++)
            sum = fmaf(dacc[(size_t)t * width], input_at(args, t - last + j, c), sum);
        args->dw[(size_t)j * n_channel + (size_t)c] = sum;
    }
    for (int u = 0; u < args->n_token; u++) {
        float sum = 0.0f; // input u is tap j of token u + last - j
        for (int j = args->n_tap - 1; j >= 0 && u + last - j < args->n_token; j--)
            sum = fmaf(args->w[(size_t)j * n_channel + (size_t)c],
                       dacc[(size_t)(u + last - j) * width], sum);
        args->dx[(size_t)u * args->dx_stride + (size_t)c] = sum;
    }
}

static void conv_grad(const struct conv_grad_args *args) {
    for (int c = args->channel0; c < args->channel1; c++)
        conv_channel(args, c);
}

/* ---- the delta rule ---- */

/* S_t from S_(t-1), both (d_k, d_v), and what the token added to each column: delta (d_v). */
static void step_state(const struct delta_grad_args *a, int t, const float *from, float *to,
                       float *known, float *delta) {
    const float *k = a->k + (size_t)t * a->q_stride, *v = a->v + (size_t)t * a->v_stride;
    float decay = a->decay[(size_t)t * a->decay_stride];
    size_t d_v = (size_t)a->d_v;
    memset(known, 0, d_v * sizeof *known);
    for (int i = 0; i < a->d_k; i++)
        for (size_t c = 0; c < d_v; c++) {
            to[(size_t)i * d_v + c] = from[(size_t)i * d_v + c] * decay;
            known[c] = fmaf(to[(size_t)i * d_v + c], k[i], known[c]);
        }
    for (size_t c = 0; c < d_v; c++)
        delta[c] = (v[c] - known[c]) * a->beta[(size_t)t * a->beta_stride];
    for (int i = 0; i < a->d_k; i++)
        for (size_t c = 0; c < d_v; c++)
            to[(size_t)i * d_v + c] = fmaf(k[i], delta[c], to[(size_t)i * d_v + c]);
}

struct delta_memory {
    float *starts; // states before each segment
    float *states; // states before each token of one segment, and after the last
    float *ds;     // gradient of the state, (d_k, d_v)
    float *known, *delta;
};

/* One token: ds is the gradient of the state after it by what comes later, and becomes that of the
 * state before it. */
static void token_grad(const struct delta_grad_args *a, int t, const float *before,
                       const float *after, const struct delta_memory *m) {
    size_t d_v = (size_t)a->d_v;
    const float *q = a->q + (size_t)t * a->q_stride, *k = a->k + (size_t)t * a->q_stride;
    const float *v = a->v + (size_t)t * a->v_stride, *dout = a->dout + (size_t)t * a->dout_stride;
    float *dq = a->dq + (size_t)t * a->dq_stride, *dk = a->dk + (size_t)t * a->dq_stride;
    float *dv = a->dv + (size_t)t * a->dv_stride;
    float decay = a->decay[(size_t)t * a->decay_stride];
    float beta = a->beta[(size_t)t * a->beta_stride], dbeta = 0.0f, ddecay = 0.0f;
    float *known = m->known, *ddelta = m->delta;
    memset(known, 0, d_v * sizeof *known);
    memset(ddelta, 0, d_v * sizeof *ddelta);
    for (int i = 0; i < a->d_k; i++) {
        float sum = 0.0f;
        for (size_t c = 0; c < d_v; c++) {
            size_t at = (size_t)i * d_v + c;
            sum = fmaf(after[at], dout[c], sum);
            m->ds[at] = fmaf(q[i], dout[c], m->ds[at]);
            ddelta[c] = fmaf(m->ds[at], k[i], ddelta[c]);
            known[c] = fmaf(before[at] * decay, k[i], known[c]);
        }
        dq[i] = dq[i] + sum;
    }
    for (int i = 0; i < a->d_k; i++) { // k in the update of the state
        float sum = 0.0f;
        for (size_t c = 0; c < d_v; c++)
            sum = fmaf(m->ds[(size_t)i * d_v + c], (v[c] - known[c]) * beta, sum);
        dk[i] = dk[i] + sum;
    }
    for (size_t c = 0; c < d_v; c++) {
        dbeta = fmaf(ddelta[c], v[c] - known[c], dbeta);
        dv[c] = ddelta[c] * beta;
    }
    for (int i = 0; i < a->d_k; i++) { // k in what the state knows, and the decay
        float sum = 0.0f;
        for (size_t c = 0; c < d_v; c++) {
            size_t at = (size_t)i * d_v + c;
            float dknown = -dv[c];
            sum = fmaf(before[at] * decay, dknown, sum);
            float decayed = fmaf(k[i], dknown, m->ds[at]);
            ddecay = fmaf(decayed, before[at], ddecay);
            m->ds[at] = decayed * decay;
        }
        dk[i] = dk[i] + sum;
    }
    a->dbeta[(size_t)t * a->dbeta_stride] = dbeta;
    a->ddecay[(size_t)t * a->ddecay_stride] = ddecay;
}

static void delta_grad(const struct delta_grad_args *a) {
    size_t floats = (size_t)a->d_k * (size_t)a->d_v;
    int n_segment = (a->n_token + DELTA_GRAD_SEGMENT - 1) / DELTA_GRAD_SEGMENT;
    struct delta_memory m = {.starts = a->scratch};
    m.states = m.starts + (size_t)n_segment * floats;
    m.ds = m.states + (DELTA_GRAD_SEGMENT + 1) * floats;
    m.known = m.ds + floats;
    m.delta = m.known + a->d_v;
    memset(m.states, 0, floats * sizeof *m.states);
    for (int t = 0; t < a->n_token; t++) { // m.ds is free until the walk back
        if (t % DELTA_GRAD_SEGMENT == 0)
            memcpy(m.starts + (size_t)(t / DELTA_GRAD_SEGMENT) * floats, m.states,
                   floats * sizeof *m.states);
        step_state(a, t, m.states, m.ds, m.known, m.delta);
        memcpy(m.states, m.ds, floats * sizeof *m.states);
    }
    memset(m.ds, 0, floats * sizeof *m.ds);
    for (int segment = n_segment - 1; segment >= 0; segment--) {
        int first = segment * DELTA_GRAD_SEGMENT, end = first + DELTA_GRAD_SEGMENT;
        if (end > a->n_token) end = a->n_token;
        memcpy(m.states, m.starts + (size_t)segment * floats, floats * sizeof *m.states);
        for (int t = first; t < end; t++)
            step_state(a, t, m.states + (size_t)(t - first) * floats,
                       m.states + (size_t)(t - first + 1) * floats, m.known, m.delta);
        for (int t = end - 1; t >= first; t--)
            token_grad(a, t, m.states + (size_t)(t - first) * floats,
                       m.states + (size_t)(t - first + 1) * floats, &m);
    }
}

void ref_fill_recur_grad(struct kernel_table *table) {
    table->conv_grad = conv_grad;
    table->delta_grad = delta_grad;
    table->row_name[KSLOT_conv_grad] = "conv_grad.ref";
    table->row_name[KSLOT_delta_grad] = "delta_grad.ref";
}
