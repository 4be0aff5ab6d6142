/* Bind: every role the family's programs use finds its tensor, with the right shape and a type we
 * compute, and every tensor of the file is claimed or listed as ignored. Closed-world both ways. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/model.h"

struct binder {
    struct model *model;
    bool *claimed; // [n_tensor]
    struct jl_error *err;
};

static bool prog_uses(const struct prog *prog, enum role_id role) {
    for (int i = 0; i < prog->n_step; i++)
        if (prog->steps[i].w == role) return true;
    return false;
}

static bool family_uses(const struct family *family, enum role_id role) {
    return role == ROLE_ROPE_FREQS || prog_uses(&prog_embed, role) || prog_uses(&prog_head, role) ||
           prog_uses(family->layers.mixer, role) || prog_uses(family->layers.ffn, role);
}

static enum role_need by_key(enum tristate said, enum tristate present_when) {
    return said == UNSAID ? OPTIONAL : said == present_when ? REQUIRED : ABSENT;
}

enum role_need model_role_need(const struct family *family, const struct hparams *hp,
                               enum role_id role) {
    if (!family_uses(family, role)) return ABSENT;
    for (int i = 0; i < FAMILY_MAX_RULES && family->rules[i].role; i++) {
        const struct role_rule *rule = &family->rules[i];
        if (rule->role != role) continue;
        switch (rule->need) {
        case BY_ATTENTION_BIAS: return by_key(hp->attention_bias, YES);
        case BY_MLP_BIAS: return by_key(hp->mlp_bias, YES);
        case BY_UNTIED: return by_key(hp->tied, NO);
        default: return rule->need;
        }
    }
    return REQUIRED;
}

static bool tensor_name(const struct model *model, enum role_id role, int layer, char *out,
                        size_t size) {
    const struct role_row *row = role_row(role);
    const char *pattern = model->file->kind == MODEL_FILE_GGUF ? row->gguf : row->hf;
    if (!pattern) return false;
    // The pattern is one of our own constants: at most one %d.
    const char *at = strstr(pattern, "%d");
    if (at)
        snprintf(out, size, "%.*s%d%s", (int)(at - pattern), pattern, layer, at + 2);
    else
        snprintf(out, size, "%s", pattern);
    return true;
}

static void describe(const struct tensor_info *t, char *out, size_t size) {
    size_t used = 0;
    out[0] = 0;
    for (int i = 0; i < t->n_dim && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%" PRId64, i ? " x " : "", t->dim[i]);
}

/* A vector is widened to f32 once; matrices stay where they are. */
static enum jl_status bind_vector(struct binder *b, const struct tensor_info *t, struct weight *w) {
    if (dtype_row(t->dtype)->x_f32 == XFMT_NONE)
        return jl_fail(b->err, JL_ERR_UNSUPPORTED,
                       "%s: tensor '%s' is %s; a vector must be F32, F16 or BF16", t->file, t->name,
                       dtype_name(t->dtype));
    float *copy = arena_calloc(&b->model->arena, (size_t)t->dim[t->n_dim - 1], sizeof *copy);
    if (!copy) return jl_fail(b->err, JL_ERR_MEMORY, "out of memory for tensor '%s'", t->name);
    dtype_dequantize(t->dtype, t->data, copy, t->dim[t->n_dim - 1]);
    w->data = (const uint8_t *)copy;
    w->dtype = DTYPE_F32;
    w->n_out = 1;
    w->stride = (size_t)t->dim[t->n_dim - 1] * sizeof *copy;
    return JL_OK;
}

static enum jl_status bind_tensor(struct binder *b, const struct tensor_info *t, enum role_id role,
                                  struct weight *w) {
    const struct role_row *row = role_row(role);
    int64_t n_out = hparams_dim(&b->model->hp, row->rows);
    int64_t n_in = hparams_dim(&b->model->hp, row->cols);
    bool vector = row->rows == DIM_ONE;
    bool fits = vector ? t->n_dim == 1 && t->dim[0] == n_in
                       : t->n_dim == 2 && t->dim[0] == n_out && t->dim[1] == n_in;
    if (!fits) {
        char have[96], want[96];
        describe(t, have, sizeof have);
        if (vector)
            snprintf(want, sizeof want, "%" PRId64, n_in);
        else
            snprintf(want, sizeof want, "%" PRId64 " x %" PRId64, n_out, n_in);
        return jl_fail(b->err, JL_ERR_FORMAT,
                       "%s: tensor '%s' is %s but the configuration makes it %s", t->file, t->name,
                       have, want);
    }
    *w = (struct weight){.name = t->name,
                         .data = t->data,
                         .dtype = t->dtype,
                         .n_out = (int)n_out,
                         .n_in = (int)n_in};
    if (vector) return bind_vector(b, t, w);
    if (dtype_row(t->dtype)->x_f32 == XFMT_NONE || !dtype_row_bytes(t->dtype, n_in, &w->stride))
        return jl_fail(b->err, JL_ERR_UNSUPPORTED,
                       "%s: tensor '%s' is %s, which no kernel multiplies", t->file, t->name,
                       dtype_name(t->dtype));
    return JL_OK;
}

