/* Experts that are all in the file's mapping: acquire has nothing to fetch. */
#include <stddef.h>

#include "model/model.h"

static const struct model *model_of(const struct expert_store *store) {
    return (const struct model *)(const void *)((const char *)store -
                                                offsetof(struct model, experts));
}

static enum jl_status acquire(const struct expert_store *store, int layer, const int32_t *ids,
                              int n, struct expert_view *out, struct jl_error *err) {
    static const enum role_id roles[EXPERT_PARTS] = {
        [EXPERT_GATE] = ROLE_EXP_GATE, [EXPERT_UP] = ROLE_EXP_UP, [EXPERT_DOWN] = ROLE_EXP_DOWN};
    (void)err;
    for (int part = 0; part < EXPERT_PARTS; part++) {
        const struct weight *w = model_weight(model_of(store), roles[part], layer);
        for (int i = 0; i < n; i++) {
            out[i].part[part] = w->experts[ids[i]];
            out[i].scale[part] = w->expert_scales ? w->expert_scales[ids[i]] : NULL;
        }
    }
    return JL_OK;
}

static void release(const struct expert_store *store, int layer, const int32_t *ids, int n) {
    (void)store;
    (void)layer;
    (void)ids;
    (void)n;
}

void model_expert_store(struct model *model) {
    model->experts = (struct expert_store){acquire, release};
    model->moe = (struct moe_spec){.rule = model->hp.route, .store = &model->experts};
}
