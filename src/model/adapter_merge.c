/* Adapters into the weights of an owned model. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/report.h"
#include "model/adapter_self.h"
#include "model/own.h"

struct merge {
    struct model *model;
    const struct adapter_use *uses;
    int n;
    float *row, *delta; // (n_in)
    struct jl_error *err;
};

/* kv_b may be two tensors, and is one matrix to the adapter. */
static bool is_half(enum role_id role) { return role == ROLE_ATTN_K_UP || role == ROLE_ATTN_V_UP; }

static bool stands_on(const struct adapter_pair *pair, enum role_id role, int layer) {
    return pair->layer == layer &&
           (pair->role == role || (pair->role == ROLE_ATTN_KV_UP && is_half(role)));
}

/* row += B[o] A: a chain over the rank from +0, then one addition. Row o of the matrices, expert
 * after expert. */
static void add_row(struct merge *m, const struct adapter_pair *pair, float scale, size_t o) {
    float factor = adapter_factor_at(pair, scale);
    size_t rank = (size_t)pair->rank, first = o / (size_t)pair->n_out * rank;
    const float *b = pair->b + o * rank;
    memset(m->delta, 0, (size_t)pair->n_in * sizeof *m->delta);
    for (int k = 0; k < pair->rank; k++) {
        const float *a = pair->a + (first + (size_t)k) * (size_t)pair->n_in;
        for (int i = 0; i < pair->n_in; i++)
            m->delta[i] = fmaf(b[k], factor == 1.0f ? a[i] : a[i] * factor, m->delta[i]);
    }
    for (int i = 0; i < pair->n_in; i++)
        m->row[i] += m->delta[i];
}

/* The same of rows o .. o+n-1 of B and one column of A, (rank) `step` apart: a part of a column of
 * B A. */
static void add_column(struct merge *m, const struct adapter_pair *pair, float scale,
                       const float *column, int step, size_t o, int n) {
    float factor = adapter_factor_at(pair, scale);
    for (int i = 0; i < n; i++) {
        const float *b = pair->b + (o + (size_t)i) * (size_t)pair->rank;
        float delta = 0;
        for (int k = 0; k < pair->rank; k++) {
            float a = column[(size_t)k * (size_t)step];
            delta = fmaf(b[k], factor == 1.0f ? a : a * factor, delta);
        }
        m->row[i] += delta;
    }
}

/* Row o of the tensor, of its experts one after the other. */
static void add_pair(struct merge *m, const struct adapter_pair *pair, float scale,
                     const struct own_tensor *t, size_t o) {
    const struct hparams *hp = &m->model->hp;
    int keys = hp->head_dim_k - hp->n_rot;
    size_t n_latent = (size_t)hp->kv_lora_rank, values = (size_t)hp->head_dim_v;
    size_t nope = (size_t)keys, joint = nope + values;
    if (adapter_is_lookup(pair->role)) {
        add_column(m, pair, scale, pair->a + o * (size_t)pair->rank, 1, 0, pair->n_out);
    } else if (t->role == ROLE_ATTN_K_UP) { // a head's keys, turned
        size_t head = o / n_latent;
        add_column(m, pair, scale, pair->a + o % n_latent, pair->n_in, head * joint, keys);
    } else if (t->role == ROLE_ATTN_V_UP) {
        add_row(m, pair, scale, o / values * joint + nope + o % values);
    } else {
        add_row(m, pair, scale, o);
    }
}

static bool is_touched(const struct merge *m, enum role_id role, int layer) {
    for (int u = 0; u < m->n; u++)
        for (int k = 0; k < m->uses[u].adapter->n; k++)
            if (stands_on(&m->uses[u].adapter->pairs[k], role, layer)) return true;
    return false;
}

/* ---- what cannot be ---- */

static enum jl_status refuse_type(const struct model *model, const struct weight *w,
                                  struct jl_error *err) {
    return report_fail(err, JL_ERR_UNSUPPORTED, model->file->path,
                       "tensor '%s' is %s: an adapter is merged into F32, F16 or BF16 weights, "
                       "which can be quantised afterwards",
                       w->name, dtype_name(w->dtype));
}

