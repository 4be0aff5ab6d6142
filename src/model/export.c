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
    return t->pieces[from / t->piece_rows] + (size_t)(from % t->piece_rows) * t->stride;
}

void export_values(const struct export_tensor *t, int64_t row, float *x) {
    int64_t from = source_row(t, row), n = t->dim[t->n_dim - 1];
    dtype_dequantize(t->dtype, export_row(t, row), x, n);
    if (!t->scales) return;
    int64_t down = from % t->piece_rows / F8_SCALE_BLOCK;
    const float *scale = t->scales[from / t->piece_rows] + (size_t)down * t->scale_stride;
    for (int64_t k = 0; k < n; k++)
        x[k] *= scale[k / F8_SCALE_BLOCK];
}

int64_t export_rows(const struct export_tensor *t) {
    int64_t rows = 1;
    for (int i = 0; i + 1 < t->n_dim; i++)
        rows *= t->dim[i];
    return rows;
}

static enum jl_status no_memory(const struct model *model, struct jl_error *err) {
    return report_no_memory(err, model->file->path, "the list of tensors");
}

/* Room for n pieces of `rows` rows. */
static bool make_pieces(struct export_tensor *t, int64_t n, int64_t rows, struct arena *arena) {
    t->pieces = arena_calloc(arena, (size_t)n, sizeof *t->pieces);
    t->n_piece = n;
    t->piece_rows = rows;
    return t->pieces != NULL;
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
    if (!places || !out->items) return no_memory(model, err);
    for (size_t i = 0; i < file->n_tensor; i++)
        places[i] = (struct place){&file->tensors[i], map_of(file, &file->tensors[i])};
    qsort(places, file->n_tensor, sizeof *places, by_place);
    for (; out->n < file->n_tensor; out->n++) {
        const struct tensor_info *t = places[out->n].tensor;
        struct export_tensor *to = &out->items[out->n];
        *to = (struct export_tensor){.name = t->name, .dtype = t->dtype, .n_dim = t->n_dim};
        memcpy(to->dim, t->dim, sizeof to->dim);
        if (!make_pieces(to, 1, export_rows(to), arena)) return no_memory(model, err);
        to->pieces[0] = t->data;
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

/* The pattern is one of our own constants: %d is the layer. */
bool export_place(const struct family *family, enum role_id role, int layer,
                  struct export_place *out) {
    const char *pattern = role_row(role)->gguf;
    *out = (struct export_place){.parts = 1};
    for (int i = FAMILY_MAX_SOURCES - 1; i >= 0; i--) { // the first one that GGUF files have
        const struct role_source *source = &family->sources[i];
        if (source->role != role || !source->gguf || source->read_only) continue;
        pattern = source->gguf;
        out->part = source->part;
        out->parts = source->parts ? source->parts : 1;
    }
    if (!pattern) return false;
    const char *at = strstr(pattern, "%d");
    int n = at ? snprintf(out->name, sizeof out->name, "%.*s%d%s", (int)(at - pattern), pattern,
                          layer, at + 2)
               : snprintf(out->name, sizeof out->name, "%s", pattern);
    return n > 0 && (size_t)n < sizeof out->name;
}

struct folder {
    const struct model *model;
    struct arena *arena;
    struct export_list *out;
    struct jl_error *err;
};

/* The tensor of this place, new where its other parts have not come yet. NULL: out of memory. */
static struct export_tensor *tensor_at(struct folder *f, const struct export_place *place,
                                       const struct weight *w, bool vector) {
    struct export_list *out = f->out;
    int64_t n_matrix = w->experts ? w->n_expert : 1;
    for (size_t i = 0; i < out->n; i++)
        if (!strcmp(out->items[i].name, place->name)) return &out->items[i];
    struct export_tensor *t = &out->items[out->n++];
    *t = (struct export_tensor){
        .name = arena_strdup(f->arena, place->name), .dtype = w->dtype, .stride = w->stride};
    t->scale_stride = w->scale_stride;
    if (w->experts) t->dim[t->n_dim++] = n_matrix;
    if (!vector) t->dim[t->n_dim++] = (int64_t)w->n_out * place->parts;
    t->dim[t->n_dim++] = (int64_t)w->n_in * (vector ? place->parts : 1);
    bool ok = vector ? make_pieces(t, 1, 1, f->arena)
                     : make_pieces(t, n_matrix * place->parts, w->n_out, f->arena);
    if (ok && vector) {
        t->stride *= (size_t)place->parts;
        t->pieces[0] = arena_alloc(f->arena, t->stride);
        ok = t->pieces[0] != NULL;
    }
    if (ok && w->scale) {
        t->scales = arena_calloc(f->arena, (size_t)t->n_piece, sizeof *t->scales);
        ok = t->scales != NULL;
    }
    return ok && t->name ? t : NULL;
}

/* Bound vectors are f32, so that elements can be put where they belong. */
static void put_vector(struct export_tensor *t, const struct export_place *place,
                       const struct weight *w) {
    const float *from = (const float *)(const void *)w->data;
    float *to = (float *)(uintptr_t)t->pieces[0] + (size_t)place->part * (size_t)w->n_in;
    for (int64_t i = 0; i < w->n_in; i++)
        to[i] = from[source_row(t, i)];
    t->head_dim = 0;
}

static void put_matrices(struct export_tensor *t, const struct export_place *place,
                         const struct weight *w) {
    for (int e = 0; e < (w->experts ? w->n_expert : 1); e++) {
        int64_t at = (int64_t)e * place->parts + place->part;
        t->pieces[at] = w->experts ? w->experts[e] : w->data;
        if (t->scales) t->scales[at] = w->expert_scales ? w->expert_scales[e] : w->scale;
    }
}

/* A convolution as it was before binding turned it: (channels, taps). False: out of memory. */
static bool turn_back(struct folder *f, struct weight *w) {
    const float *from = (const float *)(const void *)w->data;
    int n_tap = w->n_out, n_channel = w->n_in;
    float *to = arena_calloc(f->arena, (size_t)n_channel * (size_t)n_tap, sizeof *to);
    if (!to) return false;
    for (int c = 0; c < n_channel; c++)
        for (int k = 0; k < n_tap; k++)
            to[(size_t)c * (size_t)n_tap + (size_t)k] =
                from[(size_t)k * (size_t)n_channel + (size_t)c];
    w->data = (const uint8_t *)to;
    w->n_out = n_channel;
    w->n_in = n_tap;
    w->stride = (size_t)n_tap * sizeof *to;
    return true;
}

static enum jl_status cannot(const struct folder *f, const struct weight *w, const char *why) {
    return report_fail(f->err, JL_ERR_UNSUPPORTED, f->model->file->path,
                       "tensor '%s' cannot stand in a GGUF file of the family %s: %s", w->name,
                       f->model->family->name, why);
}

/* A head or an embedding that is another role's. */
static bool is_shared(const struct model *model, enum role_id role, const struct weight *w) {
    if (role == ROLE_OUTPUT) return model->tied;
    enum role_id own = role == ROLE_MTP_EMBD     ? ROLE_TOK_EMBD
                       : role == ROLE_MTP_OUTPUT ? ROLE_OUTPUT
                                                 : ROLE_NONE;
    return own && model_weight(model, own, -1)->data == w->data;
}

static enum jl_status add_weight(struct folder *f, enum role_id role, int layer) {
    const struct family *family = f->model->family;
    const struct weight *w = model_weight(f->model, role, layer);
    struct weight turned;
    enum rope_pairs from = family->rope_hf, to = family->rope_gguf;
    struct export_place place;
    bool vector = role_row(role)->rows == DIM_ONE;
    if (!w || is_shared(f->model, role, w)) return JL_OK;
    if (!export_place(family, role, layer, &place)) return cannot(f, w, "it has no name there");
    if (role_row(role)->group == GROUP_TAPS) {
        turned = *w;
        w = &turned;
        if (!turn_back(f, &turned)) return no_memory(f->model, f->err);
    }
    struct export_tensor *t = tensor_at(f, &place, w, vector);
    if (!t) return no_memory(f->model, f->err);
    if (t->dtype != w->dtype)
        return cannot(f, w, "the other parts of its tensor have another type");
    if (is_rotated(role) && from != to) {
        if (place.parts > 1) return cannot(f, w, "its rows would have to be reordered");
        t->head_dim = f->model->hp.head_dim_k;
        t->n_rot = f->model->hp.n_rot;
        t->interleave = to == ROPE_INTERLEAVED;
    }
    if (vector)
        put_vector(t, &place, w);
    else
        put_matrices(t, &place, w);
    return JL_OK;
}

/* GGUF says llama3 scaling by the factor that each frequency is divided by. */
static enum jl_status add_rope_factors(struct folder *f) {
    const struct hparams *hp = &f->model->hp;
    size_t n = (size_t)hp->n_rot / 2;
    if (hp->rope.scaling != ROPE_LLAMA3) return JL_OK;
    struct export_tensor *t = &f->out->items[f->out->n++];
    *t = (struct export_tensor){.name = role_row(ROLE_ROPE_FREQS)->gguf,
                                .dtype = DTYPE_F32,
                                .n_dim = 1,
                                .dim = {(int64_t)n},
                                .stride = n * sizeof(float)};
    float *factors = arena_calloc(f->arena, n, sizeof *factors);
    if (!factors || !make_pieces(t, 1, 1, f->arena)) return no_memory(f->model, f->err);
    rope_factors(hp, factors);
    t->pieces[0] = (const uint8_t *)factors;
    return JL_OK;
}

static enum jl_status from_folder(struct folder *f) {
    const struct model *model = f->model;
    int n_block = hparams_n_block(&model->hp);
    size_t most = (size_t)ROLE_COUNT * ((size_t)n_block + 1);
    f->out->items = arena_calloc(f->arena, most, sizeof *f->out->items);
    if (!f->out->items) return no_memory(model, f->err);
    JL_TRY(add_rope_factors(f));
    for (int layer = -1; layer < n_block; layer++)
        for (int role = ROLE_NONE + 1; role < ROLE_COUNT; role++)
            if ((role_row((enum role_id)role)->scope == SCOPE_MODEL) == (layer < 0))
                JL_TRY(add_weight(f, (enum role_id)role, layer));
    for (size_t i = 0; i < f->out->n; i++)
        for (int64_t k = 0; k < f->out->items[i].n_piece; k++)
            if (!f->out->items[i].pieces[k])
                return report_fail(f->err, JL_ERR_UNSUPPORTED, model->file->path,
                                   "the GGUF tensor '%s' would lack a part", f->out->items[i].name);
    return JL_OK;
}

enum jl_status export_tensors(const struct model *model, struct arena *arena,
                              struct export_list *out, struct jl_error *err) {
    *out = (struct export_list){0};
    struct folder folder = {model, arena, out, err};
    return model->file->kind == MODEL_FILE_GGUF ? from_gguf(model, arena, out, err)
                                                : from_folder(&folder);
}
