/* Latent attention in float64, in its expanded form: every head's keys and values are made of the
 * latents, and nothing is absorbed. */
#include <math.h>
#include <stdlib.h>

#include "support/ref64.h"

static double at(const struct weight *w, int row, int col) {
    float *values = calloc((size_t)w->n_in, sizeof *values);
    dtype_dequantize(w->dtype, w->data + (size_t)row * w->stride, values, w->n_in);
    if (w->scale)
        values[col] *= w->scale[(size_t)(row / F8_SCALE_BLOCK) * w->scale_stride +
                                (size_t)(col / F8_SCALE_BLOCK)];
    double value = (double)values[col];
    free(values);
    return value;
}

static void norm(const struct weight *w, double *x) {
    double sum = 0;
    for (int i = 0; i < w->n_in; i++)
        sum += x[i] * x[i];
    for (int i = 0; i < w->n_in; i++)
        x[i] *= (double)((const float *)(const void *)w->data)[i] / sqrt(sum / w->n_in + 1e-6);
}

/* Turns the n_rot elements at x. */
static void rotate(const struct model *m, double *x, int pos) {
    for (int i = 0; i < m->hp.n_rot / 2; i++) {
        double c = cos(pos * m->rope.freq[i]) * m->rope.magnitude;
        double s = sin(pos * m->rope.freq[i]) * m->rope.magnitude;
        bool half = m->hp.rope.half;
        double *a = x + (half ? i : 2 * i), *b = x + (half ? i + m->hp.n_rot / 2 : 2 * i + 1);
        double turned = *a * c - *b * s;
        *b = *a * s + *b * c;
        *a = turned;
    }
}

/* One number of what the layer's adapters add to the joint matrix. */
static double added(const struct model *m, int layer, int row, int col) {
    double sum = 0;
    for (int i = 0; i < m->n_adapter; i++) {
        const struct weight *a = &m->adapters[i].a, *b = &m->adapters[i].b;
        if (m->adapters[i].role != ROLE_ATTN_KV_UP || m->adapters[i].layer != layer) continue;
        for (int k = 0; k < b->n_in; k++)
            sum += at(b, row, k) * at(a, k, col);
    }
    return sum;
}

/* The matrices of all heads as (n_head, rows, kv_lora_rank): keys without their rotary part, or
 * values, out of whichever layout the file has. */
static double *expand(const struct model *m, int layer, bool values) {
    const struct hparams *hp = &m->hp;
    int nope = hp->head_dim_k - hp->n_rot, lora = hp->kv_lora_rank;
    int rows = values ? hp->head_dim_v : nope, joint = nope + hp->head_dim_v;
    const struct weight *w = model_weight(m, ROLE_ATTN_KV_UP, layer);
    double *out = calloc((size_t)(hp->n_head * rows * lora), sizeof *out), *to = out;
    for (int h = 0; h < hp->n_head; h++)
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < lora; c++) {
                int row = h * joint + (values ? nope : 0) + r;
                *to = w        ? at(w, row, c)
                      : values ? at(model_weight(m, ROLE_ATTN_V_UP, layer), h * rows + r, c)
                               : at(model_weight(m, ROLE_ATTN_K_UP, layer), h * lora + c, r);
                *to++ += added(m, layer, row, c);
            }
    return out;
}

/* rows of one head times a latent */
static void times(const double *w, int rows, int lora, const double *latent, double *out) {
    for (int r = 0; r < rows; r++) {
        out[r] = 0;
        for (int c = 0; c < lora; c++)
            out[r] += w[r * lora + c] * latent[c];
    }
}

