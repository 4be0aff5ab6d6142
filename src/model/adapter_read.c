/* The tensors of an adapter's file as pairs of a base. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "format/report.h"
#include "model/adapter_self.h"

struct reader {
    const struct model *base;
    const struct adapter_file *file;
    struct adapter *adapter;
    bool *claimed; // [file->n]
    struct jl_error *err;
};

static enum jl_status bad(const struct reader *r, const struct tensor_info *t, const char *what) {
    return adapter_tensor_bad(r->file, t, what, r->err);
}

/* ---- the two halves of a pair in the file ---- */

struct halves {
    const struct tensor_info *a, *b;
    const char *name; // of the base's tensor
    int matrices;     // that both hold: all experts', or one
    int64_t n_out;    // rows of b, which may be those of several roles
    struct adapter_shape shape;
    bool by_token; // a is (n_in, rank)
};

static enum jl_status bad_shapes(const struct reader *r, const struct halves *h) {
    char what[192], each[24] = "", a[48];
    if (h->matrices > 1) snprintf(each, sizeof each, "%d, ", h->matrices);
    snprintf(a, sizeof a, h->by_token ? "%d, rank" : "rank, %d", h->shape.n_in);
    snprintf(what, sizeof what,
             "and its other half must be (%s%s) and (%s%lld, rank), as the base's matrix of %lld x "
             "%d asks",
             each, a, each, (long long)h->n_out, (long long)h->n_out, h->shape.n_in);
    return bad(r, h->a, what);
}

static enum jl_status check_shapes(const struct reader *r, const struct halves *h, int *out) {
    int64_t a[3], b[3], n = h->matrices;
    bool experts = h->shape.n_expert > 0;
    if (!adapter_tensor_dims(h->a, experts, a) || !adapter_tensor_dims(h->b, experts, b))
        return bad_shapes(r, h);
    int64_t rank = h->by_token ? a[2] : a[1], n_in = h->by_token ? a[1] : a[2];
    if (a[0] != n || b[0] != n || n_in != h->shape.n_in || b[1] != h->n_out || rank != b[2] ||
        rank < 1 || rank > ADAPTER_MAX_RANK)
        return bad_shapes(r, h);
    *out = (int)rank;
    return JL_OK;
}

static const struct tensor_info *find_half(const struct reader *r, enum role_id role,
                                           const char *name, bool is_b) {
    char want[ADAPTER_NAME];
    adapter_tensor_name(r->file->kind, role, name, is_b, want);
    return model_file_find_in(r->file->tensors, r->file->n, want);
}

/* Both halves, or neither. */
static enum jl_status find_halves(const struct reader *r, const struct role_source *source,
                                  int layer, struct halves *h) {
    const char *why;
    h->a = find_half(r, source->role, h->name, false);
    h->b = find_half(r, source->role, h->name, true);
    if (!h->a && !h->b) return JL_OK;
    if (!adapter_can(r->base, source->role, layer, &why)) return bad(r, h->a ? h->a : h->b, why);
    if (!h->a || !h->b)
        return bad(r, h->a ? h->a : h->b,
                   h->a ? "has no lora_B beside it" : "has no lora_A beside it");
    adapter_shape(r->base, source->role, layer, &h->shape);
    h->n_out = (int64_t)h->shape.n_out * (source->parts ? source->parts : 1);
    h->by_token = adapter_a_by_token(r->file->kind, source->role);
    r->claimed[h->a - r->file->tensors] = r->claimed[h->b - r->file->tensors] = true;
    return JL_OK;
}

static enum jl_status read_size(const struct reader *r, const struct halves *h, int *rank,
                                double *alpha) {
    JL_TRY(check_shapes(r, h, rank));
    JL_TRY(r->file->pair(r->file, h->name, *rank, alpha, r->err));
    if (!isfinite((float)(*alpha / *rank)) || *alpha == 0)
        return bad(r, h->a, "has an alpha that is zero or not finite");
    return JL_OK;
}

/* ---- one pair ---- */

