#include "model/hparams.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fmath.h"

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

static struct meta *find_value(struct model_file *file, const char *arch,
                               const struct hparam_row *row, char *name, size_t name_size) {
    struct meta *value = NULL;
    name[0] = 0;
    if (file->kind == MODEL_FILE_GGUF && row->gguf) {
        snprintf(name, name_size, "%s.%s", arch, row->gguf);
        value = meta_find(file->meta, name);
    } else if (file->kind == MODEL_FILE_HF && row->hf) {
        snprintf(name, name_size, "%s", row->hf);
        value = find_hf(file->meta, name);
    }
    return value && value->kind != META_NULL ? value : NULL;
}

static bool as_number(const struct meta *value, double *out) {
    if (value->kind == META_INT)
        *out = (double)value->as.i;
    else if (value->kind == META_FLOAT)
        *out = value->as.f;
    else
        return false;
    return true;
}

static enum jl_status read_row(struct model_file *file, const char *arch,
                               const struct hparam_row *row, struct hparams *out,
                               struct jl_error *err) {
    char name[160];
    double number = row->fallback;
    const struct meta *value = find_value(file, arch, row, name, sizeof name);
    if (!value) {
        if (row->fallback == HP_REQUIRED)
            return jl_fail(err, JL_ERR_FORMAT, "%s: required key '%s' is missing", file->path,
                           name[0] ? name : row->field);
    } else {
        bool fits = row->type == type_tristate
                        ? value->kind == META_BOOL
                        : as_number(value, &number) &&
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

/* ---- known keys whose other values would change what the model computes ---- */

static bool is_text(const struct meta *value, const char *text) {
    return value->kind == META_STRING && value->as.s.len == strlen(text) &&
           !memcmp(value->as.s.text, text, value->as.s.len);
}

static enum jl_status refuse_value(const struct model_file *file, const char *key,
                                   const struct meta *value, const char *supported,
                                   struct jl_error *err) {
    if (value->kind == META_STRING)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "%s: '%s' is \"%.*s\"; supported: %s", file->path,
                       key, (int)(value->as.s.len > 80 ? 80 : value->as.s.len), value->as.s.text,
                       supported);
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   "%s: the value of '%s' (%s) is not supported; supported: %s", file->path, key,
                   meta_kind_name(value->kind), supported);
}

static enum jl_status check_known_hf(struct model_file *file, struct jl_error *err) {
    struct meta *config = file->meta, *value;
    value = meta_find(config, "hidden_act");
    if (value && value->kind != META_NULL && !is_text(value, "silu") && !is_text(value, "swish"))
        return refuse_value(file, "hidden_act", value, "silu", err);
    value = meta_find(config, "quantization_config");
    if (value && value->kind != META_NULL)
        return refuse_value(file, "quantization_config", value,
                            "F32, F16 and BF16 weights without one", err);
    value = meta_find(config, "use_sliding_window");
    if (value && value->kind != META_NULL && !(value->kind == META_BOOL && !value->as.b))
        return refuse_value(file, "use_sliding_window", value, "false", err);
    value = meta_find(config, "layer_types");
    if (value && value->kind != META_NULL) {
        struct meta_iter iter = {.array = value};
        struct meta item;
        if (value->kind != META_ARRAY)
            return refuse_value(file, "layer_types", value, "a list of \"full_attention\"", err);
        while (meta_iter_next(&iter, &item))
            if (!is_text(&item, "full_attention"))
                return refuse_value(file, "layer_types", &item, "full_attention", err);
    }
    return JL_OK;
}

