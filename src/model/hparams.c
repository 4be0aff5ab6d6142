#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/hparams_read.h"

/* ---- the list, read row by row ---- */

enum value_type { type_int, type_double, type_tristate };

struct hparam_row {
    const char *field;
    enum value_type type;
    const char *gguf, *hf;
    double fallback, min, max;
    size_t offset;
};

static const struct hparam_row rows[] = {
#define X(field, type, gguf, hf, fallback, min, max)                                               \
    {#field, type_##type, gguf, hf, fallback, min, max, offsetof(struct hparams, field)},
    HPARAM_LIST(X)
#undef X
};

/* Newer Hugging Face configs keep the rotary keys in rope_parameters. */
static struct meta *find_hf(struct meta *config, const char *key) {
    struct meta *value = meta_find(config, key);
    if (value && value->kind != META_NULL) return value;
    struct meta *nested = meta_find(config, "rope_parameters");
    if (nested && nested->kind == META_OBJECT &&
        (!strcmp(key, "rope_theta") || !strcmp(key, "partial_rotary_factor")))
        return meta_find(nested, key);
    return NULL;
}

/* The value of the first of the row's keys that the file has; `name`: that key, or the first. */
static struct meta *find_value(struct model_file *file, const struct family *family,
                               const struct hparam_row *row, char *name, size_t name_size) {
    bool gguf = file->kind == MODEL_FILE_GGUF;
    const char *keys = gguf ? row->gguf : row->hf;
    char first[160] = "";
    name[0] = 0;
    while (keys && *keys) {
        int len = (int)strcspn(keys, "|");
        if (gguf)
            snprintf(name, name_size, "%s.%.*s", family->gguf, len, keys);
        else
            snprintf(name, name_size, "%.*s", len, keys);
        struct meta *value = gguf ? meta_find(file->meta, name) : find_hf(file->meta, name);
        if (value && value->kind != META_NULL) return value;
        if (!first[0]) memcpy(first, name, sizeof first);
        keys += keys[len] ? len + 1 : len;
    }
    snprintf(name, name_size, "%s", first);
    return NULL;
}

struct hparams_key hparams_key(struct model_file *file, const struct family *family,
                               const char *field) {
    struct hparams_key key = {""};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!strcmp(rows[i].field, field))
            find_value(file, family, &rows[i], key.text, sizeof key.text);
    return key;
}

enum jl_status hparams_demand(struct model_file *file, const struct family *family,
                              const char *field, struct jl_error *err) {
    struct hparams_key key = hparams_key(file, family, field);
    const struct meta *value = meta_find(file->meta, key.text);
    if (value && value->kind != META_NULL) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT, "%s: required key '%s' is missing", file->path, key.text);
}

bool hparams_number(const struct meta *value, double *out) {
    if (value->kind == META_INT)
        *out = (double)value->as.i;
    else if (value->kind == META_FLOAT)
        *out = value->as.f;
    else
        return false;
    return true;
}

static enum jl_status read_row(struct model_file *file, const struct family *family,
                               const struct hparam_row *row, struct hparams *out,
                               struct jl_error *err) {
    char name[160];
    double number = row->fallback;
    const struct meta *value = find_value(file, family, row, name, sizeof name);
    if (!value) {
        if (row->fallback == HP_REQUIRED)
            return jl_fail(err, JL_ERR_FORMAT, "%s: required key '%s' is missing", file->path,
                           name[0] ? name : row->field);
    } else {
        bool fits = row->type == type_tristate
                        ? value->kind == META_BOOL
                        : hparams_number(value, &number) &&
                              (row->type == type_double || value->kind == META_INT);
        if (!fits)
            return jl_fail(err, JL_ERR_FORMAT, "%s: key '%s' is %s, expected %s", file->path, name,
                           meta_kind_name(value->kind),
                           row->type == type_int      ? "one integer"
                           : row->type == type_double ? "a number"
                                                      : "true or false");
        if (row->type == type_tristate) number = value->as.b ? 1 : 0;
        if (!(number >= row->min && number <= row->max))
            return jl_fail(err, JL_ERR_FORMAT, "%s: key '%s' is %g, outside %g .. %g", file->path,
                           name, number, row->min, row->max);
    }
    void *field = (char *)out + row->offset;
    if (row->type == type_int)
        *(int *)field = (int)number;
    else if (row->type == type_double)
        *(double *)field = number;
    else
        *(enum tristate *)field = (enum tristate)(int)number;
    return JL_OK;
}

/* ---- fields that follow from others ---- */

