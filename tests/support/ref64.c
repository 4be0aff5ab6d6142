#include "support/ref64.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* F8_E4M3: the scales that belong to this matrix of w. */
static const float *scales_of(const struct weight *w, const uint8_t *data) {
    for (int e = 0; w->expert_scales && e < w->n_expert; e++)
        if (w->experts[e] == data) return w->expert_scales[e];
    return w->scale;
}

static float *widen(const struct weight *w, const uint8_t *data, int row) {
    float *out = calloc((size_t)w->n_in, sizeof *out);
    const float *scale = scales_of(w, data);
    dtype_dequantize(w->dtype, data + (size_t)row * w->stride, out, w->n_in);
    if (scale) scale += (size_t)(row / F8_SCALE_BLOCK) * w->scale_stride;
    for (int k = 0; scale && k < w->n_in; k++)
        out[k] *= scale[k / F8_SCALE_BLOCK];
    return out;
}

/* Which of w's matrices it is; -1: none. */
static int matrix_of(const struct weight *w, const uint8_t *data) {
    for (int e = 0; w && w->experts && e < w->n_expert; e++)
        if (w->experts[e] == data) return e;
    return w && w->data == data ? 0 : -1;
}

/* The same of the base's that an adapter stands on, a block's. Without data: the output head. */
static int matrix_under(const struct model *m, const struct adapter_slot *slot,
                        const uint8_t *data) {
    if (!data) return slot->role == ROLE_OUTPUT ? 0 : -1;
    return slot->layer < 0 ? -1 : matrix_of(model_weight(m, slot->role, slot->layer), data);
}

/* y[r] += B A x[r] of the adapters that stand on a block's matrix, or on the output head. */
static void add_adapters(const struct model *m, const uint8_t *data, const double *x, double *y,
                         int n) {
    for (int i = 0; i < m->n_adapter; i++) {
        const struct adapter_slot *slot = &m->adapters[i];
        int e = matrix_under(m, slot, data);
        if (e < 0) continue;
        const uint8_t *a = slot->a.experts ? slot->a.experts[e] : slot->a.data;
        const uint8_t *b = slot->b.experts ? slot->b.experts[e] : slot->b.data;
        double *low = ref64_matrix(m, &slot->a, a, NULL, x, n);
        double *high = ref64_matrix(m, &slot->b, b, NULL, low, n);
        for (size_t k = 0; k < (size_t)n * (size_t)slot->b.n_out; k++)
            y[k] += high[k];
        free(low);
        free(high);
    }
}

/* y[r] = W x[r] + b for all rows; b may be NULL. `data`: W's, or that of one expert. */
double *ref64_matrix(const struct model *m, const struct weight *w, const uint8_t *data,
                     const struct weight *b, const double *x, int n) {
    double *y = calloc((size_t)n * (size_t)w->n_out, sizeof *y);
    for (int o = 0; o < w->n_out; o++) {
        float *row = widen(w, data, o);
        for (int r = 0; r < n; r++) {
            double sum = 0;
            for (int k = 0; k < w->n_in; k++)
                sum += (double)row[k] * x[(size_t)r * (size_t)w->n_in + (size_t)k];
            if (b) sum += (double)((const float *)(const void *)b->data)[o];
            y[(size_t)r * (size_t)w->n_out + (size_t)o] = sum;
        }
        free(row);
    }
    add_adapters(m, data, x, y, n);
    return y;
}

static double *linear(const struct model *m, enum role_id role, enum role_id bias, int layer,
                      const double *x, int n) {
    const struct weight *w = model_weight(m, role, layer);
    return ref64_matrix(m, w, w->data, model_weight(m, bias, layer), x, n);
}

static void norm(const struct model *m, enum role_id role, int layer, const double *x, double *y,
                 int n_group, int width) {
    const struct weight *w = model_weight(m, role, layer);
    for (int g = 0; g < n_group; g++, x += width, y += width) {
        double sum = 0;
        for (int i = 0; i < width; i++)
            sum += x[i] * x[i];
        double scale = 1 / sqrt(sum / width + m->hp.rms_eps);
        for (int i = 0; i < width; i++)
            y[i] = x[i] * scale * (w ? (double)((const float *)(const void *)w->data)[i] : 1);
    }
}

static void rotate(const struct model *m, double *x, int n, int n_head) {
    const struct hparams *hp = &m->hp;
    for (int pos = 0; pos < n; pos++)
        for (int h = 0; h < n_head; h++, x += hp->head_dim_k)
            for (int i = 0; i < hp->n_rot / 2; i++) {
                int a = m->rope.interleaved ? 2 * i : i;
                int b = m->rope.interleaved ? 2 * i + 1 : i + hp->n_rot / 2;
                double c = cos(pos * m->rope.freq[i]) * m->rope.magnitude;
                double s = sin(pos * m->rope.freq[i]) * m->rope.magnitude;
                double xa = x[a], xb = x[b];
                x[a] = xa * c - xb * s;
                x[b] = xa * s + xb * c;
            }
}

