/* A role's tensor: its name, shape and type, and what is made of it. Matrices stay where they are
 * in the file's mapping; vectors and routers are widened to f32. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fmath.h"
#include "model/bind.h"

/* ---- names ---- */

void bind_put_name(char out[BIND_NAME], const char *pattern, int layer, int expert) {
    size_t at = 0;
    for (; *pattern && at + 16 < BIND_NAME; pattern++) {
        if (*pattern != '%') {
            out[at++] = *pattern;
            continue;
        }
        at += (size_t)snprintf(out + at, BIND_NAME - at, "%d", *++pattern == 'e' ? expert : layer);
    }
    out[at] = 0;
}

bool bind_source(const struct family *family, enum model_file_kind kind, enum role_id role, int k,
                 struct role_source *out) {
    const struct role_row *row = role_row(role);
    bool gguf = kind == MODEL_FILE_GGUF;
    for (int i = 0; i < FAMILY_MAX_SOURCES && family->sources[i].role; i++) {
        const struct role_source *source = &family->sources[i];
        if (source->role != role || !(gguf ? source->gguf : source->hf)) continue;
        if (k-- > 0) continue;
        *out = *source;
        return true;
    }
    *out = (struct role_source){.role = role, .gguf = row->gguf, .hf = row->hf};
    return k == 0 && (gguf ? out->gguf : out->hf);
}

static bool source_at(const struct model *model, enum role_id role, int k,
                      struct role_source *out) {
    return bind_source(model->family, model->file->kind, role, k, out);
}

static const char *pattern_of(const struct model *model, const struct role_source *source) {
    return model->file->kind == MODEL_FILE_GGUF ? source->gguf : source->hf;
}

void bind_name(const struct model *model, enum role_id role, int layer, char out[BIND_NAME]) {
    struct role_source source;
    out[0] = 0;
    if (source_at(model, role, 0, &source))
        bind_put_name(out, pattern_of(model, &source), layer, 0);
}

/* ---- shapes ---- */

#define MAX_WANT 3

struct shape {
    int n;
    int64_t dim[MAX_WANT]; // outermost first
};

/* Dimensions of size one mean nothing: a convolution's (channels, 1, taps) is a matrix. */
static bool fits(const struct tensor_info *t, const struct shape *want) {
    int i = 0, k = 0;
    for (;;) {
        while (i < t->n_dim && t->dim[i] == 1)
            i++;
        while (k < want->n && want->dim[k] == 1)
            k++;
        if (i == t->n_dim || k == want->n) return i == t->n_dim && k == want->n;
        if (t->dim[i++] != want->dim[k++]) return false;
    }
}

