/* Rotary scaling, as either kind of file spells it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fmath.h"
#include "model/hparams_read.h"

struct rope_source {
    struct model_file *file;
    const struct family *family;
    struct meta *object; // rope_scaling or rope_parameters; GGUF: the root
    char prefix[160];    // "rope_scaling." for messages, "ARCH.rope.scaling." for GGUF keys
};

/* A positive number; where the fallback is 0, for "not given", also that. */
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
    bool number = hparams_number(value, out) && isfinite(*out);
    if (!number || !(*out > 0 || (*out == 0 && fallback == 0)))
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
    bool latent = family_is_latent(source->family);
    JL_TRY(rope_number(source, gguf ? "yarn_beta_fast" : "beta_fast", 32, &rope->beta_fast, err));
    JL_TRY(rope_number(source, gguf ? "yarn_beta_slow" : "beta_slow", 1, &rope->beta_slow, err));
    if (gguf) {
        double attn_factor, yarn_attn_factor;
        JL_TRY(rope_number(source, "attn_factor", 1, &attn_factor, err));
        JL_TRY(rope_number(source, "yarn_attn_factor", attn_factor, &yarn_attn_factor, err));
        double own = yarn_magnitude(rope->factor, 1), multiplier = 0;
        if (latent) JL_TRY(rope_number(source, "yarn_log_multiplier", 0, &multiplier, err));
        if (multiplier > 0) { // 0.1 * mscale_all_dim, with an mscale that is its equal
            rope->attn_magnitude = yarn_magnitude(rope->factor, 10 * multiplier);
            own = 1;
        }
        rope->magnitude = own * yarn_attn_factor;
        return JL_OK;
    }
    double given, mscale, mscale_all;
    JL_TRY(rope_number(source, "attention_factor", -1, &given, err));
    JL_TRY(rope_number(source, "mscale", 0, &mscale, err));
    JL_TRY(rope_number(source, "mscale_all_dim", 0, &mscale_all, err));
    if (given > 0)
        rope->magnitude = given;
    else if (mscale > 0 && mscale_all > 0)
        rope->magnitude =
            yarn_magnitude(rope->factor, mscale) / yarn_magnitude(rope->factor, mscale_all);
    else
        rope->magnitude = yarn_magnitude(rope->factor, 1);
    if (latent && mscale_all > 0) rope->attn_magnitude = yarn_magnitude(rope->factor, mscale_all);
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
    while (i < n && !hparams_is_text(type, scaling_names[i].name))
        i++;
    // GGUF says llama3 by the rope_freqs tensor; as a type name it does not exist there.
    if (i == n || (gguf && scaling_names[i].scaling == ROPE_LLAMA3)) {
        char key[200];
        snprintf(key, sizeof key, "%s%s", source->prefix,
                 type == meta_find(source->object, "rope_type") ? "rope_type" : "type");
        return hparams_refuse(source->file, key, type,
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

static enum jl_status read_rope_hf(struct model_file *file, const struct family *family,
                                   struct hparams *hp, struct jl_error *err) {
    static const char *const keys[] = {"rope_scaling", "rope_parameters"};
    for (int k = 0; k < 2; k++) {
        struct meta *object = meta_find(file->meta, keys[k]);
        if (!object || object->kind == META_NULL) continue;
        if (object->kind != META_OBJECT)
            return jl_fail(err, JL_ERR_FORMAT, "%s: key '%s' is %s, expected an object", file->path,
                           keys[k], meta_kind_name(object->kind));
        struct rope_source source = {.file = file, .family = family, .object = object};
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
            for (size_t i = 0; k == 1 && i < object->as.list.count; i++)
                if (object->as.list.items[i].kind == META_OBJECT)
                    return hparams_refuse(file, keys[k], &object->as.list.items[i],
                                          "one kind of rotation for all layers", err);
            if (k == 1) continue; // rope_parameters may hold rope_theta alone
            return jl_fail(err, JL_ERR_FORMAT, "%s: '%s' has neither rope_type nor type",
                           file->path, keys[k]);
        }
        JL_TRY(read_scaling(&source, type, hp, err));
        if (hp->rope.scaling != ROPE_PLAIN) break;
    }
    return JL_OK;
}

static enum jl_status read_rope_gguf(struct model_file *file, const struct family *family,
                                     struct hparams *hp, struct jl_error *err) {
    struct rope_source source = {.file = file, .family = family, .object = file->meta};
    char key[200];
    snprintf(source.prefix, sizeof source.prefix, "%s.rope.", family->gguf);
    double factor;
    JL_TRY(rope_number(&source, "scale_linear", 0, &factor, err)); // the oldest spelling
    snprintf(source.prefix, sizeof source.prefix, "%s.rope.scaling.", family->gguf);
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

enum jl_status hparams_read_rope(struct model_file *file, const struct family *family,
                                 struct hparams *hp, struct jl_error *err) {
    return file->kind == MODEL_FILE_HF ? read_rope_hf(file, family, hp, err)
                                       : read_rope_gguf(file, family, hp, err);
}