static double *attend(const struct model *m, const double *q, const double *k, const double *v,
                      int n) {
    const struct hparams *hp = &m->hp;
    int group = hp->n_head / hp->n_head_kv, dk = hp->head_dim_k, dv = hp->head_dim_v;
    double *out = calloc((size_t)n * (size_t)(hp->n_head * dv), sizeof *out);
    double *p = calloc((size_t)n, sizeof *p);
    for (int t = 0; t < n; t++)
        for (int h = 0; h < hp->n_head; h++) {
            double most = -HUGE_VAL, sum = 0;
            for (int j = 0; j <= t; j++) {
                p[j] = 0;
                for (int i = 0; i < dk; i++)
                    p[j] += q[(t * hp->n_head + h) * dk + i] *
                            k[(j * hp->n_head_kv + h / group) * dk + i];
                p[j] *= hp->attn_scale;
                if (p[j] > most) most = p[j];
            }
            for (int j = 0; j <= t; j++)
                sum += p[j] = exp(p[j] - most);
            for (int j = 0; j <= t; j++)
                for (int i = 0; i < dv; i++)
                    out[(t * hp->n_head + h) * dv + i] +=
                        p[j] / sum * v[(j * hp->n_head_kv + h / group) * dv + i];
        }
    free(p);
    return out;
}

static void add(double *x, double *y, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
    free(y);
}

static double *dense(const struct model *m, int layer, const double *x, int n) {
    double *g = linear(m, ROLE_FFN_GATE, ROLE_FFN_GATE_B, layer, x, n);
    double *u = linear(m, ROLE_FFN_UP, ROLE_FFN_UP_B, layer, x, n);
    for (size_t i = 0; i < (size_t)n * (size_t)m->hp.n_ff; i++)
        g[i] = g[i] / (1 + exp(-g[i])) * u[i];
    double *y = linear(m, ROLE_FFN_DOWN, ROLE_FFN_DOWN_B, layer, g, n);
    free(g);
    free(u);
    return y;
}

/* Queries, and the gates of the outputs where each head has both side by side; else *gates is NULL.
 */
static double *queries(const struct model *m, int layer, const double *x, int n, double **gates) {
    const struct hparams *hp = &m->hp;
    size_t d = (size_t)hp->head_dim_k, heads = (size_t)n * (size_t)hp->n_head;
    *gates = NULL;
    if (!model_weight(m, ROLE_ATTN_QG, layer))
        return linear(m, ROLE_ATTN_Q, ROLE_ATTN_Q_B, layer, x, n);
    double *both = linear(m, ROLE_ATTN_QG, ROLE_ATTN_QG_B, layer, x, n);
    double *q = calloc(heads * d, sizeof *q);
    *gates = calloc(heads * d, sizeof *q);
    for (size_t h = 0; h < heads; h++) {
        memcpy(q + h * d, both + 2 * h * d, d * sizeof *q);
        memcpy(*gates + h * d, both + (2 * h + 1) * d, d * sizeof *q);
    }
    free(both);
    return q;
}

/* Grouped-query attention for its normed input. */
static double *gqa(const struct model *m, int layer, const double *x, int n) {
    const struct hparams *hp = &m->hp;
    double *gates, *q = queries(m, layer, x, n, &gates);
    double *k = linear(m, ROLE_ATTN_K, ROLE_ATTN_K_B, layer, x, n);
    double *v = linear(m, ROLE_ATTN_V, ROLE_ATTN_V_B, layer, x, n);
    if (model_weight(m, ROLE_ATTN_Q_NORM, layer))
        norm(m, ROLE_ATTN_Q_NORM, layer, q, q, n * hp->n_head, hp->head_dim_k);
    if (model_weight(m, ROLE_ATTN_K_NORM, layer))
        norm(m, ROLE_ATTN_K_NORM, layer, k, k, n * hp->n_head_kv, hp->head_dim_k);
    rotate(m, q, n, hp->n_head);
    rotate(m, k, n, hp->n_head_kv);
    double *a = attend(m, q, k, v, n);
    for (size_t i = 0; gates && i < (size_t)n * (size_t)(hp->n_head * hp->head_dim_v); i++)
        a[i] /= 1 + exp(-gates[i]);
    double *y = linear(m, ROLE_ATTN_O, ROLE_ATTN_O_B, layer, a, n);
    free(a);
    free(q);
    free(k);
    free(v);
    free(gates);
    return y;
}