static enum jl_status derive(struct model_file *file, const struct family *family,
                             struct hparams *hp, struct jl_error *err) {
    if (hp->n_head_kv == 0) hp->n_head_kv = hp->n_head;
    if (hp->n_head % hp->n_head_kv)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: %d attention heads cannot share %d key/value heads ('%s') evenly",
                       file->path, hp->n_head, hp->n_head_kv,
                       hparams_key(file, family, "n_head_kv").text);
    if (hp->head_dim_k == 0) {
        if (hp->n_embd % hp->n_head)
            return jl_fail(err, JL_ERR_FORMAT,
                           "%s: '%s' is not given and width %d is not a multiple of %d heads",
                           file->path, hparams_key(file, family, "head_dim_k").text, hp->n_embd,
                           hp->n_head);
        hp->head_dim_k = hp->n_embd / hp->n_head;
    }
    if (hp->head_dim_v == 0) hp->head_dim_v = hp->head_dim_k;
    // Latent attention caches no whole heads.
    if (hp->kv_lora_rank == 0 && (hp->head_dim_k % 2 || hp->head_dim_v % 2))
        return jl_fail(
            err, JL_ERR_UNSUPPORTED, "%s: head size %d ('%s') is odd; it must be even", file->path,
            hp->head_dim_k % 2 ? hp->head_dim_k : hp->head_dim_v,
            hparams_key(file, family, hp->head_dim_k % 2 ? "head_dim_k" : "head_dim_v").text);
    if (hp->rotary_share == 0)
        hp->rotary_share =
            file->kind == MODEL_FILE_HF && family->rotary_share > 0 ? family->rotary_share : 1;
    if (hp->n_rot == 0) hp->n_rot = (int)(hp->head_dim_k * hp->rotary_share);
    if (hp->n_rot > hp->head_dim_k || hp->n_rot % 2 || hp->n_rot < 2)
        return jl_fail(
            err, JL_ERR_FORMAT,
            "%s: %d rotary dimensions ('%s'): expected an even number of at most %d", file->path,
            hp->n_rot,
            hparams_key(file, family, file->kind == MODEL_FILE_HF ? "rotary_share" : "n_rot").text,
            hp->head_dim_k);
    if (hp->attn_scale == 0) hp->attn_scale = 1 / sqrt((double)hp->head_dim_k);
    if (hp->n_vocab == 0) {
        const struct tensor_info *embd = model_file_find(file, role_row(ROLE_TOK_EMBD)->gguf);
        if (embd && embd->n_dim == 2 && embd->dim[0] <= 1 << 26) hp->n_vocab = (int)embd->dim[0];
        if (hp->n_vocab == 0)
            return jl_fail(err, JL_ERR_FORMAT, "%s: '%s', the vocabulary's size, is not given",
                           file->path, hparams_key(file, family, "n_vocab").text);
    }
    return JL_OK;
}

/* GGUF counts prediction layers among the blocks. */
static enum jl_status settle_mtp(const struct model_file *file, const struct family *family,
                                 struct hparams *hp, struct jl_error *err) {
    if (!family->mtp) hp->n_mtp = 0;
    if (file->kind != MODEL_FILE_GGUF) return JL_OK;
    if (hp->n_mtp >= hp->n_layer)
        return jl_fail(err, JL_ERR_FORMAT, "%s: %d of %d layers are said to predict further tokens",
                       file->path, hp->n_mtp, hp->n_layer);
    hp->n_layer -= hp->n_mtp;
    return JL_OK;
}

enum jl_status hparams_read(struct model_file *file, const struct family *family,
                            struct hparams *out, struct jl_error *err) {
    *out = (struct hparams){
        .rope = {.factor = 1, .magnitude = 1, .attn_magnitude = 1, .truncate = true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        JL_TRY(read_row(file, family, &rows[i], out, err));
    JL_TRY(settle_mtp(file, family, out, err));
    JL_TRY(hparams_check_known(file, family, err));
    JL_TRY(hparams_read_rope(file, family, out, err));
    if (family_is_latent(family))
        JL_TRY(hparams_derive_mla(file, out, err));
    else
        out->q_lora_rank = out->kv_lora_rank = 0;
    JL_TRY(derive(file, family, out, err));
    JL_TRY(hparams_derive_recurrent(file, family, out, err));
    return hparams_derive_moe(file, family, out, err);
}

int64_t hparams_dim(const struct hparams *hp, enum dim_id dim) {
    switch (dim) {
    case DIM_ONE: return 1;
    case DIM_VOCAB: return hp->n_vocab;
    case DIM_EMBD: return hp->n_embd;
    case DIM_Q: return (int64_t)hp->n_head * hp->head_dim_k;
    case DIM_K: return (int64_t)hp->n_head_kv * hp->head_dim_k;
    case DIM_V: return (int64_t)hp->n_head_kv * hp->head_dim_v;
    case DIM_A: return (int64_t)hp->n_head * hp->head_dim_v;
    case DIM_HEAD: return hp->head_dim_k;
    case DIM_FF: return hp->n_ff;
    case DIM_PAIRS: return hp->n_rot / 2;
    case DIM_EMBD_TWICE: return 2 * (int64_t)hp->n_embd;
    case DIM_HEAD_V: return hp->head_dim_v;
    case DIM_NOPE: return hp->head_dim_k - hp->n_rot;
    case DIM_Q_LORA: return hp->q_lora_rank;
    case DIM_KV_LORA: return hp->kv_lora_rank;
    case DIM_LATENT: return (int64_t)hp->kv_lora_rank + hp->n_rot;
    case DIM_KV_UP: return (int64_t)hp->n_head * (hp->head_dim_k - hp->n_rot + hp->head_dim_v);
    case DIM_EXPERTS: return hp->n_expert;
    case DIM_FF_EXP: return hp->n_ff_exp;
    case DIM_FF_SHEXP: return hp->n_ff_shexp;
    case DIM_QG: return 2 * (int64_t)hp->n_head * hp->head_dim_k;
    case DIM_DELTA_HEADS: return hp->delta_head_v;
    case DIM_DELTA_BA: return 2 * (int64_t)hp->delta_head_v;
    case DIM_DELTA_HEAD: return hp->delta_dim_v;
    case DIM_DELTA_V: return (int64_t)hp->delta_head_v * hp->delta_dim_v;
    case DIM_DELTA_QKV:
        return 2 * (int64_t)hp->delta_head_k * hp->delta_dim_k +
               (int64_t)hp->delta_head_v * hp->delta_dim_v;
    case DIM_DELTA_QKVZ:
        return 2 * (int64_t)hp->delta_head_k * hp->delta_dim_k +
               2 * (int64_t)hp->delta_head_v * hp->delta_dim_v;
    case DIM_DELTA_TAPS: return hp->delta_tap;
    case DIM_COUNT: break;
    }
    return 0;
}

const char *hparams_rope_name(enum rope_scaling scaling) {
    static const char *const names[] = {"plain", "linear", "llama3", "yarn"};
    return names[scaling];
}
