/* Gated delta net in float64, as the papers write it: whole matrices, one token after the other. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/ref64.h"

static double silu(double x) { return x / (1 + exp(-x)); }

static double vector_at(const struct model *m, enum role_id role, int layer, int i) {
    return (double)((const float *)(const void *)model_weight(m, role, layer)->data)[i];
}

static double *linear(const struct model *m, enum role_id role, int layer, const double *x, int n) {
    const struct weight *w = model_weight(m, role, layer);
    return ref64_matrix(m, w, w->data, NULL, x, n);
}

/* Projections of all tokens in one order: heads of q, of k, of v; heads of z. */
struct inputs {
    double *qkv, *z, *beta, *decay;
};

static void from_joint(const struct model *m, int layer, const double *x, int n,
                       struct inputs *in) {
    const struct hparams *hp = &m->hp;
    int d_k = hp->delta_dim_k, n_k = hp->delta_head_k, values = hp->delta_head_v * hp->delta_dim_v;
    int part = values / n_k, group = 2 * d_k + 2 * part, width = 2 * n_k * d_k + values;
    double *all = linear(m, ROLE_DELTA_QKVZ, layer, x, n);
    in->qkv = calloc((size_t)(n * width), sizeof *in->qkv);
    in->z = calloc((size_t)(n * values), sizeof *in->z);
    for (int t = 0; t < n; t++)
        for (int g = 0; g < n_k; g++) {
            const double *from = all + (size_t)((t * n_k + g) * group);
            double *to = in->qkv + (size_t)(t * width);
            memcpy(to + g * d_k, from, (size_t)d_k * sizeof *to);
            memcpy(to + (n_k + g) * d_k, from + d_k, (size_t)d_k * sizeof *to);
            memcpy(to + 2 * n_k * d_k + g * part, from + 2 * d_k, (size_t)part * sizeof *to);
            memcpy(in->z + t * values + g * part, from + 2 * d_k + part, (size_t)part * sizeof *to);
        }
    free(all);
}

static void read_gates(const struct model *m, int layer, const double *x, int n,
                       struct inputs *in) {
    const struct hparams *hp = &m->hp;
    int n_k = hp->delta_head_k, n_v = hp->delta_head_v, group = n_v / n_k;
    double *all = linear(m, ROLE_DELTA_BA, layer, x, n);
    in->beta = calloc((size_t)(n * n_v), sizeof *in->beta);
    in->decay = calloc((size_t)(n * n_v), sizeof *in->decay);
    for (int t = 0; t < n; t++)
        for (int h = 0; h < n_v; h++) {
            const double *from = all + t * 2 * n_v + h / group * 2 * group + h % group;
            double rate = from[group] + vector_at(m, ROLE_DELTA_DT_B, layer, h);
            in->beta[t * n_v + h] = 1 / (1 + exp(-from[0]));
            in->decay[t * n_v + h] = exp(vector_at(m, ROLE_DELTA_A, layer, h) * log1p(exp(rate)));
        }
    free(all);
}

/* In place: y[t] = silu(sum over taps j of w[j] x[t - n_tap + 1 + j]), nothing before the start. */
static void convolve(const struct model *m, int layer, double *x, int n, int width) {
    const struct weight *w = model_weight(m, ROLE_DELTA_CONV, layer); // (taps, channels)
    const float *taps = (const float *)(const void *)w->data;
    for (int c = 0; c < width; c++)
        for (int t = n - 1; t >= 0; t--) {
            double sum = 0;
            for (int j = 0; j < w->n_out; j++) {
                int at = t - w->n_out + 1 + j;
                if (at >= 0) sum += (double)taps[j * width + c] * x[at * width + c];
            }
            x[t * width + c] = silu(sum);
        }
}

static void to_length(double *x, int n, double length) {
    double sum = 1e-6;
    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    for (int i = 0; i < n; i++)
        x[i] *= length / sqrt(sum);
}

/* One head over all tokens; q and k have been normed. */
static void head_forward(const struct hparams *hp, const struct inputs *in, int head, int n,
                         double *out) {
    int d_k = hp->delta_dim_k, d_v = hp->delta_dim_v, n_k = hp->delta_head_k;
    int head_k = head / (hp->delta_head_v / n_k), width = 2 * n_k * d_k + hp->delta_head_v * d_v;
    double *s = calloc((size_t)(d_k * d_v), sizeof *s), *delta = calloc((size_t)d_v, sizeof *delta);
    for (int t = 0; t < n; t++) {
        const double *q = in->qkv + t * width + head_k * d_k, *k = q + n_k * d_k;
        const double *v = in->qkv + t * width + 2 * n_k * d_k + head * d_v;
        double *o = out + (t * hp->delta_head_v + head) * d_v;
        for (int i = 0; i < d_k * d_v; i++)
            s[i] *= in->decay[t * hp->delta_head_v + head];
        for (int c = 0; c < d_v; c++) {
            delta[c] = v[c];
            for (int i = 0; i < d_k; i++)
                delta[c] -= k[i] * s[i * d_v + c];
        }
        for (int i = 0; i < d_k; i++)
            for (int c = 0; c < d_v; c++) {
                s[i * d_v + c] += k[i] * delta[c] * in->beta[t * hp->delta_head_v + head];
                o[c] += q[i] * s[i * d_v + c];
            }
    }
    free(s);
    free(delta);
}

double *ref64_delta(const struct model *m, int layer, const double *x, int n) {
    const struct hparams *hp = &m->hp;
    int d_k = hp->delta_dim_k, d_v = hp->delta_dim_v, n_k = hp->delta_head_k;
    int n_v = hp->delta_head_v, width = 2 * n_k * d_k + n_v * d_v;
    struct inputs in = {0};
    if (model_weight(m, ROLE_DELTA_QKVZ, layer)) {
        from_joint(m, layer, x, n, &in);
    } else {
        in.qkv = linear(m, ROLE_DELTA_QKV, layer, x, n);
        in.z = linear(m, ROLE_DELTA_Z, layer, x, n);
    }
    read_gates(m, layer, x, n, &in);
    convolve(m, layer, in.qkv, n, width);
    for (int t = 0; t < n; t++)
        for (int h = 0; h < 2 * n_k; h++)
            to_length(in.qkv + t * width + h * d_k, d_k, h < n_k ? 1 / sqrt((double)d_k) : 1);
    double *o = calloc((size_t)(n * n_v * d_v), sizeof *o);
    for (int h = 0; h < n_v; h++)
        head_forward(hp, &in, h, n, o);
    for (int g = 0; g < n * n_v; g++) { // normed head by head, gated by z
        double sum = 0;
        for (int i = 0; i < d_v; i++)
            sum += o[g * d_v + i] * o[g * d_v + i];
        for (int i = 0; i < d_v; i++)
            o[g * d_v + i] *= vector_at(m, ROLE_DELTA_NORM, layer, i) /
                              sqrt(sum / d_v + hp->rms_eps) * silu(in.z[g * d_v + i]);
    }
    double *y = linear(m, ROLE_DELTA_OUT, layer, o, n);
    free(in.qkv);
    free(in.z);
    free(in.beta);
    free(in.decay);
    free(o);
    return y;
}