static enum jl_status start_pair(struct reader *r, const struct role_source *source, int layer,
                                 const struct halves *h, int rank, double alpha) {
    struct adapter_pair *pair = &r->adapter->pairs[r->adapter->n];
    *pair = (struct adapter_pair){.role = source->role,
                                  .layer = layer,
                                  .n_expert = h->shape.n_expert,
                                  .rank = rank,
                                  .n_in = h->shape.n_in,
                                  .n_out = h->shape.n_out,
                                  .alpha = alpha};
    if (!adapter_room(r->adapter, pair)) return adapter_no_memory(r->file->path, r->err);
    r->adapter->n++;
    return JL_OK;
}

/* Rows first .. first+n-1 of the tensor. */
static enum jl_status read_rows(const struct reader *r, const struct tensor_info *t, int64_t first,
                                int n, int cols, float *to) {
    for (int i = 0; i < n; i++)
        JL_TRY(
            adapter_tensor_row(r->file, t, first + i, cols, to + (size_t)i * (size_t)cols, r->err));
    return JL_OK;
}

/* Of an embedding whose tokens stand side by side in the file. */
static enum jl_status read_turned(const struct reader *r, const struct halves *h,
                                  const struct adapter_pair *pair) {
    float *rows = calloc(adapter_n_a(pair), sizeof *rows);
    if (!rows) return adapter_no_memory(r->file->path, r->err);
    enum jl_status status = read_rows(r, h->a, 0, pair->rank, pair->n_in, rows);
    if (status == JL_OK) adapter_turn(rows, pair->rank, pair->n_in, pair->a);
    free(rows);
    return status;
}

/* A of matrix `from` of the halves, as matrix `to` of the pair; and B. */
static enum jl_status read_a(const struct reader *r, const struct halves *h,
                             const struct adapter_pair *pair, int from, int to) {
    int rows = h->by_token ? pair->n_in : pair->rank, cols = h->by_token ? pair->rank : pair->n_in;
    if (adapter_a_turned(r->file->kind, pair->role)) return read_turned(r, h, pair);
    return read_rows(r, h->a, (int64_t)from * rows, rows, cols,
                     pair->a + (size_t)to * (size_t)rows * (size_t)cols);
}

static enum jl_status read_b(const struct reader *r, const struct halves *h,
                             const struct role_source *source, const struct adapter_pair *pair,
                             int from, int to) {
    size_t rank = (size_t)pair->rank;
    float *b = pair->b + (size_t)to * rank * (size_t)pair->n_out;
    int64_t first = (int64_t)from * h->n_out + (int64_t)source->part * pair->n_out;
    for (int o = 0; o < pair->n_out; o++) {
        int row = adapter_row(r->base, pair->role, r->file->kind, r->base->file->kind, o);
        JL_TRY(read_rows(r, h->b, first + row, 1, pair->rank, b + (size_t)o * rank));
    }
    return JL_OK;
}

static enum jl_status read_matrix(const struct reader *r, const struct halves *h,
                                  const struct role_source *source, const struct adapter_pair *pair,
                                  int from, int to) {
    JL_TRY(read_a(r, h, pair, from, to));
    return read_b(r, h, source, pair, from, to);
}

/* ---- a role of a layer ---- */

static enum jl_status read_copy(struct reader *r, enum role_id role, const char *name) {
    const struct tensor_info *copy;
    JL_TRY(adapter_copy_check(r->file, name, model_weight(r->base, role, -1), &copy, r->err));
    if (copy) r->claimed[copy - r->file->tensors] = true;
    return JL_OK;
}

/* One pair of tensors, of all experts where the role has some. */
static enum jl_status read_whole(struct reader *r, const struct role_source *source, int layer,
                                 const char *pattern, bool *found) {
    char name[BIND_NAME];
    struct halves h = {.name = name};
    int rank;
    double alpha;
    bind_put_name(name, pattern, layer, 0);
    JL_TRY(find_halves(r, source, layer, &h));
    *found = h.a != NULL;
    if (!*found) return JL_OK;
    h.matrices = h.shape.n_expert ? h.shape.n_expert : 1;
    JL_TRY(read_size(r, &h, &rank, &alpha));
    JL_TRY(start_pair(r, source, layer, &h, rank, alpha));
    for (int m = 0; m < h.matrices; m++)
        JL_TRY(read_matrix(r, &h, source, &r->adapter->pairs[r->adapter->n - 1], m, m));
    bool copied = layer < 0 && r->file->kind == MODEL_FILE_HF;
    return copied ? read_copy(r, source->role, name) : JL_OK;
}