static void layer_forward(const struct model *m, int layer, double *h, int n) {
    const struct hparams *hp = &m->hp;
    size_t width = (size_t)n * (size_t)hp->n_embd;
    double *x = calloc(width, sizeof *x);
    norm(m, ROLE_ATTN_NORM, layer, h, x, n, hp->n_embd);
    double *y = layer_set_has(&hp->recurrent, layer) ? ref64_delta(m, layer, x, n)
                : family_is_latent(m->family)        ? ref64_mla(m, layer, x, n)
                                                     : gqa(m, layer, x, n);
    if (model_weight(m, ROLE_ATTN_POST_NORM, layer))
        norm(m, ROLE_ATTN_POST_NORM, layer, y, y, n, hp->n_embd);
    add(h, y, width);
    norm(m, ROLE_FFN_NORM, layer, h, x, n, hp->n_embd);
    y = layer_set_has(&hp->moe, layer) ? ref64_moe(m, layer, x, n) : dense(m, layer, x, n);
    if (model_weight(m, ROLE_FFN_POST_NORM, layer))
        norm(m, ROLE_FFN_POST_NORM, layer, y, y, n, hp->n_embd);
    add(h, y, width);
    free(x);
}

/* h[t] += B A[ids[t]] */
static void add_lookups(const struct model *m, const int32_t *ids, double *h, int n) {
    for (int i = 0; i < m->n_adapter; i++) {
        const struct weight *a = &m->adapters[i].a, *b = &m->adapters[i].b;
        if (m->adapters[i].role != ROLE_TOK_EMBD) continue;
        double *low = calloc((size_t)n * (size_t)a->n_in, sizeof *low);
        for (int t = 0; t < n; t++)
            for (int k = 0; k < a->n_in; k++)
                low[t * a->n_in + k] =
                    (double)((const float *)(const void *)a->data)[ids[t] * a->n_in + k];
        double *high = ref64_matrix(m, b, b->data, NULL, low, n);
        add(h, high, (size_t)n * (size_t)b->n_out);
        free(low);
    }
}

static double *embed(const struct weight *embd, const int32_t *ids, int n) {
    double *h = calloc((size_t)n * (size_t)embd->n_in, sizeof *h);
    for (int t = 0; t < n; t++) {
        float *row = widen(embd, embd->data, ids[t]);
        for (int i = 0; i < embd->n_in; i++)
            h[t * embd->n_in + i] = (double)row[i];
        free(row);
    }
    return h;
}

/* Hidden states after the output norm. */
static double *hidden(const struct model *model, const int32_t *ids, int n) {
    double *h = embed(model_weight(model, ROLE_TOK_EMBD, -1), ids, n);
    add_lookups(model, ids, h, n);
    for (int layer = 0; layer < model->hp.n_layer; layer++)
        layer_forward(model, layer, h, n);
    norm(model, ROLE_OUTPUT_NORM, -1, h, h, n, model->hp.n_embd);
    return h;
}

double *ref64_logits(const struct model *model, const int32_t *ids, int n) {
    double *h = hidden(model, ids, n);
    double *logits = linear(model, ROLE_OUTPUT, ROLE_OUTPUT_B, -1, h, n);
    add_adapters(model, NULL, h, logits, n);
    free(h);
    return logits;
}

double *ref64_mtp_logits(const struct model *m, const int32_t *ids, int n) {
    int layer = m->hp.n_layer, width = m->hp.n_embd, rows = n - 1;
    double *h = hidden(m, ids, rows);
    double *e = embed(model_weight(m, ROLE_MTP_EMBD, layer), ids + 1, rows);
    double *both = calloc((size_t)rows * 2 * (size_t)width, sizeof *both);
    norm(m, ROLE_MTP_ENORM, layer, e, e, rows, width);
    norm(m, ROLE_MTP_HNORM, layer, h, h, rows, width);
    for (int t = 0; t < rows; t++) {
        memcpy(both + 2 * t * width, e + t * width, (size_t)width * sizeof *both);
        memcpy(both + (2 * t + 1) * width, h + t * width, (size_t)width * sizeof *both);
    }
    double *x = linear(m, ROLE_MTP_PROJ, ROLE_NONE, layer, both, rows);
    layer_forward(m, layer, x, rows);
    norm(m, ROLE_MTP_NORM, layer, x, x, rows, width);
    double *logits = linear(m, ROLE_MTP_OUTPUT, ROLE_NONE, layer, x, rows);
    free(h);
    free(e);
    free(both);
    free(x);
    return logits;
}