/* GGUF keys that are absent or zero in every family we run. */
static enum jl_status check_known_gguf(struct model_file *file, const char *arch,
                                       struct jl_error *err) {
    static const char *const must_be_zero[] = {
        "expert_count",          "expert_used_count",      "attention.sliding_window",
        "logit_scale",           "embedding_scale",        "residual_scale",
        "attention.clamp_kqv",   "attn_logit_softcapping", "final_logit_softcapping",
        "use_parallel_residual",
    };
    for (size_t i = 0; i < sizeof must_be_zero / sizeof must_be_zero[0]; i++) {
        char name[160];
        double number = 0;
        snprintf(name, sizeof name, "%s.%s", arch, must_be_zero[i]);
        const struct meta *value = meta_find(file->meta, name);
        if (!value) continue;
        if (value->kind == META_BOOL ? value->as.b : !as_number(value, &number) || number != 0)
            return refuse_value(file, name, value, "0", err);
    }
    return JL_OK;
}

/* ---- rotary scaling ---- */

struct rope_source {
    struct model_file *file;
    struct meta *object; // rope_scaling or rope_parameters; GGUF: the root
    char prefix[160];    // "rope_scaling." for messages, "ARCH.rope.scaling." for GGUF keys
};

static enum jl_status rope_number(const struct rope_source *source, const char *key,
                                  double fallback, double *out, struct jl_error *err) {
    char name[256];
    snprintf(name, sizeof name, "%s%s", source->prefix, key);
    bool gguf = source->file->kind == MODEL_FILE_GGUF;
    const struct meta *value = meta_find(source->object, gguf ? name : key);
    if (!value || value->kind == META_NULL) {
        if (fallback == HP_REQUIRED)
            return jl_fail(err, JL_ERR_FORMAT, "%s: required key '%s' is missing",
                           source->file->path, name);
        *out = fallback;
        return JL_OK;
    }
    if (!as_number(value, out) || !isfinite(*out) || !(*out > 0))
        return jl_fail(err, JL_ERR_FORMAT, "%s: key '%s' is not a positive number",
                       source->file->path, name);
    return JL_OK;
}

static double yarn_magnitude(double factor, double mscale) {
    return factor <= 1 ? 1 : 0.1 * mscale * fmath_log64(factor) + 1;
}

static enum jl_status read_yarn(const struct rope_source *source, struct hparams *hp,
                                struct jl_error *err) {
    struct rope_hparams *rope = &hp->rope;
    bool gguf = source->file->kind == MODEL_FILE_GGUF;
    JL_TRY(rope_number(source, gguf ? "yarn_beta_fast" : "beta_fast", 32, &rope->beta_fast, err));
    JL_TRY(rope_number(source, gguf ? "yarn_beta_slow" : "beta_slow", 1, &rope->beta_slow, err));
    if (gguf) {
        double attn_factor, yarn_attn_factor;
        JL_TRY(rope_number(source, "attn_factor", 1, &attn_factor, err));
        JL_TRY(rope_number(source, "yarn_attn_factor", attn_factor, &yarn_attn_factor, err));
        rope->magnitude = yarn_magnitude(rope->factor, 1) * yarn_attn_factor;
        return JL_OK;
    }
    double given, mscale, mscale_all;
    JL_TRY(rope_number(source, "attention_factor", 0, &given, err));
    JL_TRY(rope_number(source, "mscale", 0, &mscale, err));
    JL_TRY(rope_number(source, "mscale_all_dim", 0, &mscale_all, err));
    if (given > 0)
        rope->magnitude = given;
    else if (mscale > 0 && mscale_all > 0)
        rope->magnitude =
            yarn_magnitude(rope->factor, mscale) / yarn_magnitude(rope->factor, mscale_all);
    else
        rope->magnitude = yarn_magnitude(rope->factor, 1);
    const struct meta *truncate = meta_find(source->object, "truncate");
    if (truncate && truncate->kind != META_NULL) {
        if (truncate->kind != META_BOOL)
            return jl_fail(err, JL_ERR_FORMAT, "%s: key '%struncate' is not true or false",
                           source->file->path, source->prefix);
        rope->truncate = truncate->as.b;
    }
    return JL_OK;
}

