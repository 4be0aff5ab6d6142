/* Bind: every role that a layer's programs use finds its tensor, and every tensor of the file is
 * claimed or listed as ignored. Closed-world both ways. What a tensor must look like:
 * bind_tensor.c.
 */
#include <stdio.h>
#include <string.h>

#include "model/bind.h"

/* ---- needs ---- */

static bool prog_uses(const struct prog *prog, enum role_id role) {
    for (int i = 0; prog && i < prog->n_step; i++)
        if (prog->steps[i].w == role) return true;
    return false;
}

const struct prog *model_mixer(const struct family *family, const struct hparams *hp, int layer) {
    bool recurrent = layer_set_has(&hp->recurrent, layer);
    return family->mixer[recurrent ? MIXER_RECURRENT : MIXER_ATTENTION];
}

const struct prog *model_ffn(const struct family *family, const struct hparams *hp, int layer) {
    return family->ffn[layer_set_has(&hp->moe, layer) ? FFN_MOE : FFN_DENSE];
}

static bool layer_uses(const struct family *family, const struct hparams *hp, enum role_id role,
                       int layer) {
    if (layer < 0)
        return role == ROLE_ROPE_FREQS || prog_uses(&prog_embed, role) ||
               prog_uses(&prog_head, role);
    if (layer >= hp->n_layer && (prog_uses(&prog_mtp, role) || prog_uses(&prog_mtp_head, role)))
        return true;
    return prog_uses(model_mixer(family, hp, layer), role) ||
           prog_uses(model_ffn(family, hp, layer), role);
}

static enum role_need by_key(enum tristate said, enum tristate present_when) {
    return said == UNSAID ? OPTIONAL : said == present_when ? REQUIRED : ABSENT;
}

enum role_need model_role_need(const struct family *family, const struct hparams *hp,
                               enum role_id role, int layer) {
    enum role_need need = role_row(role)->need;
    if (!layer_uses(family, hp, role, layer)) return ABSENT;
    for (int i = 0; i < FAMILY_MAX_RULES && family->rules[i].role; i++)
        if (family->rules[i].role == role) need = family->rules[i].need;
    switch (need) {
    case BY_ATTENTION_BIAS: return by_key(hp->attention_bias, YES);
    case BY_MLP_BIAS: return by_key(hp->mlp_bias, YES);
    case BY_QK_NORM: return by_key(hp->qk_norm, YES);
    case BY_UNTIED: return by_key(hp->tied, NO);
    case BY_Q_LORA: return hp->q_lora_rank > 0 ? REQUIRED : ABSENT;
    case BY_Q_LORA_BIAS: return hp->q_lora_rank > 0 ? by_key(hp->attention_bias, YES) : ABSENT;
    case BY_Q_WHOLE: return hp->q_lora_rank > 0 ? ABSENT : REQUIRED;
    case BY_KV_JOINT: return hp->kv_split ? ABSENT : REQUIRED;
    case BY_KV_SPLIT: return hp->kv_split ? REQUIRED : ABSENT;
    case BY_DELTA_JOINT: return hp->delta_split ? ABSENT : REQUIRED;
    case BY_DELTA_SPLIT: return hp->delta_split ? REQUIRED : ABSENT;
    case BY_SHARED_EXPERT:
        return hp->n_expert_shared < 0 ? OPTIONAL : hp->n_expert_shared > 0 ? REQUIRED : ABSENT;
    default: return need;
    }
}

/* ---- roles ---- */

static struct weight *slot_of(const struct model *model, enum role_id role, int layer) {
    int row = layer < 0 ? hparams_n_block(&model->hp) : layer;
    return &model->weights[(size_t)row * ROLE_COUNT + role];
}

const struct weight *model_weight(const struct model *model, enum role_id role, int layer) {
    const struct weight *w =
        slot_of(model, role, role_row(role)->scope == SCOPE_MODEL ? -1 : layer);
    return w->data ? w : NULL;
}

