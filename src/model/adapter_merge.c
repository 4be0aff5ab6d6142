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

static bool stands_on(const struct adapter_pair *pair, enum role_id role, int layer) {
    return pair->role == role && pair->layer == layer;
}

/* row += B[o] A: a chain over the rank from +0, then one addition. Row o of the matrices, expert
 * after expert. */
static void add_row(struct merge *m, const struct adapter_pair *pair, float scale, size_t o) {
    float factor = (float)(pair->alpha / pair->rank * (double)scale);
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

static bool is_touched(const struct merge *m, enum role_id role, int layer) {
    for (int u = 0; u < m->n; u++)
        for (int k = 0; k < m->uses[u].adapter->n; k++)
            if (stands_on(&m->uses[u].adapter->pairs[k], role, layer)) return true;
    return false;
}

static enum jl_status merge_matrix(struct merge *m, const struct own_tensor *t) {
    const struct weight *w = t->w;
    if (!t->learned)
        return report_fail(m->err, JL_ERR_UNSUPPORTED, m->model->file->path,
                           "tensor '%s' is %s: an adapter is merged into F32, F16 or BF16 weights, "
                           "which can be quantised afterwards",
                           w->name, dtype_name(w->dtype));
    for (size_t o = 0; o < t->n / (size_t)w->n_in; o++) {
        size_t first = o * (size_t)w->n_in;
        own_read(m->model, w->id, first, m->row, (size_t)w->n_in);
        for (int u = 0; u < m->n; u++)
            for (int k = 0; k < m->uses[u].adapter->n; k++) {
                const struct adapter_pair *pair = &m->uses[u].adapter->pairs[k];
                if (stands_on(pair, t->role, t->layer)) add_row(m, pair, m->uses[u].scale, o);
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
            const struct weight *w = pair->layer < hparams_n_block(&m->model->hp)
                                         ? model_weight(m->model, pair->role, pair->layer)
                                         : NULL;
            if (!w || w->n_in != pair->n_in || w->n_out != pair->n_out ||
                w->n_expert != pair->n_expert)
                return report_fail(m->err, JL_ERR_USAGE, m->model->file->path,
                                   "adapter %s was opened for another base",
                                   report_quote_str(m->uses[u].adapter->name).text);
            if (w->n_in > *widest) *widest = w->n_in;
        }
    return JL_OK;
}

static enum jl_status merge_all(struct merge *m) {
    for (int id = 0; id < own_count(m->model); id++) {
        struct own_tensor t = own_tensor(m->model, id);
        if (t.w && t.layer >= 0 && is_touched(m, t.role, t.layer)) JL_TRY(merge_matrix(m, &t));
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
