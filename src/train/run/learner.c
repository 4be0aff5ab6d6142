/* The learner that a recipe asks for. */
#include <stdio.h>
#include <string.h>

#include "train/run/run.h"

static struct optimizer optimizer_of(const struct recipe *r) {
    return (struct optimizer){
        .kind = r->optimizer_id,
        .beta1 = (float)r->beta1,
        .beta2 = (float)r->beta2,
        .eps = (float)r->eps,
        .momentum = (float)r->momentum,
        .decay = (float)r->weight_decay,
        .decay_embed = (float)r->embed_decay,
        .max_norm = (float)r->max_norm,
    };
}

static enum jl_status lora_of(const struct recipe *r, struct run_learner_memory *m,
                              struct jl_error *err) {
    char *rest = m->text;
    m->adapter = (struct adapter_request){
        .name = "adapter",
        .roles = m->roles,
        .rank = (int)r->lora_rank,
        .alpha = r->lora_alpha > 0 ? r->lora_alpha : 2 * (double)r->lora_rank,
        .seed = (uint64_t)r->seed,
    };
    if ((size_t)snprintf(m->text, sizeof m->text, "%s", r->lora_roles ? r->lora_roles : "all") >=
        sizeof m->text)
        return jl_fail(err, JL_ERR_FORMAT, "%s: [lora] names too many roles", r->path);
    for (char *role; (role = strtok_r(rest, " ,", &rest));) {
        if (m->adapter.n_role == RUN_MOST_ROLES)
            return jl_fail(err, JL_ERR_FORMAT, "%s: [lora] names too many roles", r->path);
        m->roles[m->adapter.n_role++] = role;
    }
    return JL_OK;
}

/* What any stage asks for. */
static double most_mtp_weight(const struct recipe *r) {
    double most = 0;
    for (int i = 0; i < r->n_stage; i++)
        if (r->stages[i].mtp_weight > most) most = r->stages[i].mtp_weight;
    return most;
}

enum jl_status run_learner_options(const struct recipe *r, const char *start,
                                   struct run_learner_memory *memory, struct learner_options *out,
                                   struct jl_error *err) {
    memory->cls = (struct class_request){r->act, r->kv};
    *out = (struct learner_options){
        .model = start,
        .cls = &memory->cls,
        .dtype = r->work,
        .rows = (int)r->rows,
        .n_micro = (int)r->micro,
        .keep = r->keep_id,
        .optimizer = optimizer_of(r),
        .mtp_weight = (float)most_mtp_weight(r),
        .balance_rate = (float)r->balance_rate,
    };
    if (!r->lora_rank) return JL_OK;
    out->adapter = &memory->adapter;
    return lora_of(r, memory, err);
}
