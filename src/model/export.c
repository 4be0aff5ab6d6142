#include "model/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/report.h"

/* ---- rows ---- */

/* Which row of the source a head's row i is. The i-th pair of a rotation is rows (i, i + n_rot/2)
 * or (2i, 2i + 1); rows behind n_rot are not rotated. */
static int64_t paired(const struct export_tensor *t, int64_t i) {
    int64_t half = t->n_rot / 2;
    if (i >= t->n_rot) return i;
    return t->interleave ? i % 2 * half + i / 2 : i % half * 2 + i / half;
}

static int64_t source_row(const struct export_tensor *t, int64_t row) {
    if (!t->head_dim) return row;
    return row - row % t->head_dim + paired(t, row % t->head_dim);
}

const uint8_t *export_row(const struct export_tensor *t, int64_t row) {
    int64_t from = source_row(t, row);
    if (t->parts) return t->parts[from / t->part_rows] + (size_t)(from % t->part_rows) * t->stride;
    return t->data + (size_t)from * t->stride;
}

int64_t export_rows(const struct export_tensor *t) {
    int64_t rows = 1;
    for (int i = 0; i + 1 < t->n_dim; i++)
        rows *= t->dim[i];
    return rows;
}

/* ---- from a GGUF file ---- */

/* In the order in which the file, or the set of files, holds them. */
struct place {
    const struct tensor_info *tensor;
    size_t map;
};

static int by_place(const void *a, const void *b) {
    const struct place *x = a, *y = b;
    if (x->map != y->map) return x->map < y->map ? -1 : 1;
    return x->tensor->data < y->tensor->data ? -1 : x->tensor->data > y->tensor->data;
}

static size_t map_of(const struct model_file *file, const struct tensor_info *t) {
    size_t i = 0;
    while (i + 1 < file->n_map &&
           !(t->data >= file->maps[i].data && t->data < file->maps[i].data + file->maps[i].size))
        i++;
    return i;
}

static enum jl_status from_gguf(const struct model *model, struct arena *arena,
                                struct export_list *out, struct jl_error *err) {
    const struct model_file *file = model->file;
    struct place *places = arena_calloc(arena, file->n_tensor + 1, sizeof *places);
    out->items = arena_calloc(arena, file->n_tensor + 1, sizeof *out->items);
    if (!places || !out->items) return report_no_memory(err, file->path, "the list of tensors");
    for (size_t i = 0; i < file->n_tensor; i++)
        places[i] = (struct place){&file->tensors[i], map_of(file, &file->tensors[i])};
    qsort(places, file->n_tensor, sizeof *places, by_place);
    for (; out->n < file->n_tensor; out->n++) {
        const struct tensor_info *t = places[out->n].tensor;
        struct export_tensor *to = &out->items[out->n];
        *to = (struct export_tensor){
            .name = t->name, .dtype = t->dtype, .n_dim = t->n_dim, .data = t->data};
        memcpy(to->dim, t->dim, sizeof to->dim);
        if (!dtype_row_bytes(t->dtype, t->dim[t->n_dim - 1], &to->stride))
            return report_fail(err, JL_ERR_LIMIT, t->file, "a row of %s overflows",
                               report_quote_str(t->name).text);
    }
    return JL_OK;
}

/* ---- from a folder ---- */

/* Heads of queries and keys whose rows are paired for rotation, and what is added or multiplied to
 * them. */
static bool is_rotated(enum role_id role) {
    switch (role) {
    case ROLE_ATTN_Q:
    case ROLE_ATTN_K:
    case ROLE_ATTN_Q_B:
    case ROLE_ATTN_K_B:
    case ROLE_ATTN_Q_NORM:
    case ROLE_ATTN_K_NORM: return true;
    default: return false;
    }
}

/* A vector's elements in the order of rows; it is f32, as every bound vector. */
static bool pair_vector(struct export_tensor *t, struct arena *arena) {
    int64_t n = t->dim[0];
    const float *from = (const float *)(const void *)t->data;
    float *to = arena_calloc(arena, (size_t)n, sizeof *to);
    if (!to) return false;
    for (int64_t i = 0; i < n; i++)
        to[i] = from[source_row(t, i)];
    t->data = (const uint8_t *)to;
    t->head_dim = 0;
    return true;
}

static enum jl_status add_weight(const struct model *model, enum role_id role, int layer,
                                 struct arena *arena, struct export_list *out,
                                 struct jl_error *err) {
    const struct weight *w = model_weight(model, role, layer);
    if (!w || (role == ROLE_OUTPUT && model->tied)) return JL_OK;
    struct export_tensor *t = &out->items[out->n++];
    char name[128];
    bool vector = role_row(role)->rows == DIM_ONE;
    *t = (struct export_tensor){.dtype = w->dtype, .data = w->data, .stride = w->stride};
    t->n_dim = vector ? 1 : 2;
    t->dim[0] = vector ? w->n_in : w->n_out;
    t->dim[1] = vector ? 0 : w->n_in;
    if (is_rotated(role) && model->family->rope_gguf != model->family->rope_hf) {
        t->head_dim = model->hp.head_dim_k;
        t->n_rot = model->hp.n_rot;
        t->interleave = model->family->rope_gguf == ROPE_INTERLEAVED;
    }
    if (!role_gguf_name(role, layer, name, sizeof name) || !(t->name = arena_strdup(arena, name)) ||
        (vector && t->head_dim && !pair_vector(t, arena)))
        return report_no_memory(err, model->file->path, "the list of tensors");
    return JL_OK;
}

/* GGUF says llama3 scaling by the factor that each frequency is divided by. */
static enum jl_status add_rope_factors(const struct model *model, struct arena *arena,
                                       struct export_list *out, struct jl_error *err) {
    if (model->hp.rope.scaling != ROPE_LLAMA3) return JL_OK;
    struct export_tensor *t = &out->items[out->n++];
    size_t n = (size_t)model->hp.n_rot / 2;
    float *factors = arena_calloc(arena, n, sizeof *factors);
    if (!factors) return report_no_memory(err, model->file->path, "rotary factors");
    rope_factors(&model->hp, factors);
    *t = (struct export_tensor){.name = role_row(ROLE_ROPE_FREQS)->gguf,
                                .dtype = DTYPE_F32,
                                .n_dim = 1,
                                .dim = {(int64_t)n},
                                .data = (const uint8_t *)factors,
                                .stride = n * sizeof *factors};
    return JL_OK;
}

static enum jl_status from_folder(const struct model *model, struct arena *arena,
                                  struct export_list *out, struct jl_error *err) {
    size_t most = (size_t)ROLE_COUNT * ((size_t)model->hp.n_layer + 1);
    out->items = arena_calloc(arena, most, sizeof *out->items);
    if (!out->items) return report_no_memory(err, model->file->path, "the list of tensors");
    JL_TRY(add_rope_factors(model, arena, out, err));
    for (int layer = -1; layer < model->hp.n_layer; layer++)
        for (int role = ROLE_NONE + 1; role < ROLE_COUNT; role++)
            if ((role_row((enum role_id)role)->scope == SCOPE_MODEL) == (layer < 0))
                JL_TRY(add_weight(model, (enum role_id)role, layer, arena, out, err));
    return JL_OK;
}

enum jl_status export_tensors(const struct model *model, struct arena *arena,
                              struct export_list *out, struct jl_error *err) {
    *out = (struct export_list){0};
    return model->file->kind == MODEL_FILE_GGUF ? from_gguf(model, arena, out, err)
                                                : from_folder(model, arena, out, err);
}
