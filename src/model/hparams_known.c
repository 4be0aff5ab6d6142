/* Closed world: a value of a known key that no family of ours means is refused. */
#include <stdio.h>
#include <string.h>

#include "model/hparams_read.h"

bool hparams_is_text(const struct meta *value, const char *text) {
    return value->kind == META_STRING && value->as.s.len == strlen(text) &&
           !memcmp(value->as.s.text, text, value->as.s.len);
}

enum jl_status hparams_refuse(const struct model_file *file, const char *key,
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

/* FP8 with a scale for each 128 x 128 weights is the one kind of quantised folder. How the model's
 * own engine rounds activations at run time ("dynamic") does not touch what is stored. */
static enum jl_status check_quantization(struct model_file *file, struct meta *config,
                                         struct jl_error *err) {
    static const char *const keys[][2] = {
        {"quant_method", "fp8"}, {"fmt", "e4m3"}, {"activation_scheme", "dynamic"}};
    if (config->kind != META_OBJECT)
        return hparams_refuse(file, "quantization_config", config, "an object", err);
    if (!meta_find(config, keys[0][0]))
        return jl_fail(err, JL_ERR_FORMAT, "%s: 'quantization_config' has no quant_method",
                       file->path);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char name[64];
        const struct meta *value = meta_find(config, keys[i][0]);
        snprintf(name, sizeof name, "quantization_config.%s", keys[i][0]);
        if (value && !hparams_is_text(value, keys[i][1]))
            return hparams_refuse(file, name, value, keys[i][1], err);
    }
    struct meta *block = meta_find(config, "weight_block_size");
    struct meta_iter iter = {.array = block};
    struct meta item;
    int n = 0;
    bool fits = block && block->kind == META_ARRAY;
    for (; fits && meta_iter_next(&iter, &item); n++)
        fits = item.kind == META_INT && item.as.i == F8_SCALE_BLOCK;
    if (!fits || n != 2)
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "%s: 'quantization_config.weight_block_size' is not [128, 128], the only "
                       "size that is supported",
                       file->path);
    return JL_OK;
}

static enum jl_status check_hf(struct model_file *file, const struct family *family,
                               struct jl_error *err) {
    struct meta *config = file->meta, *value;
    value = meta_find(config, "hidden_act");
    if (value && value->kind != META_NULL && !hparams_is_text(value, "silu") &&
        !hparams_is_text(value, "swish"))
        return hparams_refuse(file, "hidden_act", value, "silu", err);
    value = meta_find(config, "quantization_config");
    if (value && value->kind != META_NULL) JL_TRY(check_quantization(file, value, err));
    value = meta_find(config, "use_sliding_window");
    if (value && value->kind != META_NULL && !(value->kind == META_BOOL && !value->as.b))
        return hparams_refuse(file, "use_sliding_window", value, "false", err);
    value = meta_find(config, "layer_types");
    // A family with recurrent layers reads it (hparams_recurrent.c).
    if (value && value->kind != META_NULL && !family->mixer[MIXER_RECURRENT]) {
        struct meta_iter iter = {.array = value};
        struct meta item;
        if (value->kind != META_ARRAY)
            return hparams_refuse(file, "layer_types", value, "a list of \"full_attention\"", err);
        while (meta_iter_next(&iter, &item))
            if (!hparams_is_text(&item, "full_attention"))
                return hparams_refuse(file, "layer_types", &item, "full_attention", err);
    }
    return JL_OK;
}

/* GGUF keys that are absent or zero in every family we run. */
static enum jl_status check_gguf(struct model_file *file, const struct family *family,
                                 struct jl_error *err) {
    static const char *const must_be_zero[] = {
        "attention.sliding_window", "logit_scale",           "embedding_scale",
        "residual_scale",           "attention.clamp_kqv",   "attn_logit_softcapping",
        "final_logit_softcapping",  "use_parallel_residual", "expert_count",
        "expert_used_count",
    };
    size_t n = sizeof must_be_zero / sizeof must_be_zero[0];
    if (family->ffn[FFN_MOE]) n -= 2;
    for (size_t i = 0; i < n; i++) {
        char name[160];
        double number = 0;
        snprintf(name, sizeof name, "%s.%s", family->gguf, must_be_zero[i]);
        const struct meta *value = meta_find(file->meta, name);
        if (!value) continue;
        if (value->kind == META_BOOL ? value->as.b : !hparams_number(value, &number) || number != 0)
            return hparams_refuse(file, name, value, "0", err);
    }
    return JL_OK;
}

enum jl_status hparams_check_known(struct model_file *file, const struct family *family,
                                   struct jl_error *err) {
    return file->kind == MODEL_FILE_HF ? check_hf(file, family, err)
                                       : check_gguf(file, family, err);
}