/* A pair of tensors an expert; those that have none get zeros, which add nothing. */
static enum jl_status read_apart(struct reader *r, const struct role_source *source, int layer,
                                 const char *pattern, bool *found) {
    struct adapter_pair *pair = &r->adapter->pairs[r->adapter->n];
    *found = false;
    for (int e = 0; e < r->base->hp.n_expert; e++) {
        char name[BIND_NAME];
        struct halves h = {.name = name, .matrices = 1};
        int rank;
        double alpha;
        bind_put_name(name, pattern, layer, e);
        JL_TRY(find_halves(r, source, layer, &h));
        if (!h.a) continue;
        JL_TRY(read_size(r, &h, &rank, &alpha));
        if (!*found) JL_TRY(start_pair(r, source, layer, &h, rank, alpha));
        *found = true;
        if (rank != pair->rank || alpha != pair->alpha)
            return bad(r, h.a,
                       "has another rank or alpha than an expert before it; those of one layer "
                       "must have one");
        JL_TRY(read_matrix(r, &h, source, pair, 0, e));
    }
    return JL_OK;
}

static enum jl_status read_role(struct reader *r, enum role_id role, int layer) {
    struct role_source source;
    bool found = false;
    for (int k = 0; !found && bind_source(r->base->family, r->file->kind, role, k, &source); k++) {
        const char *pattern = r->file->kind == MODEL_FILE_GGUF ? source.gguf : source.hf;
        bool apart = strstr(pattern, "%e") != NULL;
        JL_TRY((apart ? read_apart : read_whole)(r, &source, layer, pattern, &found));
    }
    return JL_OK;
}

/* ---- all of them ---- */

static enum jl_status check_claimed(const struct reader *r) {
    for (size_t i = 0; i < r->file->n; i++)
        if (!r->claimed[i])
            return report_fail(r->err, JL_ERR_FORMAT, r->file->path,
                               "tensor %s belongs to no matrix of the base %s (%s): it is an "
                               "adapter of another model, or more than an adapter",
                               report_quote_str(r->file->tensors[i].name).text, r->base->file->path,
                               r->base->family->name);
    if (r->adapter->n) return JL_OK;
    return report_fail(r->err, JL_ERR_FORMAT, r->file->path, "the adapter holds no tensors");
}

static enum jl_status read_all(struct reader *r) {
    const struct hparams *hp = &r->base->hp;
    for (int layer = -1; layer < hparams_n_block(hp); layer++)
        for (int i = ROLE_NONE + 1; i < ROLE_COUNT; i++) {
            enum role_id role = (enum role_id)i;
            bool own = role_row(role)->scope == SCOPE_MODEL;
            struct adapter_shape shape;
            if (own == (layer < 0) && adapter_shape(r->base, role, layer, &shape))
                JL_TRY(read_role(r, role, layer));
        }
    return check_claimed(r);
}

enum jl_status adapter_read_pairs(const struct model *base, const struct adapter_file *file,
                                  struct adapter **out, struct jl_error *err) {
    struct reader r = {.base = base, .file = file, .err = err};
    *out = NULL;
    r.adapter = adapter_new(file->name, (hparams_n_block(&base->hp) + 1) * ROLE_COUNT);
    r.claimed = calloc(file->n + 1, sizeof *r.claimed);
    enum jl_status status =
        r.adapter && r.claimed ? read_all(&r) : adapter_no_memory(file->path, err);
    free(r.claimed);
    if (status != JL_OK) {
        adapter_free(r.adapter);
        return status;
    }
    *out = r.adapter;
    return JL_OK;
}

enum jl_status adapter_open(const struct model *base, const char *path, struct adapter **out,
                            struct jl_error *err) {
    *out = NULL;
    return file_is_dir(path) ? adapter_open_folder(base, path, out, err)
                             : adapter_open_gguf(base, path, out, err);
}