static struct weight *slot_of(struct model *model, enum role_id role, int layer) {
    int row = layer < 0 ? model->hp.n_layer : layer;
    return &model->weights[(size_t)row * ROLE_COUNT + role];
}

const struct weight *model_weight(const struct model *model, enum role_id role, int layer) {
    int row = layer < 0 || role_row(role)->scope == SCOPE_MODEL ? model->hp.n_layer : layer;
    const struct weight *w = &model->weights[(size_t)row * ROLE_COUNT + role];
    return w->data ? w : NULL;
}

static enum jl_status bind_role(struct binder *b, enum role_id role) {
    struct model *model = b->model;
    enum role_need need = model_role_need(model->family, &model->hp, role);
    int n = role_row(role)->scope == SCOPE_LAYER ? model->hp.n_layer : 1, found = 0;
    char name[128], missing[128] = "";
    for (int i = 0; i < n; i++) {
        if (!tensor_name(model, role, i, name, sizeof name)) return JL_OK;
        const struct tensor_info *t = model_file_find(model->file, name);
        if (!t) {
            if (!missing[0]) memcpy(missing, name, sizeof missing);
            continue;
        }
        if (need == ABSENT) continue; // stays unclaimed, and is refused or ignored below
        found++;
        b->claimed[t - model->file->tensors] = true;
        int layer = role_row(role)->scope == SCOPE_LAYER ? i : -1;
        JL_TRY(bind_tensor(b, t, role, slot_of(model, role, layer)));
    }
    if (need == REQUIRED && found < n)
        return jl_fail(b->err, JL_ERR_FORMAT, "%s: tensor '%s' is missing (%s needs it)",
                       model->file->path, missing, model->family->name);
    if (need == OPTIONAL && found > 0 && found < n)
        return jl_fail(b->err, JL_ERR_FORMAT,
                       "%s: tensor '%s' is missing, but other layers have theirs (%d of %d)",
                       model->file->path, missing, found, n);
    return JL_OK;
}

static bool ends_with(const char *text, const char *suffix) {
    size_t n = strlen(text), m = strlen(suffix);
    return n >= m && !strcmp(text + n - m, suffix);
}

/* A tied file may still carry its head: fine when it repeats the embedding. */
static enum jl_status check_tied_copy(struct binder *b, const struct tensor_info *head) {
    char name[128];
    tensor_name(b->model, ROLE_TOK_EMBD, 0, name, sizeof name);
    const struct tensor_info *embd = model_file_find(b->model->file, name);
    if (embd && embd->dtype == head->dtype && embd->bytes == head->bytes &&
        !memcmp(embd->data, head->data, head->bytes))
        return JL_OK;
    return jl_fail(
        b->err, JL_ERR_FORMAT,
        "%s: tie_word_embeddings is true, but '%s' differs from '%s'; say which is right",
        head->file, head->name, name);
}

static enum jl_status claim_rest(struct binder *b) {
    struct model *model = b->model;
    struct model_file *file = model->file;
    char head[128];
    tensor_name(model, ROLE_OUTPUT, 0, head, sizeof head);
    model->ignored = arena_calloc(&model->arena, file->n_tensor + 1, sizeof *model->ignored);
    if (!model->ignored)
        return jl_fail(b->err, JL_ERR_MEMORY, "out of memory binding %s", file->path);
    for (size_t i = 0; i < file->n_tensor; i++) {
        const struct tensor_info *t = &file->tensors[i];
        const char *why = NULL;
        if (b->claimed[i]) continue;
        if (model->tied && !strcmp(t->name, head)) {
            JL_TRY(check_tied_copy(b, t));
            why = "repeats the token embedding it is tied to";
        }
        for (int k = 0; k < FAMILY_MAX_IGNORED && model->family->ignored[k]; k++)
            if (ends_with(t->name, model->family->ignored[k]))
                why = "derived from the configuration";
        if (!why)
            return jl_fail(b->err, JL_ERR_UNSUPPORTED,
                           "%s: tensor '%s' has no place in a %s model as configured; "
                           "refusing to run without it",
                           t->file, t->name, model->family->name);
        model->ignored[model->n_ignored++] = (struct ignored_tensor){t->name, why};
    }
    return JL_OK;
}

enum jl_status model_bind(struct model *model, struct jl_error *err) {
    struct binder b = {.model = model, .err = err};
    size_t rows;
    if (!size_mul((size_t)model->hp.n_layer + 1, ROLE_COUNT, &rows) ||
        !(model->weights = arena_calloc(&model->arena, rows, sizeof *model->weights)) ||
        !(b.claimed = arena_calloc(&model->arena, model->file->n_tensor + 1, sizeof *b.claimed)))
        return jl_fail(err, JL_ERR_MEMORY, "out of memory binding %s", model->file->path);
    for (int role = ROLE_NONE + 1; role < ROLE_COUNT; role++)
        JL_TRY(bind_role(&b, (enum role_id)role));
    struct weight *output = slot_of(model, ROLE_OUTPUT, -1);
    if (!output->data) {
        *output = *slot_of(model, ROLE_TOK_EMBD, -1);
        model->tied = true;
    }
    return claim_rest(&b);
}
