/* Which layers are mixtures of experts, and the rule by which experts are chosen. */
#include <stdio.h>
#include <string.h>

#include "model/hparams_read.h"

/* Layers that a list of the configuration makes dense. */
static enum jl_status read_dense_list(struct model_file *file, int n_layer, struct layer_set *out,
                                      struct jl_error *err) {
    static const char key[] = "mlp_only_layers";
    struct meta *list = file->kind == MODEL_FILE_HF ? meta_find(file->meta, key) : NULL;
    struct meta_iter iter = {.array = list};
    struct meta item;
    if (!list || list->kind == META_NULL) return JL_OK;
    if (list->kind != META_ARRAY) return hparams_refuse(file, key, list, "a list of layers", err);
    while (meta_iter_next(&iter, &item)) {
        if (item.kind != META_INT || item.as.i < 0 || item.as.i >= n_layer)
            return jl_fail(err, JL_ERR_FORMAT, "%s: '%s' names a layer that is not 0 .. %d",
                           file->path, key, n_layer - 1);
        layer_set_put(out, (int)item.as.i);
    }
    return JL_OK;
}

static bool given(const struct meta *value) { return value && value->kind != META_NULL; }

/* The names under which files know our rules; other ones are refused. */
static const struct {
    const char *hf;
    int gguf; // expert_gating_func
    const char *gguf_about;
} scorings[] = {
    [ROUTE_SOFTMAX] = {"softmax", 1, "1 (softmax)"},
    [ROUTE_SIGMOID] = {"sigmoid", 2, "2 (sigmoid)"},
};

static const struct {
    const char *grouped, *plain, *both;
} methods[] = {
    [ROUTE_GROUP_BEST] = {"group_limited_greedy", "greedy", "greedy, group_limited_greedy"},
    [ROUTE_GROUP_TOP2] = {"noaux_tc", NULL, "noaux_tc"},
};

const char *hparams_scoring_name(const struct family *family) {
    return scorings[family->scoring].hf;
}

const char *hparams_method_name(const struct family *family, const struct hparams *hp) {
    const char *plain = methods[family->group].plain;
    return plain && hp->n_group <= 1 ? plain : methods[family->group].grouped;
}

static enum jl_status check_method_hf(struct model_file *file, const struct family *family,
                                      struct hparams *hp, struct jl_error *err) {
    const struct meta *value = meta_find(file->meta, "scoring_func");
    const char *scoring = scorings[family->scoring].hf;
    const char *grouped = methods[family->group].grouped, *plain = methods[family->group].plain;
    if (given(value) && !hparams_is_text(value, scoring))
        return hparams_refuse(file, "scoring_func", value, scoring, err);
    value = meta_find(file->meta, "topk_method");
    if (!given(value) && plain && hp->n_group > 1)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: required key 'topk_method' is missing: it says whether the %d groups "
                       "of experts count",
                       file->path, hp->n_group);
    if (!given(value) || hparams_is_text(value, grouped)) return JL_OK;
    if (!plain || !hparams_is_text(value, plain))
        return hparams_refuse(file, "topk_method", value, methods[family->group].both, err);
    hp->n_group = hp->n_group_used = 1;
    return JL_OK;
}

static enum jl_status check_method_gguf(struct model_file *file, const struct family *family,
                                        struct jl_error *err) {
    char key[96];
    double gating;
    snprintf(key, sizeof key, "%s.expert_gating_func", family->gguf);
    const struct meta *value = meta_find(file->meta, key);
    if (value && (!hparams_number(value, &gating) || gating != scorings[family->scoring].gguf))
        return hparams_refuse(file, key, value, scorings[family->scoring].gguf_about, err);
    return JL_OK;
}

