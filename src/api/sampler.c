/* Choosing tokens. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "api/self.h"
#include "session/sample_model.h"

/* The public struct names its members as the list does. */
static struct sample_params inner_params(const struct jl_sample_params *params) {
    struct sample_params out = sample_params_default();
#define X(a, kind, field, ...) out.field = params->field;
    SAMPLE_PARAM_LIST(X, )
#undef X
    _Static_assert(sizeof(struct jl_bias) == sizeof(struct sample_bias), "one layout");
    out.bias = (const struct sample_bias *)(const void *)params->bias;
    out.n_bias = params->n_bias;
    return out;
}

static struct jl_sample_params outer_params(const struct sample_params *params) {
    struct jl_sample_params out = {0};
#define X(a, kind, field, ...) out.field = params->field;
    SAMPLE_PARAM_LIST(X, )
#undef X
    return out;
}

struct jl_sample_params jl_sample_params_default(void) {
    struct sample_params params = sample_params_default();
    return outer_params(&params);
}

enum jl_status jl_sample_params_of_model(const jl_model *model, struct jl_sample_params *out,
                                         struct jl_error *err) {
    struct sample_params params = sample_params_default();
    char unmet[SAMPLE_UNMET_BYTES];
    JL_TRY(sample_model_read(model->model->file, NULL, &params, unmet, err));
    if (*unmet)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "%s asks for %s, which is not offered",
                       model->model->file->path, unmet);
    *out = outer_params(&params);
    return JL_OK;
}

/* A handle with the memory that choosing needs, and no sampler yet. */
static enum jl_status wrap(const jl_model *model, jl_sampler **out, struct jl_error *err) {
    *out = calloc(1, sizeof **out);
    if (!*out) return jl_no_memory(err, "a sampler");
    (*out)->model = model;
    return sample_scratch_create(model->model->hp.n_vocab, &(*out)->scratch, err);
}

static enum jl_status ended(enum jl_status status, jl_sampler **out) {
    if (status == JL_OK) return JL_OK;
    jl_sampler_free(*out);
    *out = NULL;
    return status;
}

enum jl_status jl_sampler_create(const jl_model *model, const struct jl_sample_params *params,
                                 uint64_t seed, uint32_t sequence, jl_sampler **out,
                                 struct jl_error *err) {
    struct sample_params all = params ? inner_params(params) : sample_params_default();
    const struct hparams *hp = &model->model->hp;
    // Rows of the model without a text are never chosen; the last token is chosen, not read.
    struct sampler_spec spec = {
        .params = &all,
        .tokenizer = model->tokenizer,
        .n_vocab = model->tokenizer ? tokenizer_vocab_size(model->tokenizer) : hp->n_vocab,
        .n_max = hp->n_ctx_train < INT32_MAX ? hp->n_ctx_train + 1 : INT32_MAX,
        .seed = seed,
        .sequence = sequence};
    enum jl_status status = wrap(model, out, err);
    if (status == JL_OK) status = sampler_create(&spec, &(*out)->sampler, err);
    return ended(status, out);
}

enum jl_status jl_sampler_copy(const jl_sampler *from, uint32_t sequence, jl_sampler **out,
                               struct jl_error *err) {
    enum jl_status status = wrap(from->model, out, err);
    if (status == JL_OK) status = sampler_copy(from->sampler, &(*out)->sampler, err);
    if (status == JL_OK) sampler_set_sequence((*out)->sampler, sequence);
    return ended(status, out);
}

void jl_sampler_free(jl_sampler *sampler) {
    if (!sampler) return;
    sampler_free(sampler->sampler);
    sample_scratch_free(sampler->scratch);
    free(sampler);
}

enum jl_status jl_sampler_prompt(jl_sampler *sampler, const int32_t *ids, int32_t n,
                                 struct jl_error *err) {
    return sampler_prompt(sampler->sampler, ids, n, err);
}

/* A session's are finite; a caller's own may ban tokens by -infinity, and nothing else. */
static enum jl_status check_logits(const jl_sampler *sampler, const float *logits,
                                   struct jl_error *err) {
    int32_t n_vocab = sampler->model->model->hp.n_vocab;
    bool finite = false;
    for (int32_t i = 0; i < n_vocab; i++) {
        if (!(logits[i] <= FLT_MAX))
            return jl_fail(err, JL_ERR_NONFINITE, "the logit of token %d is %s", i,
                           isnan(logits[i]) ? "no number" : "infinite");
        finite |= logits[i] >= -FLT_MAX;
    }
    return finite ? JL_OK : jl_fail(err, JL_ERR_NONFINITE, "no logit is finite");
}

enum jl_status jl_sampler_choose(jl_sampler *sampler, const float *logits, int32_t *id,
                                 struct jl_error *err) {
    if (!logits) return jl_fail(err, JL_ERR_USAGE, "there are no logits to choose from");
    JL_TRY(check_logits(sampler, logits, err));
    return sampler_choose(sampler->sampler, sampler->scratch, logits, id, err);
}

enum jl_status jl_sampler_accept(jl_sampler *sampler, int32_t id, struct jl_error *err) {
    return sampler_accept(sampler->sampler, id, err);
}

enum jl_status jl_logprobs(jl_sampler *sampler, const float *logits, int32_t id, double *logprob,
                           struct jl_logprob *top, int32_t n_top, struct jl_error *err) {
    int32_t n_vocab = sampler->model->model->hp.n_vocab;
    _Static_assert(sizeof(struct jl_logprob) == sizeof(struct sample_logprob), "one layout");
    if (!logits) return jl_fail(err, JL_ERR_USAGE, "there are no logits to look at");
    JL_TRY(check_logits(sampler, logits, err));
    if (id < 0 || id >= n_vocab)
        return jl_fail(err, JL_ERR_USAGE, "token %d is none of the model's %d", id, n_vocab);
    if (n_top < 0 || n_top > n_vocab)
        return jl_fail(err, JL_ERR_USAGE, "the %d likeliest of %d tokens", n_top, n_vocab);
    *logprob = sample_logprobs(logits, sampler->scratch, id, n_top, (void *)top);
    return JL_OK;
}
