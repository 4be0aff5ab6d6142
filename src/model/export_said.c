#include "model/export_said.h"

#include <stdlib.h>
#include <string.h>

#include "format/report.h"

static enum role_need rule_of(const struct family *family, enum role_id role) {
    for (int i = 0; i < FAMILY_MAX_RULES && family->rules[i].role; i++)
        if (family->rules[i].role == role) return family->rules[i].need;
    return role_row(role)->need;
}

/* Of the roles that a key decides about: are they there? */
static enum jl_status see(const struct model *model, enum role_need key, const char *name,
                          enum tristate *out, struct jl_error *err) {
    int used = 0, found = 0;
    for (int i = ROLE_NONE + 1; i < ROLE_COUNT; i++) {
        enum role_id role = (enum role_id)i;
        if (rule_of(model->family, role) != key || role_row(role)->scope == SCOPE_MODEL) continue;
        for (int layer = 0; layer < hparams_n_block(&model->hp); layer++) {
            if (model_role_need(model->family, &model->hp, role, layer) == ABSENT) continue;
            used++;
            found += model_weight(model, role, layer) != NULL;
        }
    }
    if (found && found < used)
        return report_fail(err, JL_ERR_UNSUPPORTED, model->file->path,
                           "%d of the %d tensors that '%s' stands for are there, which a folder "
                           "cannot say",
                           found, used, name);
    if (used) *out = found ? YES : NO;
    return JL_OK;
}

/* Every factor to the bit. */
static bool gives(const struct hparams *hp, const float *want, float *scratch) {
    size_t n = (size_t)hp->n_rot / 2;
    rope_factors(hp, scratch);
    return !memcmp(scratch, want, n * sizeof *want);
}

/* The largest factor is what long waves are stretched by; the bands are those of every published
 * model, and the context that they count from is a power of two. */
static bool find_llama3(struct hparams *hp, const float *want, float *scratch) {
    struct rope_hparams *rope = &hp->rope;
    float most = 0;
    for (int i = 0; i < hp->n_rot / 2; i++)
        if (want[i] > most) most = want[i];
    rope->scaling = ROPE_LLAMA3;
    rope->low_freq_factor = 1;
    rope->high_freq_factor = 4;
    for (int whole = 1; whole >= 0; whole--)
        for (double n = 32; n <= 1 << 20; n *= 2) {
            rope->factor = whole ? (double)(int64_t)((double)most + 0.5) : (double)most;
            rope->n_ctx_orig = n;
            if (rope->factor >= 1 && gives(hp, want, scratch)) return true;
        }
    return false;
}

static enum jl_status see_rope(const struct model *model, struct hparams *hp,
                               struct jl_error *err) {
    const struct weight *w = model_weight(model, ROLE_ROPE_FREQS, -1);
    if (!w) return JL_OK;
    float *scratch = calloc((size_t)hp->n_rot, sizeof *scratch);
    if (!scratch) return report_no_memory(err, model->file->path, "rotary factors");
    bool found = find_llama3(hp, (const float *)(const void *)w->data, scratch);
    free(scratch);
    if (found) return JL_OK;
    return report_fail(err, JL_ERR_UNSUPPORTED, model->file->path,
                       "tensor '%s' holds no factors of llama3 scaling, the only ones that a "
                       "folder can say",
                       w->name);
}

static enum jl_status see_shared_experts(const struct model *model, struct hparams *hp,
                                         struct jl_error *err) {
    enum tristate there = UNSAID;
    JL_TRY(see(model, BY_SHARED_EXPERT, "n_shared_experts", &there, err));
    if (there == UNSAID || hp->n_expert_shared >= 0) return JL_OK;
    hp->n_expert_shared = there == YES ? hp->n_ff_shexp / hp->n_ff_exp : 0;
    return JL_OK;
}

enum jl_status export_said(const struct model *model, struct hparams *out, struct jl_error *err) {
    *out = model->hp;
    out->tied = model->tied ? YES : NO;
    JL_TRY(see(model, BY_ATTENTION_BIAS, "attention_bias", &out->attention_bias, err));
    JL_TRY(see(model, BY_MLP_BIAS, "mlp_bias", &out->mlp_bias, err));
    JL_TRY(see(model, BY_QK_NORM, "use_qk_norm", &out->qk_norm, err));
    JL_TRY(see_shared_experts(model, out, err));
    return see_rope(model, out, err);
}
