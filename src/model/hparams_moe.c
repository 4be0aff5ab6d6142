/* Which layers are mixtures of experts, and the rule by which experts are chosen. */
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

static enum jl_status check_rule(const struct model_file *file, const struct hparams *hp,
                                 struct jl_error *err) {
    const struct route_rule *rule = &hp->route;
    if (rule->n_used < 1 || rule->n_used > rule->n_expert)
        return jl_fail(err, JL_ERR_FORMAT, "%s: %d of %d experts are to be used", file->path,
                       rule->n_used, rule->n_expert);
    if (rule->n_expert % rule->n_group || rule->n_group_used > rule->n_group)
        return jl_fail(err, JL_ERR_FORMAT, "%s: %d of %d groups of %d experts: not whole groups",
                       file->path, rule->n_group_used, rule->n_group, rule->n_expert);
    if (rule->n_used > rule->n_expert / rule->n_group * rule->n_group_used)
        return jl_fail(err, JL_ERR_FORMAT, "%s: %d groups of %d experts do not hold the %d to use",
                       file->path, rule->n_group_used, rule->n_expert / rule->n_group,
                       rule->n_used);
    if (hp->n_ff_exp < 1)
        return jl_fail(err, JL_ERR_FORMAT, "%s: the width of an expert is not given", file->path);
    return JL_OK;
}

void hparams_moe_layers(const struct family *family, const struct layer_set *dense,
                        struct hparams *hp) {
    if (!family->ffn[FFN_MOE] || hp->n_expert == 0) return;
    for (int i = hp->n_dense_layer; i < hp->n_layer; i++)
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
        return jl_fail(err, JL_ERR_FORMAT, "%s: the number of experts is not given", file->path);
    if (hp->n_expert == 0) return JL_OK;
    // Configurations spell "no groups" as 0, too.
    if (hp->n_group == 0) hp->n_group = 1;
    if (hp->n_group_used == 0) hp->n_group_used = 1;
    if (hp->n_ff_shexp == 0 && hp->n_expert_shared > 0)
        hp->n_ff_shexp = hp->n_expert_shared * hp->n_ff_exp;
    if (hp->norm_topk == UNSAID)
        hp->norm_topk = gguf ? family->norm_topk_gguf : family->norm_topk_hf;
    if (hp->routed_scale == 0) hp->routed_scale = 1;
    hp->route = (struct route_rule){
        .n_expert = hp->n_expert,
        .n_used = hp->n_expert_used,
        .n_group = hp->n_group,
        .n_group_used = hp->n_group_used,
        .scoring = family->scoring,
        .group = family->group,
        .normalize = hp->norm_topk == YES,
        .floor = family->norm_floor,
        .scale = (float)hp->routed_scale,
    };
    return check_rule(file, hp, err);
}