static enum jl_status check_ends(const struct model *model, int layer, struct jl_error *err) {
    if (layer >= 0 || !model->tied) return JL_OK;
    return report_fail(err, JL_ERR_UNSUPPORTED, model->file->path,
                       "the embedding and the output head are one tensor: an adapter on one of "
                       "them cannot be merged without changing the other; run the model with it "
                       "beside (--adapter)");
}

enum jl_status adapter_mergeable(const struct model *with, struct jl_error *err) {
    static const enum role_id halves[] = {ROLE_ATTN_K_UP, ROLE_ATTN_V_UP};
    for (int i = 0; i < with->n_adapter; i++) {
        const struct adapter_slot *slot = &with->adapters[i];
        const struct weight *w = model_weight(with, slot->role, slot->layer);
        JL_TRY(check_ends(with, slot->layer, err));
        for (int half = 0; half < 2; half++) {
            if (slot->role == ROLE_ATTN_KV_UP && model_weight(with, halves[half], slot->layer))
                w = model_weight(with, halves[half], slot->layer);
            if (!own_can(w->dtype)) return refuse_type(with, w, err);
        }
    }
    return JL_OK;
}

/* ---- the sum ---- */

static enum jl_status merge_matrix(struct merge *m, const struct own_tensor *t) {
    const struct weight *w = t->w;
    if (!t->learned) return refuse_type(m->model, w, m->err);
    for (size_t o = 0; o < t->n / (size_t)w->n_in; o++) {
        size_t first = o * (size_t)w->n_in;
        own_read(m->model, w->id, first, m->row, (size_t)w->n_in);
        for (int u = 0; u < m->n; u++)
            for (int k = 0; k < m->uses[u].adapter->n; k++) {
                const struct adapter_pair *pair = &m->uses[u].adapter->pairs[k];
                if (stands_on(pair, t->role, t->layer)) add_pair(m, pair, m->uses[u].scale, t, o);
            }
        own_write(m->model, w->id, first, m->row, (size_t)w->n_in);
    }
    return JL_OK;
}

/* Also finds what was opened for another base. */
static enum jl_status check_pairs(const struct merge *m, int *widest) {
    for (int u = 0; u < m->n; u++)
        for (int k = 0; k < m->uses[u].adapter->n; k++) {
            const struct adapter_pair *pair = &m->uses[u].adapter->pairs[k];
            if (!adapter_fits(m->model, pair))
                return report_fail(m->err, JL_ERR_USAGE, m->model->file->path,
                                   "adapter %s was opened for another base",
                                   report_quote_str(m->uses[u].adapter->name).text);
            JL_TRY(check_ends(m->model, pair->layer, m->err));
            int wide =
                pair->n_in > pair->n_out ? pair->n_in : pair->n_out; // whichever way it stands
            if (wide > *widest) *widest = wide;
        }
    return JL_OK;
}

static enum jl_status merge_all(struct merge *m) {
    for (int id = 0; id < own_count(m->model); id++) {
        struct own_tensor t = own_tensor(m->model, id);
        if (t.w && is_touched(m, t.role, t.layer)) JL_TRY(merge_matrix(m, &t));
    }
    return JL_OK;
}

enum jl_status adapter_merge(struct model *owned, const struct adapter_use *uses, int n,
                             struct jl_error *err) {
    struct merge m = {.model = owned, .uses = uses, .n = n, .err = err};
    int widest = 1;
    JL_TRY(check_pairs(&m, &widest));
    m.row = calloc((size_t)widest, sizeof *m.row);
    m.delta = calloc((size_t)widest, sizeof *m.delta);
    enum jl_status status =
        m.row && m.delta ? merge_all(&m) : adapter_no_memory(owned->file->path, err);
    free(m.row);
    free(m.delta);
    return status;
}
