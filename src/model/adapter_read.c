/* The tensors of an adapter's file as pairs of a base: names, shapes, the order of rows. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "format/report.h"
#include "model/adapter_self.h"

/* ---- names ---- */

void adapter_tensor_name(enum model_file_kind kind, enum role_id role, const char *name, bool is_b,
                         char out[ADAPTER_NAME]) {
    size_t n = strlen(name), tail = strlen(".weight");
    if (kind == MODEL_FILE_GGUF)
        snprintf(out, ADAPTER_NAME, "%s.lora_%c", name, is_b ? 'b' : 'a');
    else if (adapter_is_lookup(role))
        snprintf(out, ADAPTER_NAME, "base_model.model.%.*s.lora_embedding_%c", (int)(n - tail),
                 name, is_b ? 'B' : 'A');
    else
        snprintf(out, ADAPTER_NAME, "base_model.model.%.*s.lora_%c.weight", (int)(n - tail), name,
                 is_b ? 'B' : 'A');
}

/* ---- order of rows and columns ---- */

void adapter_turn(const float *from, int rows, int cols, float *to) {
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c++)
            to[(size_t)c * (size_t)rows + (size_t)r] = from[(size_t)r * (size_t)cols + (size_t)c];
}

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

static const struct tensor_info *find_named(const struct reader *r, const char *want) {
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

static const struct tensor_info *find(const struct reader *r, enum role_id role, const char *name,
                                      bool is_b) {
    char want[ADAPTER_NAME];
    adapter_tensor_name(r->file->kind, role, name, is_b, want);
    return find_named(r, want);
}

static enum jl_status bad(const struct reader *r, const struct tensor_info *t, const char *what) {
    return report_fail(r->err, JL_ERR_FORMAT, r->file->path, "tensor %s %s",
                       report_quote_str(t->name).text, what);
}

/* (rows, cols), of which a GGUF file leaves out an outer 1. */
static bool dims_of(const struct tensor_info *t, int64_t *rows, int64_t *cols) {
    if (t->n_dim < 1 || t->n_dim > 2) return false;
    *rows = t->n_dim == 2 ? t->dim[0] : 1;
    *cols = t->dim[t->n_dim - 1];
    return true;
}

static enum jl_status check_shapes(const struct reader *r, const struct tensor_info *a,
                                   const struct tensor_info *b, struct adapter_pair *pair,
                                   int parts) {
    int64_t a_rows, a_cols, b_rows, b_cols, n_out = (int64_t)pair->n_out * parts;
    // rows are looked up, and a file's first dimension counts them
    bool by_token = adapter_is_lookup(pair->role) && r->file->kind == MODEL_FILE_GGUF;
    bool there = dims_of(a, &a_rows, &a_cols) && dims_of(b, &b_rows, &b_cols);
    int64_t rank = there ? by_token ? a_cols : a_rows : 0;
    if (!there || (by_token ? a_rows : a_cols) != pair->n_in || b_rows != n_out || rank != b_cols ||
        rank < 1 || rank > ADAPTER_MAX_RANK) {
        char what[160];
        snprintf(what, sizeof what,
                 "and its other half must be (%s%d%s) and (%lld, rank), as the base's matrix of "
                 "%lld x %d asks",
                 by_token ? "" : "rank, ", pair->n_in, by_token ? ", rank" : "", (long long)n_out,
                 (long long)n_out, pair->n_in);
        return bad(r, a, what);
    }
    pair->rank = (int)rank;
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

/* (rank, n_in), or as rows of an embedding stand. */
static enum jl_status read_a(const struct reader *r, const struct tensor_info *a,
                             const struct adapter_pair *pair) {
    bool turned = adapter_a_turned(r->file->kind, pair->role);
    bool by_token = adapter_is_lookup(pair->role) && !turned;
    int rows = by_token ? pair->n_in : pair->rank, cols = by_token ? pair->rank : pair->n_in;
    enum jl_status status = JL_OK;
    float *to = turned ? calloc((size_t)rows * (size_t)cols, sizeof *to) : pair->a;
    if (!to) return adapter_no_memory(r->file->path, r->err);
    for (int k = 0; k < rows && status == JL_OK; k++)
        status = read_row(r, a, k, cols, to + (size_t)k * (size_t)cols);
    if (!turned) return status;
    adapter_turn(to, rows, cols, pair->a);
    free(to);
    return status;
}

static enum jl_status read_pair(struct reader *r, const struct role_source *source, int layer,
                                const char *name, const struct tensor_info *a,
                                const struct tensor_info *b) {
    struct adapter_pair *pair = &r->adapter->pairs[r->adapter->n];
    enum model_file_kind to = r->base->file->kind;
    *pair = (struct adapter_pair){.role = source->role, .layer = layer};
    adapter_shape(r->base, pair->role, layer, &pair->n_in, &pair->n_out);
    JL_TRY(check_shapes(r, a, b, pair, source->parts ? source->parts : 1));
    JL_TRY(r->file->pair(r->file, name, pair->rank, &pair->alpha, r->err));
    if (!isfinite(adapter_factor(pair)) || pair->alpha == 0)
        return bad(r, a, "has an alpha that is zero or not finite");
    if (!adapter_room(r->adapter, pair)) return adapter_no_memory(r->file->path, r->err);
    JL_TRY(read_a(r, a, pair));
    for (int o = 0; o < pair->n_out; o++)
        JL_TRY(read_row(r, b,
                        (int64_t)source->part * pair->n_out +
                            adapter_row(r->base, pair->role, r->file->kind, to, o),
                        pair->rank, pair->b + (size_t)o * (size_t)pair->rank));
    r->claimed[a - r->file->tensors] = r->claimed[b - r->file->tensors] = true;
    r->adapter->n++;
    return JL_OK;
}

/* ---- copies of the base ---- */

/* How far a row of a copy may be from the base's, of its own length: by the rounding of one float
 * type to another, or of a quantised base by what that has cost. */
#define NEAR_FLOAT 0x1p-7
#define NEAR_QUANTISED 0.5

static bool is_near(const float *copy, const struct weight *w, int row, float *scratch) {
    double square = 0, off = 0;
    double most = dtype_row(w->dtype)->block > 1 ? NEAR_QUANTISED : NEAR_FLOAT;
    dtype_dequantize(w->dtype, w->data + (size_t)row * w->stride, scratch, w->n_in);
    for (int i = 0; i < w->n_in; i++) {
        double d = (double)copy[i] - (double)scratch[i];
        square += (double)copy[i] * (double)copy[i];
        off += d * d;
    }
    return off <= most * most * square;
}

static enum jl_status check_copy(const struct reader *r, const struct tensor_info *t,
                                 const struct weight *w, float *rows) {
    int64_t n_row, n_col;
    if (!dims_of(t, &n_row, &n_col) || n_row != w->n_out || n_col != w->n_in)
        return bad(r, t,
                   "is no copy of the base's: its shape is another. Was the vocabulary "
                   "resized?");
    for (int row = 0; row < w->n_out; row++) {
        JL_TRY(read_row(r, t, row, w->n_in, rows));
        if (!is_near(rows, w, row, rows + w->n_in))
            return bad(r, t,
                       "is no copy of the base's: its numbers are others, and an adapter "
                       "does not replace them");
    }
    return JL_OK;
}

/* PEFT saves the base's embedding or head beside an adapter on it ("save_embedding_layers"). */
static enum jl_status read_copy(struct reader *r, const char *name, const struct weight *w) {
    char want[ADAPTER_NAME];
    size_t n = strlen(name) - strlen(".weight");
    snprintf(want, sizeof want, "base_model.model.%.*s.base_layer.weight", (int)n, name);
    const struct tensor_info *t = find_named(r, want);
    if (!t) return JL_OK;
    float *rows = calloc(2 * (size_t)w->n_in, sizeof *rows);
    enum jl_status status =
        rows ? check_copy(r, t, w, rows) : adapter_no_memory(r->file->path, r->err);
    free(rows);
    r->claimed[t - r->file->tensors] = true;
    return status;
}

/* ---- all of them ---- */

static enum jl_status read_role(struct reader *r, enum role_id role, int layer) {
    struct role_source source;
    const char *why;
    for (int k = 0; bind_source(r->base->family, r->file->kind, role, k, &source); k++) {
        char name[BIND_NAME];
        bind_put_name(name, r->file->kind == MODEL_FILE_GGUF ? source.gguf : source.hf, layer, 0);
        const struct tensor_info *a = find(r, role, name, false), *b = find(r, role, name, true);
        if (!a && !b) continue;
        if (!adapter_can(r->base, role, layer, &why)) return bad(r, a ? a : b, why);
        if (!a || !b)
            return bad(r, a ? a : b, a ? "has no lora_B beside it" : "has no lora_A beside it");
        JL_TRY(read_pair(r, &source, layer, name, a, b));
        return layer < 0 && r->file->kind == MODEL_FILE_HF
                   ? read_copy(r, name, model_weight(r->base, role, layer))
                   : JL_OK;
    }
    return JL_OK;
}

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
            int n_in, n_out;
            if (own == (layer < 0) && adapter_shape(r->base, role, layer, &n_in, &n_out))
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