static enum jl_status check_rule(struct model_file *file, const struct family *family,
                                 const struct hparams *hp, struct jl_error *err) {
    const struct route_rule *rule = &hp->route;
    if (rule->n_used < 1 || rule->n_used > rule->n_expert)
        return jl_fail(err, JL_ERR_FORMAT, "%s: %d of %d experts are to be used ('%s', '%s')",
                       file->path, rule->n_used, rule->n_expert,
                       hparams_key(file, family, "n_expert_used").text,
                       hparams_key(file, family, "n_expert").text);
    if (rule->n_expert % rule->n_group || rule->n_group_used > rule->n_group)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: %d of %d groups of %d experts: not whole groups ('%s', '%s')",
                       file->path, rule->n_group_used, rule->n_group, rule->n_expert,
                       hparams_key(file, family, "n_group_used").text,
                       hparams_key(file, family, "n_group").text);
    if (rule->n_used > rule->n_expert / rule->n_group * rule->n_group_used)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: %d groups of %d experts do not hold the %d to use ('%s', '%s')",
                       file->path, rule->n_group_used, rule->n_expert / rule->n_group, rule->n_used,
                       hparams_key(file, family, "n_group_used").text,
                       hparams_key(file, family, "n_expert_used").text);
    if (hp->n_ff_exp < 1)
        return jl_fail(err, JL_ERR_FORMAT, "%s: '%s', the width of an expert, is not given",
                       file->path, hparams_key(file, family, "n_ff_exp").text);
    return JL_OK;
}

void hparams_moe_layers(const struct family *family, const struct layer_set *dense,
                        struct hparams *hp) {
    if (!family->ffn[FFN_MOE] || hp->n_expert == 0) return;
    for (int i = hp->n_dense_layer; i < hparams_n_block(hp); i++)
        if ((i + family->moe_phase) % hp->moe_step == 0 && !layer_set_has(dense, i))
            layer_set_put(&hp->moe, i);
}

enum jl_status hparams_derive_moe(struct model_file *file, const struct family *family,
                                  struct hparams *hp, struct jl_error *err) {
    struct layer_set dense = {{0}};
    bool gguf = file->kind == MODEL_FILE_GGUF;
    if (!family->ffn[FFN_MOE]) return JL_OK;
    JL_TRY(read_dense_list(file, hp->n_layer, &dense, err));
    hparams_moe_layers(family, &dense, hp);
    if (!family->ffn[FFN_DENSE] && hp->n_expert == 0)
        return jl_fail(err, JL_ERR_FORMAT, "%s: '%s', the number of experts, is not given",
                       file->path, hparams_key(file, family, "n_expert").text);
    if (hp->n_expert == 0) return JL_OK;
    JL_TRY(gguf ? check_method_gguf(file, family, err) : check_method_hf(file, family, hp, err));
    static const char *const said[] = {"n_group", "n_group_used", "routed_scale"};
    for (size_t i = 0; !gguf && family->routing_said && i < sizeof said / sizeof said[0]; i++)
        JL_TRY(hparams_demand(file, family, said[i], err));
    if (hp->n_group > 1) JL_TRY(hparams_demand(file, family, "n_group_used", err));
    // Configurations spell "no groups" as 0, too.
    if (hp->n_group == 0) hp->n_group = 1;
    if (hp->n_group_used == 0) hp->n_group_used = 1;
    if (hp->n_ff_shexp == 0 && hp->n_expert_shared > 0)
        hp->n_ff_shexp = hp->n_expert_shared * hp->n_ff_exp;
    if (hp->norm_topk == UNSAID)
        hp->norm_topk = gguf ? family->norm_topk_gguf : family->norm_topk_hf;
    if (gguf && hp->routed_scale == 0) hp->routed_scale = 1; // how such files say "none"
    bool normalized = hp->norm_topk == YES && !(family->norm_unscaled && hp->n_expert_used == 1);
    hp->route = (struct route_rule){
        .n_expert = hp->n_expert,
        .n_used = hp->n_expert_used,
        .n_group = hp->n_group,
        .n_group_used = hp->n_group_used,
        .scoring = family->scoring,
        .group = family->group,
        .normalize = normalized,
        .floor = family->norm_floor,
        .scale = family->norm_unscaled && normalized ? 1 : (float)hp->routed_scale,
    };
    return check_rule(file, family, hp, err);
}