static double *queries(const struct model *m, int layer, const double *x, int n) {
    const struct hparams *hp = &m->hp;
    const struct weight *w = model_weight(m, ROLE_ATTN_Q, layer);
    double *q;
    if (w) {
        q = ref64_matrix(m, w, w->data, NULL, x, n);
    } else {
        const struct weight *a = model_weight(m, ROLE_ATTN_Q_A, layer);
        const struct weight *bias = model_weight(m, ROLE_ATTN_Q_A_B, layer);
        double *low = ref64_matrix(m, a, a->data, bias, x, n);
        for (int t = 0; t < n; t++)
            norm(model_weight(m, ROLE_ATTN_Q_A_NORM, layer), low + t * hp->q_lora_rank);
        w = model_weight(m, ROLE_ATTN_Q_UP, layer);
        q = ref64_matrix(m, w, w->data, NULL, low, n);
        free(low);
    }
    for (int t = 0; t < n; t++)
        for (int h = 0; h < hp->n_head; h++)
            rotate(m, q + (t * hp->n_head + h + 1) * hp->head_dim_k - hp->n_rot, t);
    return q;
}

/* One head's outputs, (n, head_dim_v) of (n, n_head, head_dim_v). */
static void attend(const struct model *m, int head, const double *q, const double *keys,
                   const double *values, double *out, int n) {
    const struct hparams *hp = &m->hp;
    int dk = hp->head_dim_k, dv = hp->head_dim_v;
    double *p = calloc((size_t)n, sizeof *p);
    for (int t = 0; t < n; t++) {
        double sum = 0, most = -HUGE_VAL;
        for (int j = 0; j <= t; j++) {
            p[j] = 0;
            for (int i = 0; i < dk; i++)
                p[j] += q[(t * hp->n_head + head) * dk + i] * keys[j * dk + i] * hp->attn_scale;
            most = fmax(most, p[j]);
        }
        for (int j = 0; j <= t; j++)
            sum += p[j] = exp(p[j] - most);
        for (int j = 0; j <= t; j++)
            for (int i = 0; i < dv; i++)
                out[(t * hp->n_head + head) * dv + i] += p[j] / sum * values[j * dv + i];
    }
    free(p);
}

double *ref64_mla(const struct model *m, int layer, const double *x, int n) {
    const struct hparams *hp = &m->hp;
    int lora = hp->kv_lora_rank, dk = hp->head_dim_k, dv = hp->head_dim_v, nope = dk - hp->n_rot;
    int width = lora + hp->n_rot;
    const struct weight *kv = model_weight(m, ROLE_ATTN_KV_A, layer);
    const struct weight *kv_bias = model_weight(m, ROLE_ATTN_KV_A_B, layer);
    double *q = queries(m, layer, x, n), *latent = ref64_matrix(m, kv, kv->data, kv_bias, x, n);
    double *w_k = expand(m, layer, false), *w_v = expand(m, layer, true);
    double *keys = calloc((size_t)(n * dk), sizeof *keys);
    double *values = calloc((size_t)(n * dv), sizeof *values);
    double *out = calloc((size_t)(n * hp->n_head * dv), sizeof *out);
    for (int t = 0; t < n; t++) {
        norm(model_weight(m, ROLE_ATTN_KV_A_NORM, layer), latent + t * width);
        rotate(m, latent + t * width + lora, t);
    }
    for (int h = 0; h < hp->n_head; h++) {
        for (int t = 0; t < n; t++) {
            times(w_k + h * nope * lora, nope, lora, latent + t * width, keys + t * dk);
            times(w_v + h * dv * lora, dv, lora, latent + t * width, values + t * dv);
            for (int i = 0; i < hp->n_rot; i++) // one rotary key for all heads
                keys[t * dk + nope + i] = latent[t * width + lora + i];
        }
        attend(m, h, q, keys, values, out, n);
    }
    const struct weight *o = model_weight(m, ROLE_ATTN_O, layer);
    double *y = ref64_matrix(m, o, o->data, model_weight(m, ROLE_ATTN_O_B, layer), out, n);
    free(q);
    free(latent);
    free(w_k);
    free(w_v);
    free(keys);
    free(values);
    free(out);
    return y;
}
