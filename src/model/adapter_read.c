/* The tensors of an adapter's file as pairs of a base: names, shapes, the order of rows. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "format/report.h"
#include "model/adapter_self.h"

/* ---- names ---- */

void adapter_tensor_name(enum model_file_kind kind, const char *name, bool is_b,
                         char out[ADAPTER_NAME]) {
    size_t n = strlen(name), tail = strlen(".weight");
    if (kind == MODEL_FILE_GGUF)
        snprintf(out, ADAPTER_NAME, "%s.lora_%c", name, is_b ? 'b' : 'a');
    else
        snprintf(out, ADAPTER_NAME, "base_model.model.%.*s.lora_%c.weight", (int)(n - tail), name,
                 is_b ? 'B' : 'A');
}

/* ---- order of rows ---- */

static enum rope_pairs pairs_of(const struct family *family, enum model_file_kind kind) {
    bool gguf = kind == MODEL_FILE_GGUF;
    return gguf ? family->rope_gguf : family->rope_hf;
}

int adapter_row(const struct model *base, enum role_id role, enum model_file_kind from,
                enum model_file_kind to, int row) {
    const struct hparams *hp = &base->hp;
    enum rope_pairs order = pairs_of(base->family, to);
    int half = hp->n_rot / 2;
    if (order == pairs_of(base->family, from) || (role != ROLE_ATTN_Q && role != ROLE_ATTN_K))
        return row;
    int i = row % hp->head_dim_k;
    if (i >= hp->n_rot) return row;
    return row - i + (order == ROPE_INTERLEAVED ? i % 2 * half + i / 2 : i % half * 2 + i / half);
}

/* ---- one pair ---- */

struct reader {
    const struct model *base;
    const struct adapter_file *file;
    struct adapter *adapter;
    bool *claimed; // [file->n]
    struct jl_error *err;
};

