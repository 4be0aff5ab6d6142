#include "model/init_config.h"

#include <stdlib.h>
#include <string.h>

#include "format/config.h"
#include "format/report.h"
#include "model/export_hf.h"
#include "model/hparams_read.h"
#include "model/model.h"

#define USUAL_STD 0.02

/* ---- keys that have no effect ---- */

/* What programs write beside the hyper-parameters, and what concerns text only. */
static bool is_remark(const char *key) {
    static const char *const keys[] = {
        "architectures",  "model_type",       "torch_dtype",  "dtype",     "initializer_range",
        "bos_token_id",   "eos_token_id",     "pad_token_id", "use_cache", "transformers_version",
        "sliding_window", "max_window_layers"}; // these two: where use_sliding_window is false
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!strcmp(key, keys[i])) return true;
    return false;
}

struct unread {
    char key[160]; // the first; "": none
};

static void note_unread(void *ctx, const char *path) {
    struct unread *unread = ctx;
    if (unread->key[0] || is_remark(path)) return;
    size_t len = strlen(path);
    if (len >= sizeof unread->key) len = sizeof unread->key - 1;
    memcpy(unread->key, path, len);
}

/* Keys that are read for every family, and mean something for some. */
static const struct {
    enum { OF_LATENT, OF_EXPERTS, OF_MTP, OF_RECURRENT } part;
    const char *key;
} parts[] = {
    {OF_LATENT, "kv_lora_rank"},
    {OF_LATENT, "q_lora_rank"},
    {OF_LATENT, "qk_nope_head_dim"},
    {OF_LATENT, "qk_rope_head_dim"},
    {OF_LATENT, "v_head_dim"},
    {OF_EXPERTS, "num_experts"},
    {OF_EXPERTS, "n_routed_experts"},
    {OF_EXPERTS, "n_shared_experts"},
    {OF_EXPERTS, "num_experts_per_tok"},
    {OF_EXPERTS, "moe_intermediate_size"},
    {OF_EXPERTS, "shared_expert_intermediate_size"},
    {OF_EXPERTS, "n_group"},
    {OF_EXPERTS, "topk_group"},
    {OF_EXPERTS, "norm_topk_prob"},
    {OF_EXPERTS, "routed_scaling_factor"},
    {OF_EXPERTS, "first_k_dense_replace"},
    {OF_EXPERTS, "decoder_sparse_step"},
    {OF_EXPERTS, "moe_layer_freq"},
    {OF_MTP, "num_nextn_predict_layers"},
    {OF_RECURRENT, "full_attention_interval"},
    {OF_RECURRENT, "linear_num_key_heads"},
    {OF_RECURRENT, "linear_num_value_heads"},
    {OF_RECURRENT, "linear_key_head_dim"},
    {OF_RECURRENT, "linear_value_head_dim"},
    {OF_RECURRENT, "linear_conv_kernel_dim"},
};

static bool has_part(const struct family *family, int part) {
    switch (part) {
    case OF_LATENT: return family_is_latent(family);
    case OF_EXPERTS: return family->ffn[FFN_MOE] != NULL;
    case OF_MTP: return family->mtp;
    default: return family->mixer[MIXER_RECURRENT] != NULL;
    }
}

static enum jl_status unknown_key(const struct init_options *options, const char *key,
                                  const struct family *family, struct jl_error *err) {
    return report_fail(err, JL_ERR_USAGE, options->path,
                       "key %s means nothing to a model of the family %s; remove it",
                       report_quote_str(key).text, family->name);
}

static enum jl_status check_keys(const struct init_options *options, struct meta *config,
                                 const struct family *family, struct jl_error *err) {
    struct unread unread = {{0}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const struct meta *value = meta_find(config, parts[i].key);
        if (value && value->kind != META_NULL && !has_part(family, parts[i].part))
            return unknown_key(options, parts[i].key, family, err);
    }
    if (meta_unread(config, note_unread, &unread) != JL_OK)
        return report_no_memory(err, options->path, "its keys");
    return unread.key[0] ? unknown_key(options, unread.key, family, err) : JL_OK;
}

/* ---- reading ---- */

static enum jl_status read_std(const struct init_options *options, struct meta *config, double *std,
                               struct jl_error *err) {
    static const char key[] = "initializer_range";
    const struct meta *value = meta_find(config, key);
    *std = USUAL_STD;
    if (value && value->kind != META_NULL && !hparams_number(value, std))
        return report_fail(err, JL_ERR_FORMAT, options->path, "key '%s' is %s, expected a number",
                           key, meta_kind_name(value->kind));
    if (options->std != 0) *std = options->std;
    if (*std >= 0 && *std <= 10) return JL_OK;
    return report_fail(err, JL_ERR_USAGE, options->path,
                       "'%s' is %g; a standard deviation is a number from 0 to 10", key, *std);
}

static enum jl_status read_tree(const struct init_options *options, struct meta *config,
                                struct init_plan *plan, double *std, struct jl_error *err) {
    char path[512];
    size_t len = strlen(options->path);
    if (len >= sizeof path) len = sizeof path - 1;
    memcpy(path, options->path, len);
    path[len] = 0;
    struct model_file file = {.kind = MODEL_FILE_HF, .path = path, .meta = config};
    struct model model = {.file = &file};
    JL_TRY(model_choose_family(&model, err));
    plan->family = model.family;
    JL_TRY(hparams_read(&file, plan->family, &plan->hp, err));
    JL_TRY(read_std(options, config, std, err));
    if (meta_find(config, "quantization_config"))
        return unknown_key(options, "quantization_config", plan->family, err);
    if (plan->hp.tied == UNSAID)
        return report_fail(err, JL_ERR_USAGE, options->path,
                           "say whether the head is the embedding: 'tie_word_embeddings' true or "
                           "false");
    return check_keys(options, config, plan->family, err);
}

enum jl_status init_config_read(const struct init_options *options, struct init_plan *plan,
                                double *std, struct jl_error *err) {
    struct meta *config;
    char *text = json_dumps(options->config, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text) return report_no_memory(err, options->path, "its configuration");
    enum jl_status status =
        config_parse(text, strlen(text), options->path, &plan->arena, &config, err);
    free(text);
    return status == JL_OK ? read_tree(options, config, plan, std, err) : status;
}

/* ---- writing ---- */

static bool set(json_t *config, const char *key, json_t *value) {
    return json_object_set_new(config, key, value) == 0;
}

static bool is_given(const json_t *config, const char *key) {
    const json_t *value = json_object_get(config, key);
    return value && !json_is_null(value);
}

enum jl_status init_config_write(const struct init_options *options, double std,
                                 struct init_plan *plan, struct jl_error *err) {
    const struct family *family = plan->family;
    plan->config = json_deep_copy(options->config);
    json_t *config = plan->config;
    size_t len = strcspn(family->hf_model_type, "|");
    bool ok = config != NULL;
    if (ok && !is_given(config, "architectures"))
        ok = set(config, "architectures", json_pack("[s]", family->hf));
    if (ok && !is_given(config, "model_type"))
        ok = set(config, "model_type", json_stringn(family->hf_model_type, len));
    if (ok && !is_given(config, "hidden_act")) ok = set(config, "hidden_act", json_string("silu"));
    if (ok) ok = set(config, "initializer_range", json_real(std));
    if (ok) json_object_del(config, "dtype");
    if (ok) ok = set(config, "torch_dtype", json_string(export_hf_dtype_name(options->dtype)));
    return ok ? JL_OK : report_no_memory(err, options->path, "its configuration");
}