static const struct {
    const char *name;
    enum rope_scaling scaling;
} scaling_names[] = {
    {"default", ROPE_PLAIN}, {"none", ROPE_PLAIN}, {"linear", ROPE_LINEAR},
    {"llama3", ROPE_LLAMA3}, {"yarn", ROPE_YARN},
};

static enum jl_status read_scaling(const struct rope_source *source, const struct meta *type,
                                   struct hparams *hp, struct jl_error *err) {
    struct rope_hparams *rope = &hp->rope;
    bool gguf = source->file->kind == MODEL_FILE_GGUF;
    size_t i = 0, n = sizeof scaling_names / sizeof scaling_names[0];
    while (i < n && !is_text(type, scaling_names[i].name))
        i++;
    // GGUF says llama3 by the rope_freqs tensor; as a type name it does not exist there.
    if (i == n || (gguf && scaling_names[i].scaling == ROPE_LLAMA3)) {
        char key[200];
        snprintf(key, sizeof key, "%stype", source->prefix);
        return refuse_value(source->file, key, type,
                            gguf ? "none, linear, yarn" : "default, linear, llama3, yarn", err);
    }
    rope->scaling = scaling_names[i].scaling;
    if (rope->scaling == ROPE_PLAIN) return JL_OK;
    JL_TRY(rope_number(source, "factor", HP_REQUIRED, &rope->factor, err));
    if (rope->scaling == ROPE_LINEAR) return JL_OK;
    JL_TRY(rope_number(source,
                       gguf ? "original_context_length" : "original_max_position_embeddings",
                       rope->scaling == ROPE_LLAMA3 ? HP_REQUIRED : (double)hp->n_ctx_train,
                       &rope->n_ctx_orig, err));
    if (rope->scaling == ROPE_YARN) return read_yarn(source, hp, err);
    JL_TRY(rope_number(source, "low_freq_factor", HP_REQUIRED, &rope->low_freq_factor, err));
    JL_TRY(rope_number(source, "high_freq_factor", HP_REQUIRED, &rope->high_freq_factor, err));
    if (!(rope->high_freq_factor > rope->low_freq_factor))
        return jl_fail(err, JL_ERR_FORMAT, "%s: '%shigh_freq_factor' must exceed low_freq_factor",
                       source->file->path, source->prefix);
    return JL_OK;
}

static enum jl_status read_rope_hf(struct model_file *file, struct hparams *hp,
                                   struct jl_error *err) {
    static const char *const keys[] = {"rope_scaling", "rope_parameters"};
    for (int k = 0; k < 2; k++) {
        struct meta *object = meta_find(file->meta, keys[k]);
        if (!object || object->kind == META_NULL) continue;
        if (object->kind != META_OBJECT)
            return jl_fail(err, JL_ERR_FORMAT, "%s: key '%s' is %s, expected an object", file->path,
                           keys[k], meta_kind_name(object->kind));
        struct rope_source source = {.file = file, .object = object};
        snprintf(source.prefix, sizeof source.prefix, "%s.", keys[k]);
        const struct meta *type = meta_find(object, "rope_type");
        const struct meta *old = meta_find(object, "type");
        if (!type || type->kind == META_NULL)
            type = old;
        else if (old && old->kind == META_STRING && type->kind == META_STRING &&
                 (old->as.s.len != type->as.s.len ||
                  memcmp(old->as.s.text, type->as.s.text, old->as.s.len)))
            return jl_fail(err, JL_ERR_FORMAT, "%s: '%srope_type' and '%stype' disagree",
                           file->path, source.prefix, source.prefix);
        if (!type || type->kind == META_NULL) {
            if (k == 1) continue; // rope_parameters may hold rope_theta alone
            return jl_fail(err, JL_ERR_FORMAT, "%s: '%s' has neither rope_type nor type",
                           file->path, keys[k]);
        }
        JL_TRY(read_scaling(&source, type, hp, err));
        if (hp->rope.scaling != ROPE_PLAIN) break;
    }
    return JL_OK;
}