static enum jl_status bind_role(struct binder *b, enum role_id role) {
    struct model *model = b->model;
    bool own = role_row(role)->scope == SCOPE_MODEL;
    int first = own ? -1 : 0, end = own ? 0 : hparams_n_block(&model->hp), users = 0, found = 0;
    enum role_need most = ABSENT;
    char missing[BIND_NAME] = "";
    for (int layer = first; layer < end; layer++) {
        enum role_need need = model_role_need(model->family, &model->hp, role, layer);
        if (need == ABSENT) continue; // a tensor stays unclaimed, and is refused or ignored below
        most = need;
        users++;
        char name[BIND_NAME];
        struct weight *w = slot_of(model, role, layer);
        JL_TRY(bind_tensor(b, role, layer, w, name));
        w->id = (int)(w - model->weights);
        if (w->data)
            found++;
        else if (!missing[0])
            memcpy(missing, name, sizeof missing);
    }
    if (most == REQUIRED && found < users)
        return jl_fail(b->err, JL_ERR_FORMAT, "%s: tensor '%s' is missing (%s needs it)",
                       model->file->path, missing, model->family->name);
    if (most == OPTIONAL && found > 0 && found < users)
        return jl_fail(b->err, JL_ERR_FORMAT,
                       "%s: tensor '%s' is missing, but other layers have theirs (%d of %d)",
                       model->file->path, missing, found, users);
    return JL_OK;
}

/* ---- tensors ---- */

static bool ends_with(const char *text, const char *suffix) {
    size_t n = strlen(text), m = strlen(suffix);
    return n >= m && !strcmp(text + n - m, suffix);
}

static const char *why_ignored(const struct family *family, const char *name) {
    for (int i = 0; i < FAMILY_MAX_IGNORED && family->ignored[i]; i++) {
        const char *what = family->ignored[i];
        size_t n = strlen(what);
        if (what[n - 1] == '*' && !strncmp(name, what, n - 1)) return "of a part that is not run";
        if (ends_with(name, what)) return "derived from the configuration";
    }
    return NULL;
}

/* A tied file may still carry its head: fine when it repeats the embedding. */
static enum jl_status check_tied_copy(struct binder *b, const struct tensor_info *head) {
    char name[BIND_NAME];
    bind_name(b->model, ROLE_TOK_EMBD, -1, name);
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
    char head[BIND_NAME];
    bind_name(model, ROLE_OUTPUT, -1, head);
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
        if (!why) why = why_ignored(model->family, t->name);
        if (!why)
            return jl_fail(b->err, JL_ERR_UNSUPPORTED,
                           "%s: tensor '%s' has no place in a %s model as configured; "
                           "refusing to run without it",
                           t->file, t->name, model->family->name);
        model->ignored[model->n_ignored++] = (struct ignored_tensor){t->name, why};
    }
    return JL_OK;
}

/* Prediction layers without an embedding or a head of their own use the model's. */
static void share_with_mtp(struct model *model, enum role_id role, enum role_id own) {
    for (int layer = model->hp.n_layer; layer < hparams_n_block(&model->hp); layer++) {
        struct weight *w = slot_of(model, role, layer);
        if (!w->data) *w = *slot_of(model, own, -1);
    }
}

/* Files are often published without the prediction layer that their configuration tells of. */
static void drop_absent_mtp(struct model *model) {
    char name[BIND_NAME];
    bind_name(model, ROLE_MTP_PROJ, model->hp.n_layer, name);
    if (!model_file_find(model->file, name)) model->hp.n_mtp = 0;
}

enum jl_status model_bind(struct model *model, struct jl_error *err) {
    struct binder b = {.model = model, .err = err};
    size_t rows;
    drop_absent_mtp(model);
    if (!size_mul((size_t)hparams_n_block(&model->hp) + 1, ROLE_COUNT, &rows) ||
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
    share_with_mtp(model, ROLE_MTP_EMBD, ROLE_TOK_EMBD);
    share_with_mtp(model, ROLE_MTP_OUTPUT, ROLE_OUTPUT);
    return claim_rest(&b);
}