static const struct tensor_info *find(const struct reader *r, const char *name, bool is_b) {
    char want[ADAPTER_NAME];
    adapter_tensor_name(r->file->kind, name, is_b, want);
    size_t lo = 0, hi = r->file->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(want, r->file->tensors[mid].name);
        if (order == 0) return &r->file->tensors[mid];
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

static enum jl_status bad(const struct reader *r, const struct tensor_info *t, const char *what) {
    return report_fail(r->err, JL_ERR_FORMAT, r->file->path, "tensor %s %s",
                       report_quote_str(t->name).text, what);
}

/* (experts, rows, cols), of which a GGUF file leaves out outer ones of size 1; one expert without
 * any. */
static bool dims_of(const struct tensor_info *t, bool experts, int64_t dim[3]) {
    if (t->n_dim < 1 || t->n_dim > 2 + experts) return false;
    for (int i = 0; i < 3; i++)
        dim[i] = i < 3 - t->n_dim ? 1 : t->dim[i - (3 - t->n_dim)];
    return true;
}

/* The two halves of a pair in the file. */
struct halves {
    const struct tensor_info *a, *b;
    const char *name; // of the base's tensor
    int matrices;     // that both hold: all experts', or one
    int64_t n_out;    // rows of b, which may be those of several roles
    const struct weight *w;
};

static enum jl_status check_shapes(const struct reader *r, const struct halves *h, int *rank) {
    int64_t a[3], b[3], n = h->matrices;
    bool experts = h->w->n_expert > 0;
    if (!dims_of(h->a, experts, a) || !dims_of(h->b, experts, b) || a[0] != n || b[0] != n ||
        a[2] != h->w->n_in || b[1] != h->n_out || a[1] != b[2] || a[1] < 1 ||
        a[1] > ADAPTER_MAX_RANK) {
        char what[192], each[24] = "";
        if (n > 1) snprintf(each, sizeof each, "%lld, ", (long long)n);
        snprintf(what, sizeof what,
                 "and its other half must be (%srank, %d) and (%s%lld, rank), as the base's matrix "
                 "of %lld x %d asks",
                 each, h->w->n_in, each, (long long)h->n_out, (long long)h->n_out, h->w->n_in);
        return bad(r, h->a, what);
    }
    *rank = (int)a[1];
    return JL_OK;
}

/* One row, dequantised and looked at. */
static enum jl_status read_row(const struct reader *r, const struct tensor_info *t, int64_t row,
                               int64_t cols, float *to) {
    size_t stride;
    if (dtype_row(t->dtype)->x_f32 == XFMT_NONE || t->dtype == DTYPE_F8_E4M3 ||
        !dtype_row_bytes(t->dtype, cols, &stride))
        return report_fail(r->err, JL_ERR_UNSUPPORTED, r->file->path,
                           "tensor %s is %s; an adapter's are F32, F16, BF16 or quantised",
                           report_quote_str(t->name).text, dtype_name(t->dtype));
    dtype_dequantize(t->dtype, t->data + (size_t)row * stride, to, cols);
    for (int64_t i = 0; i < cols; i++)
        if (!isfinite(to[i])) return bad(r, t, "holds a number that is not finite");
    return JL_OK;
}

/* Both halves, or neither. */
static enum jl_status find_halves(const struct reader *r, const struct role_source *source,
                                  int layer, struct halves *h) {
    const char *why;
    h->a = find(r, h->name, false);
    h->b = find(r, h->name, true);
    if (!h->a && !h->b) return JL_OK;
    if (!adapter_can(r->base, source->role, layer, &why)) return bad(r, h->a ? h->a : h->b, why);
    if (!h->a || !h->b)
        return bad(r, h->a ? h->a : h->b,
                   h->a ? "has no lora_B beside it" : "has no lora_A beside it");
    h->w = model_weight(r->base, source->role, layer);
    h->n_out = (int64_t)h->w->n_out * (source->parts ? source->parts : 1);
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

/* Matrix `from` of the halves, as matrix `to` of the pair. */
static enum jl_status read_matrix(const struct reader *r, const struct halves *h,
                                  const struct role_source *source, struct adapter_pair *pair,
                                  int from, int to) {
    size_t rank = (size_t)pair->rank, n_in = (size_t)pair->n_in, n_out = (size_t)pair->n_out;
    float *a = pair->a + (size_t)to * rank * n_in, *b = pair->b + (size_t)to * rank * n_out;
    int64_t first = (int64_t)from * h->n_out + (int64_t)source->part * pair->n_out;
    for (int k = 0; k < pair->rank; k++)
        JL_TRY(read_row(r, h->a, (int64_t)from * pair->rank + k, pair->n_in, a + (size_t)k * n_in));
    for (int o = 0; o < pair->n_out; o++)
        JL_TRY(read_row(r, h->b,
                        first +
                            adapter_row(r->base, pair->role, r->file->kind, r->base->file->kind, o),
                        pair->rank, b + (size_t)o * rank));
    return JL_OK;
}

static enum jl_status start_pair(struct reader *r, const struct role_source *source, int layer,
                                 int rank, double alpha) {
    const struct weight *w = model_weight(r->base, source->role, layer);
    struct adapter_pair *pair = &r->adapter->pairs[r->adapter->n];
    *pair = (struct adapter_pair){.role = source->role,
                                  .layer = layer,
                                  .n_expert = w->n_expert,
                                  .rank = rank,
                                  .n_in = w->n_in,
                                  .n_out = w->n_out,
                                  .alpha = alpha};
    if (!adapter_room(r->adapter, pair)) return adapter_no_memory(r->file->path, r->err);
    r->adapter->n++;
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
    h.matrices = h.w->n_expert ? h.w->n_expert : 1;
    JL_TRY(read_size(r, &h, &rank, &alpha));
    JL_TRY(start_pair(r, source, layer, rank, alpha));
    for (int m = 0; m < h.matrices; m++)
        JL_TRY(read_matrix(r, &h, source, &r->adapter->pairs[r->adapter->n - 1], m, m));
    return JL_OK;
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
        if (!*found) JL_TRY(start_pair(r, source, layer, rank, alpha));
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
            if (own == (layer < 0) && model_weight(r->base, role, layer))
                JL_TRY(read_role(r, role, layer));
        }
    return check_claimed(r);
}

enum jl_status adapter_read_pairs(const struct model *base, const struct adapter_file *file,
                                  struct adapter **out, struct jl_error *err) {
    struct reader r = {.base = base, .file = file, .err = err};
    *out = NULL;
    r.adapter = adapter_new(file->name, hparams_n_block(&base->hp) * ROLE_COUNT);
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
