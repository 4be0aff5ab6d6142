#include "model/export_bound.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/report.h"
#include "model/export_place.h"

static enum jl_status no_memory(const struct export_bound *b) {
    return report_no_memory(b->err, b->model->file->path, "the list of tensors");
}

static enum jl_status cannot(const struct export_bound *b, const struct weight *w,
                             const char *why) {
    return report_fail(b->err, JL_ERR_UNSUPPORTED, b->model->file->path,
                       "tensor '%s' cannot stand in a %s of the family %s: %s", w->name,
                       b->kind == MODEL_FILE_GGUF ? "GGUF file" : "folder", b->model->family->name,
                       why);
}

/* ---- which rows and values ---- */

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

static enum rope_pairs pairs_in(const struct family *family, enum model_file_kind kind) {
    return kind == MODEL_FILE_GGUF ? family->rope_gguf : family->rope_hf;
}

/* A convolution as it was before binding turned it: (channels, taps). False: out of memory. */
static bool turn_back(struct export_bound *b, struct weight *w) {
    const float *from = (const float *)(const void *)w->data;
    int n_tap = w->n_out, n_channel = w->n_in;
    float *to = arena_calloc(b->arena, (size_t)n_channel * (size_t)n_tap, sizeof *to);
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

/* A vector as its tensor stores it. */
static enum jl_status untransform(struct export_bound *b, enum role_id role, int layer,
                                  const struct export_place *place, struct weight *w) {
    int64_t bad = 0;
    if (place->transform == AS_STORED) return JL_OK;
    const float *stored = b->stored ? b->stored(b->ctx, role, layer) : NULL;
    float *to = arena_calloc(b->arena, (size_t)w->n_in, sizeof *to);
    if (!to) return no_memory(b);
    memcpy(to, stored ? (const void *)stored : w->data, (size_t)w->n_in * sizeof *to);
    w->data = (const uint8_t *)to;
    if (stored || export_undo(place->transform, to, w->n_in, &bad)) return JL_OK;
    return report_fail(b->err, JL_ERR_UNSUPPORTED, b->model->file->path,
                       "element %" PRId64 " of tensor '%s' is %g, which no float of a folder of "
                       "the family %s becomes when it is read",
                       bad, w->name, (double)to[bad], b->model->family->name);
}

/* ---- tensors ---- */

/* The tensor of this place, new where its other parts have not come yet. NULL: out of memory. */
static struct export_tensor *tensor_at(struct export_bound *b, enum role_id role,
                                       const struct export_place *place, const struct weight *w) {
    struct export_list *out = b->out;
    bool vector = role_row(role)->rows == DIM_ONE;
    int64_t n_matrix = w->experts && !place->apart ? w->n_expert : 1;
    for (size_t i = 0; place->parts > 1 && i < out->n; i++)
        if (!strcmp(out->items[i].name, place->name)) return &out->items[i];
    struct export_tensor *t = &out->items[out->n++];
    *t = (struct export_tensor){
        .name = arena_strdup(b->arena, place->name), .dtype = w->dtype, .stride = w->stride};
    t->scale_stride = w->scale_stride;
    t->widened = export_widened(role);
    t->n_dim =
        export_dims(b->kind, role, place, w->experts ? w->n_expert : 0, w->n_out, w->n_in, t->dim);
    bool ok = vector ? export_pieces(t, 1, 1, b->arena)
                     : export_pieces(t, n_matrix * place->parts, w->n_out, b->arena);
    if (ok && vector) {
        t->stride *= (size_t)place->parts;
        t->pieces[0] = arena_alloc(b->arena, t->stride);
        ok = t->pieces[0] != NULL;
    }
    if (ok && w->scale) {
        t->scales = arena_calloc(b->arena, (size_t)t->n_piece, sizeof *t->scales);
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
        to[i] = from[export_source_row(t, i)];
    t->head_dim = 0;
}

/* The matrices of experts first .. first + n, or the only one. */
static void put_matrices(struct export_tensor *t, const struct export_place *place,
                         const struct weight *w, int first, int n) {
    for (int i = 0; i < n; i++) {
        int64_t at = (int64_t)i * place->parts + place->part;
        t->pieces[at] = w->experts ? w->experts[first + i] : w->data;
        if (t->scales) t->scales[at] = w->expert_scales ? w->expert_scales[first + i] : w->scale;
    }
}

/* All of a role, or the matrix of one expert. */
static enum jl_status put_weight(struct export_bound *b, enum role_id role, const struct weight *w,
                                 const struct export_place *place, int expert) {
    const struct model *model = b->model;
    enum rope_pairs from = pairs_in(model->family, model->file->kind);
    enum rope_pairs to = pairs_in(model->family, b->kind);
    struct export_tensor *t = tensor_at(b, role, place, w);
    if (!t) return no_memory(b);
    if (t->dtype != w->dtype)
        return cannot(b, w, "the other parts of its tensor have another type");
    if (is_rotated(role) && from != to) {
        if (place->parts > 1) return cannot(b, w, "its rows would have to be reordered");
        t->head_dim = model->hp.head_dim_k;
        t->n_rot = model->hp.n_rot;
        t->interleave = to == ROPE_INTERLEAVED;
    }
    if (role_row(role)->rows == DIM_ONE)
        put_vector(t, place, w);
    else
        put_matrices(t, place, w, expert, w->experts && !place->apart ? w->n_expert : 1);
    return JL_OK;
}

static enum jl_status add_weight(struct export_bound *b, enum role_id role, int layer) {
    const struct family *family = b->model->family;
    const struct weight *w = model_weight(b->model, role, layer);
    struct weight changed;
    struct export_place place;
    if (!w || model_weight_shared(b->model, w)) return JL_OK;
    if (role == ROLE_ROPE_FREQS && b->kind == MODEL_FILE_HF) return JL_OK; // in its configuration
    if (b->kind == MODEL_FILE_HF && export_is_half(role)) return export_join(b, role, layer);
    if (!export_place(family, b->kind, role, layer, 0, &place))
        return cannot(b, w, "it has no name there");
    changed = *w;
    if (role_row(role)->group == GROUP_TAPS && !turn_back(b, &changed)) return no_memory(b);
    JL_TRY(untransform(b, role, layer, &place, &changed));
    if (!w->experts || !place.apart) return put_weight(b, role, &changed, &place, 0);
    for (int e = 0; e < w->n_expert; e++) {
        export_place(family, b->kind, role, layer, e, &place);
        JL_TRY(put_weight(b, role, &changed, &place, e));
    }
    return JL_OK;
}

/* ---- what stands beside ---- */

/* GGUF says llama3 scaling by the factor that each frequency is divided by. */
static enum jl_status add_rope_factors(struct export_bound *b) {
    const struct hparams *hp = &b->model->hp;
    size_t n = (size_t)hp->n_rot / 2;
    if (b->kind != MODEL_FILE_GGUF || hp->rope.scaling != ROPE_LLAMA3) return JL_OK;
    struct export_tensor *t = &b->out->items[b->out->n++];
    *t = (struct export_tensor){.name = role_row(ROLE_ROPE_FREQS)->gguf,
                                .dtype = DTYPE_F32,
                                .n_dim = 1,
                                .dim = {(int64_t)n},
                                .stride = n * sizeof(float)};
    float *factors = arena_calloc(b->arena, n, sizeof *factors);
    if (!factors || !export_pieces(t, 1, 1, b->arena)) return no_memory(b);
    rope_factors(hp, factors);
    t->pieces[0] = (const uint8_t *)factors;
    return JL_OK;
}

/* "NAME_scale_inv", a row of floats for each row of squares. */
static enum jl_status add_scales(struct export_bound *b, const struct export_tensor *of) {
    struct export_tensor *t = &b->out->items[b->out->n++];
    const int64_t side = F8_SCALE_BLOCK;
    char name[sizeof(struct export_place) + 16];
    snprintf(name, sizeof name, "%s_scale_inv", of->name);
    *t = (struct export_tensor){.name = arena_strdup(b->arena, name),
                                .dtype = DTYPE_F32,
                                .n_dim = 2,
                                .dim = {0, (of->dim[1] + side - 1) / side},
                                .stride = of->scale_stride * sizeof(float),
                                .widened = true};
    if (!t->name || !export_pieces(t, of->n_piece, (of->piece_rows + side - 1) / side, b->arena))
        return no_memory(b);
    t->dim[0] = t->n_piece * t->piece_rows;
    for (int64_t i = 0; i < t->n_piece; i++)
        t->pieces[i] = (const uint8_t *)of->scales[i];
    return JL_OK;
}

/* ---- all ---- */

/* Tensors there may be at most, their scales included. */
static size_t count_most(const struct export_bound *b) {
    const struct hparams *hp = &b->model->hp;
    size_t most = (size_t)ROLE_COUNT * ((size_t)hparams_n_block(hp) + 1);
    if (b->kind == MODEL_FILE_GGUF) return most;
    for (int role = ROLE_NONE + 1; role < ROLE_COUNT; role++)
        if (role_row((enum role_id)role)->scope == SCOPE_EXPERTS)
            most += (size_t)hparams_n_block(hp) * (size_t)hp->n_expert;
    return 2 * most;
}

enum jl_status export_bound(struct export_bound *b) {
    const struct model *model = b->model;
    int n_block = hparams_n_block(&model->hp);
    *b->out = (struct export_list){0};
    b->out->items = arena_calloc(b->arena, count_most(b), sizeof *b->out->items);
    if (!b->out->items) return no_memory(b);
    JL_TRY(add_rope_factors(b));
    for (int layer = -1; layer < n_block; layer++)
        for (int role = ROLE_NONE + 1; role < ROLE_COUNT; role++)
            if ((role_row((enum role_id)role)->scope == SCOPE_MODEL) == (layer < 0))
                JL_TRY(add_weight(b, (enum role_id)role, layer));
    size_t n = b->out->n;
    for (size_t i = 0; i < n; i++) {
        const struct export_tensor *t = &b->out->items[i];
        for (int64_t k = 0; k < t->n_piece; k++)
            if (!t->pieces[k])
                return report_fail(b->err, JL_ERR_UNSUPPORTED, model->file->path,
                                   "the tensor '%s' would lack a part", t->name);
        if (t->scales && b->kind == MODEL_FILE_HF && !b->convert) JL_TRY(add_scales(b, t));
    }
    return JL_OK;
}