static enum jl_status read_rope_gguf(struct model_file *file, const char *arch, struct hparams *hp,
                                     struct jl_error *err) {
    struct rope_source source = {.file = file, .object = file->meta};
    char key[200];
    snprintf(source.prefix, sizeof source.prefix, "%s.rope.", arch);
    double factor;
    JL_TRY(rope_number(&source, "scale_linear", 0, &factor, err)); // the oldest spelling
    snprintf(source.prefix, sizeof source.prefix, "%s.rope.scaling.", arch);
    snprintf(key, sizeof key, "%stype", source.prefix);
    const struct meta *type = meta_find(file->meta, key);
    if (type) return read_scaling(&source, type, hp, err);
    JL_TRY(rope_number(&source, "factor", factor, &factor, err));
    if (factor > 0) {
        hp->rope.scaling = ROPE_LINEAR; // a factor without a type is linear
        hp->rope.factor = factor;
    }
    return JL_OK;
}

/* ---- fields that follow from others ---- */

static enum jl_status derive(const struct model_file *file, struct hparams *hp,
                             struct jl_error *err) {
    if (hp->n_head_kv == 0) hp->n_head_kv = hp->n_head;
    if (hp->n_head % hp->n_head_kv)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: %d attention heads cannot share %d key/value heads evenly", file->path,
                       hp->n_head, hp->n_head_kv);
    if (hp->head_dim_k == 0) {
        if (hp->n_embd % hp->n_head)
            return jl_fail(err, JL_ERR_FORMAT,
                           "%s: no head size is given and width %d is not a multiple of %d heads",
                           file->path, hp->n_embd, hp->n_head);
        hp->head_dim_k = hp->n_embd / hp->n_head;
    }
    if (hp->head_dim_v == 0) hp->head_dim_v = hp->head_dim_k;
    if (hp->head_dim_k % 2 || hp->head_dim_v % 2)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "%s: head size %d is odd; it must be even",
                       file->path, hp->head_dim_k % 2 ? hp->head_dim_k : hp->head_dim_v);
    if (hp->n_rot == 0) hp->n_rot = (int)(hp->head_dim_k * hp->rotary_share);
    if (hp->n_rot > hp->head_dim_k || hp->n_rot % 2 || hp->n_rot < 2)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: %d rotary dimensions: expected an even number of at most %d",
                       file->path, hp->n_rot, hp->head_dim_k);
    if (hp->attn_scale == 0) hp->attn_scale = 1 / sqrt((double)hp->head_dim_k);
    if (hp->n_vocab == 0) {
        const struct tensor_info *embd = model_file_find(file, role_row(ROLE_TOK_EMBD)->gguf);
        if (embd && embd->n_dim == 2 && embd->dim[0] <= 1 << 26) hp->n_vocab = (int)embd->dim[0];
        if (hp->n_vocab == 0)
            return jl_fail(err, JL_ERR_FORMAT, "%s: the vocabulary's size is not given",
                           file->path);
    }
    return JL_OK;
}

enum jl_status hparams_read(struct model_file *file, const char *arch, struct hparams *out,
                            struct jl_error *err) {
    *out = (struct hparams){.rope = {.factor = 1, .magnitude = 1, .truncate = true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        JL_TRY(read_row(file, arch, &rows[i], out, err));
    if (file->kind == MODEL_FILE_HF) {
        JL_TRY(check_known_hf(file, err));
        JL_TRY(read_rope_hf(file, out, err));
    } else {
        JL_TRY(check_known_gguf(file, arch, err));
        JL_TRY(read_rope_gguf(file, arch, out, err));
    }
    return derive(file, out, err);
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
    case DIM_COUNT: break;
    }
    return 0;
}

const char *hparams_rope_name(enum rope_scaling scaling) {
    static const char *const names[] = {"plain", "linear", "llama3", "yarn"};
    return names[scaling];
}
