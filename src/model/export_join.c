/* Matrices that GGUF files hold in two and folders in one. */
#include <string.h>

#include "format/report.h"
#include "model/export_bound.h"
#include "model/export_place.h"

bool export_is_half(enum role_id role) {
    return role == ROLE_ATTN_K_UP || role == ROLE_ATTN_V_UP || role == ROLE_DELTA_QKV ||
           role == ROLE_DELTA_Z;
}

struct join {
    struct export_bound *b;
    const struct weight *first, *second;
    struct export_tensor *t;
    int64_t n; // rows put so far
};

static enum jl_status no_memory(const struct export_bound *b) {
    return report_no_memory(b->err, b->model->file->path, "the list of tensors");
}

/* The joint role's tensor, a piece a row. */
static enum jl_status start(struct join *j, enum role_id role, int layer) {
    struct export_bound *b = j->b;
    const struct hparams *hp = &b->model->hp;
    const struct role_row *row = role_row(role);
    struct export_place place;
    int64_t rows = hparams_dim(hp, row->rows), cols = hparams_dim(hp, row->cols);
    if (j->first->dtype != j->second->dtype ||
        !export_place(b->model->family, b->kind, role, layer, 0, &place))
        return report_fail(b->err, JL_ERR_UNSUPPORTED, b->model->file->path,
                           "tensors '%s' and '%s' cannot be put together: %s and %s",
                           j->first->name, j->second->name, dtype_name(j->first->dtype),
                           dtype_name(j->second->dtype));
    j->t = &b->out->items[b->out->n++];
    *j->t = (struct export_tensor){.name = arena_strdup(b->arena, place.name),
                                   .dtype = j->first->dtype,
                                   .n_dim = 2,
                                   .dim = {rows, cols}};
    return j->t->name && export_pieces(j->t, rows, 1, b->arena) ? JL_OK : no_memory(b);
}

/* n rows of a matrix, from row `at` on. */
static void put_rows(struct join *j, const struct weight *w, int64_t at, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        j->t->pieces[j->n++] = w->data + (size_t)(at + i) * w->stride;
}

/* ---- recurrent layers: q, k, v and z of a key head stand together ---- */

static void join_delta(struct join *j) {
    const struct hparams *hp = &j->b->model->hp;
    int64_t heads = hp->delta_head_k, d_k = hp->delta_dim_k;
    int64_t values = hp->delta_head_v / heads * hp->delta_dim_v;
    for (int64_t h = 0; h < heads; h++) {
        put_rows(j, j->first, h * d_k, d_k);
        put_rows(j, j->first, (heads + h) * d_k, d_k);
        put_rows(j, j->first, 2 * heads * d_k + h * values, values);
        put_rows(j, j->second, h * values, values);
    }
}

/* ---- latent attention: a head's keys, which the half has turned, then its values ---- */

/* Turned back into (n_head, nope, kv_lora). NULL: out of memory. */
static uint8_t *turn_keys(const struct join *j, size_t bytes) {
    const struct hparams *hp = &j->b->model->hp;
    size_t heads = (size_t)hp->n_head, nope = (size_t)j->first->n_in;
    size_t latent = (size_t)hp->kv_lora_rank;
    uint8_t *to = arena_calloc(j->b->arena, heads * nope * latent, bytes);
    for (size_t h = 0; to && h < heads; h++)
        for (size_t k = 0; k < latent; k++) {
            const uint8_t *from = j->first->data + (h * latent + k) * j->first->stride;
            for (size_t i = 0; i < nope; i++)
                memcpy(to + ((h * nope + i) * latent + k) * bytes, from + i * bytes, bytes);
        }
    return to;
}

/* In F32. False: out of memory. */
static bool dequantise(const struct join *j, struct weight *w) {
    float *to = arena_calloc(j->b->arena, (size_t)w->n_out * (size_t)w->n_in, sizeof *to);
    for (int row = 0; to && row < w->n_out; row++)
        dtype_dequantize(w->dtype, w->data + (size_t)row * w->stride,
                         to + (size_t)row * (size_t)w->n_in, w->n_in);
    w->data = (const uint8_t *)to;
    w->dtype = DTYPE_F32;
    w->stride = (size_t)w->n_in * sizeof *to;
    return to != NULL;
}

static enum jl_status join_latent(struct join *j) {
    const struct hparams *hp = &j->b->model->hp;
    struct weight keys = *j->first, values = *j->second;
    if (dtype_row(keys.dtype)->block > 1) {
        if (!j->b->convert)
            return report_fail(j->b->err, JL_ERR_USAGE, j->b->model->file->path,
                               "tensor '%s' is %s, which a folder cannot hold; ask for BF16, F16 "
                               "or F32",
                               keys.name, dtype_name(keys.dtype));
        if (!dequantise(j, &keys) || !dequantise(j, &values)) return no_memory(j->b);
    }
    j->t->dtype = keys.dtype;
    j->first = &keys;
    size_t bytes = (size_t)dtype_row(keys.dtype)->bytes;
    keys.data = turn_keys(j, bytes);
    keys.stride = (size_t)hp->kv_lora_rank * bytes;
    if (!keys.data) return no_memory(j->b);
    for (int64_t h = 0; h < hp->n_head; h++) {
        put_rows(j, &keys, h * keys.n_in, keys.n_in);
        put_rows(j, &values, h * hp->head_dim_v, hp->head_dim_v);
    }
    return JL_OK;
}

enum jl_status export_join(struct export_bound *b, enum role_id role, int layer) {
    bool latent = role == ROLE_ATTN_K_UP;
    enum role_id other = latent ? ROLE_ATTN_V_UP : ROLE_DELTA_Z;
    if (role != ROLE_ATTN_K_UP && role != ROLE_DELTA_QKV) return JL_OK; // put with its first half
    struct join j = {.b = b,
                     .first = model_weight(b->model, role, layer),
                     .second = model_weight(b->model, other, layer)};
    JL_TRY(start(&j, latent ? ROLE_ATTN_KV_UP : ROLE_DELTA_QKVZ, layer));
    if (latent) return join_latent(&j);
    join_delta(&j);
    return JL_OK;
}