static void describe(char *out, size_t size, const int64_t *dim, int n) {
    size_t used = 0;
    out[0] = 0;
    for (int i = 0; i < n && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%" PRId64, i ? " x " : "", dim[i]);
}

static enum jl_status check_shape(struct binder *b, const struct tensor_info *t,
                                  const struct shape *want) {
    char have[96], wanted[96];
    if (fits(t, want)) return JL_OK;
    describe(have, sizeof have, t->dim, t->n_dim);
    describe(wanted, sizeof wanted, want->dim, want->n);
    return jl_fail(b->err, JL_ERR_FORMAT, "%s: tensor '%s' is %s but the configuration makes it %s",
                   t->file, t->name, have, wanted);
}

/* ---- one tensor ---- */

struct target {
    const struct role_row *row;
    const struct role_source *source;
    int64_t n_out, n_in; // of the role
    int parts;           // of the role's size that the tensor holds
    bool together;       // all experts are in one tensor
    int n_expert;        // 0: not a role of experts
    int n_head;          // 0: not a role of heads
};

static struct target target_of(const struct model *model, const struct role_source *source) {
    const struct role_row *row = role_row(source->role);
    struct target t = {.row = row,
                       .source = source,
                       .n_out = hparams_dim(&model->hp, row->rows),
                       .n_in = hparams_dim(&model->hp, row->cols),
                       .parts = source->parts ? source->parts : 1};
    if (row->scope == SCOPE_EXPERTS) {
        t.n_expert = model->hp.n_expert;
        t.together = !strstr(pattern_of(model, source), "%e");
    }
    if (row->scope == SCOPE_HEADS) t.n_head = model->hp.n_head;
    return t;
}

static struct shape shape_of(const struct target *t) {
    struct shape shape = {0};
    if (t->together) shape.dim[shape.n++] = t->n_expert;
    if (t->n_head) shape.dim[shape.n++] = t->n_head;
    if (t->row->rows == DIM_ONE) {
        shape.dim[shape.n++] = t->n_in * t->parts;
    } else {
        shape.dim[shape.n++] = t->n_out * t->parts;
        shape.dim[shape.n++] = t->n_in;
    }
    return shape;
}

static void transform(enum role_transform kind, float *x, int64_t n) {
    for (int64_t i = 0; kind == ADD_ONE && i < n; i++)
        x[i] += 1.0f;
    for (int64_t i = 0; kind == NEG_EXP && i < n; i++)
        x[i] = (float)-fmath_exp64((double)x[i]);
}

/* What is widened is small and may act without being seen in the result, as a NaN that merely keeps
 * an expert from being chosen: all of it is looked at. */
static enum jl_status check_finite(struct binder *b, const struct tensor_info *t, const float *x,
                                   int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return jl_fail(b->err, JL_ERR_FORMAT,
                           "%s: tensor '%s': element %" PRId64 " is not a finite number", t->file,
                           t->name, i);
    return JL_OK;
}

/* Widened to f32 once: (n_out, n_in) elements from the source's part on. */
static enum jl_status widen(struct binder *b, const struct tensor_info *t,
                            const struct target *target, struct weight *w) {
    int64_t n = target->n_out * target->n_in;
    size_t skipped = 0;
    if (dtype_row(t->dtype)->block != 1 || dtype_row(t->dtype)->x_f32 == XFMT_NONE ||
        t->dtype == DTYPE_F8_E4M3)
        return jl_fail(b->err, JL_ERR_UNSUPPORTED,
                       "%s: tensor '%s' is %s; it must be F32, F16 or BF16", t->file, t->name,
                       dtype_name(t->dtype));
    float *copy = arena_calloc(&b->model->arena, (size_t)n, sizeof *copy);
    if (!copy) return jl_fail(b->err, JL_ERR_MEMORY, "out of memory for tensor '%s'", t->name);
    dtype_row_bytes(t->dtype, n * target->source->part, &skipped);
    dtype_dequantize(t->dtype, t->data + skipped, copy, n);
    JL_TRY(check_finite(b, t, copy, n));
    if (b->model->file->kind == MODEL_FILE_HF) transform(target->source->hf_transform, copy, n);
    JL_TRY(check_finite(b, t, copy, n)); // exp may overflow, and makes a number of -infinity
    w->data = (const uint8_t *)copy;
    w->dtype = DTYPE_F32;
    w->stride = (size_t)target->n_in * sizeof *copy;
    return JL_OK;
}

/* A convolution's (channels, taps) as (taps, channels), for bodies whose lanes are channels. */
static enum jl_status turn(struct binder *b, struct weight *w) {
    const float *from = (const float *)(const void *)w->data;
    int n_channel = w->n_out, n_tap = w->n_in;
    float *to = arena_calloc(&b->model->arena, (size_t)n_channel * (size_t)n_tap, sizeof *to);
    if (!to) return jl_fail(b->err, JL_ERR_MEMORY, "out of memory for tensor '%s'", w->name);
    for (int c = 0; c < n_channel; c++)
        for (int k = 0; k < n_tap; k++)
            to[(size_t)k * (size_t)n_channel + (size_t)c] =
                from[(size_t)c * (size_t)n_tap + (size_t)k];
    w->data = (const uint8_t *)to;
    w->n_out = n_tap;
    w->n_in = n_channel;
    w->stride = (size_t)n_channel * sizeof *to;
    return JL_OK;
}

/* The scales of an FP8 matrix, widened to f32: tensor "NAME_scale_inv", which multiplies. */
static enum jl_status bind_scales(struct binder *b, const struct tensor_info *t,
                                  const struct target *target, struct weight *w) {
    char name[BIND_NAME + 16];
    const int64_t side = F8_SCALE_BLOCK, n_out = target->n_out;
    int64_t rows = (n_out * target->parts + side - 1) / side;
    int64_t cols = (target->n_in + side - 1) / side, first = n_out * target->source->part / side;
    if (target->source->role == ROLE_TOK_EMBD || target->together ||
        (target->parts > 1 && n_out % side))
        return jl_fail(b->err, JL_ERR_UNSUPPORTED,
                       "%s: tensor '%s' is F8_E4M3, which is read in matrices that are each their "
                       "own, and not in token embeddings",
                       t->file, t->name);
    snprintf(name, sizeof name, "%s_scale_inv", t->name);
    const struct tensor_info *s = model_file_find(b->model->file, name);
    if (!s)
        return jl_fail(b->err, JL_ERR_FORMAT,
                       "%s: tensor '%s' is F8_E4M3, but its scales '%s' are missing", t->file,
                       t->name, name);
    JL_TRY(check_shape(b, s, &(struct shape){.n = 2, .dim = {rows, cols}}));
    if (s->dtype != DTYPE_F32 && s->dtype != DTYPE_BF16)
        return jl_fail(b->err, JL_ERR_UNSUPPORTED, "%s: tensor '%s' is %s; scales are F32 or BF16",
                       s->file, s->name, dtype_name(s->dtype));
    float *copy = arena_calloc(&b->model->arena, (size_t)(rows * cols), sizeof *copy);
    if (!copy) return jl_fail(b->err, JL_ERR_MEMORY, "out of memory for tensor '%s'", s->name);
    dtype_dequantize(s->dtype, s->data, copy, rows * cols);
    JL_TRY(check_finite(b, s, copy, rows * cols));
    b->claimed[s - b->model->file->tensors] = true;
    w->scale = copy + first * cols;
    w->scale_stride = (size_t)cols;
    return JL_OK;
}

static enum jl_status bind_one(struct binder *b, const struct tensor_info *t,
                               const struct target *target, struct weight *w) {
    struct shape want = shape_of(target);
    b->claimed[t - b->model->file->tensors] = true;
    JL_TRY(check_shape(b, t, &want));
    *w = (struct weight){
        .name = t->name, .dtype = t->dtype, .n_out = (int)target->n_out, .n_in = (int)target->n_in};
    if (target->row->rows == DIM_ONE || target->row->group == GROUP_ROUTER)
        return widen(b, t, target, w);
    if (target->row->group == GROUP_TAPS) {
        JL_TRY(widen(b, t, target, w));
        return turn(b, w);
    }
    if (dtype_row(t->dtype)->x_f32 == XFMT_NONE ||
        !dtype_row_bytes(t->dtype, target->n_in, &w->stride))
        return jl_fail(b->err, JL_ERR_UNSUPPORTED,
                       "%s: tensor '%s' is %s, which no kernel multiplies", t->file, t->name,
                       dtype_name(t->dtype));
    if (target->n_head) w->n_out *= target->n_head; // one head's rows under the other's
    w->data = t->data + (size_t)target->source->part * (size_t)target->n_out * w->stride;
    return t->dtype == DTYPE_F8_E4M3 ? bind_scales(b, t, target, w) : JL_OK;
}

/* ---- experts ---- */

static enum jl_status missing_expert(struct binder *b, const char *name) {
    return jl_fail(b->err, JL_ERR_FORMAT, "%s: tensor '%s' is missing, but expert 0 has its own",
                   b->model->file->path, name);
}

/* Each expert's matrix: apart in one tensor, or a tensor each, all alike. */
static enum jl_status bind_experts(struct binder *b, const struct target *target, int layer,
                                   struct weight *w) {
    size_t n = (size_t)target->n_expert;
    size_t apart = (size_t)target->parts * (size_t)target->n_out * w->stride;
    const uint8_t **experts = arena_calloc(&b->model->arena, n, sizeof *experts);
    const float **scales = NULL;
    if (w->scale) scales = arena_calloc(&b->model->arena, n, sizeof *scales);
    if (!experts || (w->scale && !scales))
        return jl_fail(b->err, JL_ERR_MEMORY, "out of memory for expert tables");
    experts[0] = w->data;
    if (scales) scales[0] = w->scale;
    for (int e = 1; e < target->n_expert; e++) {
        char name[BIND_NAME];
        struct weight one;
        if (target->together) {
            experts[e] = w->data + (size_t)e * apart;
            continue;
        }
        bind_put_name(name, pattern_of(b->model, target->source), layer, e);
        const struct tensor_info *t = model_file_find(b->model->file, name);
        if (!t) return missing_expert(b, name);
        JL_TRY(bind_one(b, t, target, &one));
        if (one.dtype != w->dtype)
            return jl_fail(b->err, JL_ERR_UNSUPPORTED,
                           "%s: tensor '%s' is %s, but that of expert 0 is %s", t->file, name,
                           dtype_name(one.dtype), dtype_name(w->dtype));
        experts[e] = one.data;
        if (scales) scales[e] = one.scale;
    }
    w->experts = experts;
    w->expert_scales = scales;
    w->n_expert = target->n_expert;
    return JL_OK;
}

enum jl_status bind_tensor(struct binder *b, enum role_id role, int layer, struct weight *w,
                           char name[BIND_NAME]) {
    struct role_source source;
    char first[BIND_NAME] = "";
    name[0] = 0;
    for (int k = 0; source_at(b->model, role, k, &source); k++) {
        bind_put_name(name, pattern_of(b->model, &source), layer, 0);
        if (!first[0]) memcpy(first, name, sizeof first);
        const struct tensor_info *t = model_file_find(b->model->file, name);
        if (!t) continue;
        struct target target = target_of(b->model, &source);
        JL_TRY(bind_one(b, t, &target, w));
        return target.n_expert ? bind_experts(b, &target, layer, w) : JL_OK;
    }
    memcpy(name, first, sizeof first);
    return JL_OK;
}
