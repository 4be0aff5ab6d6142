#include "session/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "session/candidates.h"
#include "session/dry.h"
#include "session/penalty.h"
#include "session/sample.h"
#include "session/softmax.h"

/* ---- scratch ---- */

struct sample_scratch {
    int32_t n_vocab;
    float *logits; // (n_vocab), changed ones
    struct candidates list;
};

enum jl_status sample_scratch_create(int32_t n_vocab, struct sample_scratch **out,
                                     struct jl_error *err) {
    struct sample_scratch *scratch = calloc(1, sizeof *scratch);
    size_t n = (size_t)n_vocab;
    *out = scratch;
    if (scratch) {
        scratch->n_vocab = n_vocab;
        scratch->logits = calloc(n, sizeof *scratch->logits);
        scratch->list.items = calloc(n, sizeof *scratch->list.items);
        scratch->list.spare = calloc(n, sizeof *scratch->list.spare);
        scratch->list.heap = calloc(n, sizeof *scratch->list.heap);
        scratch->list.maxima =
            calloc((size_t)RANKING_BLOCKS(n_vocab), sizeof *scratch->list.maxima);
        scratch->list.marks = calloc(n, sizeof *scratch->list.marks);
        if (scratch->logits && scratch->list.items && scratch->list.spare && scratch->list.heap &&
            scratch->list.maxima && scratch->list.marks)
            return JL_OK;
    }
    sample_scratch_free(scratch);
    *out = NULL;
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for sampling from %d tokens", n_vocab);
}

void sample_scratch_free(struct sample_scratch *scratch) {
    if (!scratch) return;
    free(scratch->logits);
    free(scratch->list.items);
    free(scratch->list.spare);
    free(scratch->list.heap);
    free(scratch->list.maxima);
    free(scratch->list.marks);
    free(scratch);
}

/* ---- a sequence ---- */

struct sampler {
    struct sample_params params; // bias is the sampler's; the breakers are in `dry`
    int32_t n_vocab;
    uint64_t seed;
    uint32_t sequence;
    int32_t *ids; // (n_max), the first n
    int n, n_prompt, n_max;
    struct dry *dry;         // NULL without
    const uint64_t *allowed; // (n_vocab) bits; NULL: all
    double logprob;          // of the last draw
};

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a sampler");
}

static enum jl_status own_arrays(struct sampler *sampler, struct jl_error *err) {
    size_t n_bias = (size_t)sampler->params.n_bias;
    struct sample_bias *bias = calloc(n_bias ? n_bias : 1, sizeof *bias);
    if (bias && n_bias) memcpy(bias, sampler->params.bias, n_bias * sizeof *bias);
    sampler->params.bias = bias;
    // not cleared: pages that nobody has written to cost nothing, and many samplers wait
    sampler->ids = malloc((size_t)(sampler->n_max ? sampler->n_max : 1) * sizeof *sampler->ids);
    return bias && sampler->ids ? JL_OK : no_memory(err);
}

enum jl_status sampler_create(const struct sampler_spec *spec, struct sampler **out,
                              struct jl_error *err) {
    *out = NULL;
    JL_TRY(sample_params_check(spec->params, spec->n_vocab, err));
    struct sampler *sampler = calloc(1, sizeof *sampler);
    if (!sampler) return no_memory(err);
    *sampler = (struct sampler){.params = *spec->params,
                                .n_vocab = spec->n_vocab,
                                .seed = spec->seed,
                                .sequence = spec->sequence,
                                .n_max = spec->n_max > 0 ? spec->n_max : 0};
    enum jl_status status = own_arrays(sampler, err);
    if (status == JL_OK && spec->params->dry_multiplier > 0)
        status = dry_create(spec->params, spec->tokenizer, sampler->n_max, &sampler->dry, err);
    if (status != JL_OK) {
        sampler_free(sampler);
        return status;
    }
    *out = sampler;
    return JL_OK;
}

enum jl_status sampler_copy(const struct sampler *from, struct sampler **out,
                            struct jl_error *err) {
    struct sampler *sampler = malloc(sizeof *sampler);
    *out = NULL;
    if (!sampler) return no_memory(err);
    *sampler = *from;
    sampler->dry = NULL;
    sampler->allowed = NULL;
    enum jl_status status = own_arrays(sampler, err);
    if (status == JL_OK) memcpy(sampler->ids, from->ids, (size_t)from->n * sizeof *from->ids);
    if (status == JL_OK && from->dry) status = dry_copy(from->dry, &sampler->dry, err);
    if (status != JL_OK) {
        sampler_free(sampler);
        return status;
    }
    *out = sampler;
    return JL_OK;
}

void sampler_set_sequence(struct sampler *sampler, uint32_t sequence) {
    sampler->sequence = sequence;
}

void sampler_free(struct sampler *sampler) {
    if (!sampler) return;
    dry_free(sampler->dry);
    free((void *)(uintptr_t)sampler->params.bias);
    free(sampler->ids);
    free(sampler);
}

enum jl_status sampler_accept(struct sampler *sampler, int32_t id, struct jl_error *err) {
    if (id < 0 || id >= sampler->n_vocab)
        return jl_fail(err, JL_ERR_USAGE, "token %d is outside the vocabulary of %d", id,
                       sampler->n_vocab);
    if (sampler->n == sampler->n_max)
        return jl_fail(err, JL_ERR_LIMIT, "a sampler for %d tokens is full", sampler->n_max);
    if (sampler->dry) JL_TRY(dry_accept(sampler->dry, id, err));
    sampler->ids[sampler->n++] = id;
    return JL_OK;
}

enum jl_status sampler_prompt(struct sampler *sampler, const int32_t *ids, int n,
                              struct jl_error *err) {
    sampler->n = sampler->n_prompt = 0;
    if (sampler->dry) dry_start(sampler->dry);
    for (int i = 0; i < n; i++)
        JL_TRY(sampler_accept(sampler, ids[i], err));
    sampler->n_prompt = n;
    return JL_OK;
}

int sampler_n_token(const struct sampler *sampler) { return sampler->n; }

void sampler_allow(struct sampler *sampler, const uint64_t *allowed) { sampler->allowed = allowed; }

/* ---- choosing ---- */

static struct rng_key key_of(const struct sampler *sampler, enum rng_purpose purpose) {
    return (struct rng_key){sampler->seed, sampler->sequence, (uint32_t)sampler->n, purpose};
}

static void ban_others(const struct sampler *sampler, float *logits) {
    for (int32_t base = 0; base < sampler->n_vocab; base += 64) {
        uint64_t word = sampler->allowed[base / 64];
        int32_t n = sampler->n_vocab - base < 64 ? sampler->n_vocab - base : 64;
        for (int32_t i = 0; word != UINT64_MAX && i < n; i++)
            if (!(word >> i & 1)) logits[base + i] = -INFINITY;
    }
}

/* The stages that change logits; *out is the given ones where none does. */
static enum jl_status change(struct sampler *sampler, struct sample_scratch *scratch,
                             const float *logits, const float **out, struct jl_error *err) {
    const struct sample_params *params = &sampler->params;
    bool remembers = penalty_history_matters(params);
    *out = logits;
    if (!params->n_bias && !remembers && !sampler->dry && !sampler->allowed) return JL_OK;
    struct penalty_history history = {sampler->ids, sampler->n, sampler->n_prompt};
    memcpy(scratch->logits, logits, (size_t)sampler->n_vocab * sizeof *logits);
    *out = scratch->logits;
    penalty_bias(params, scratch->logits);
    if (remembers) penalty_history_apply(params, &history, scratch->logits, scratch->list.marks);
    if (sampler->dry)
        JL_TRY(dry_apply(sampler->dry, sampler->ids, sampler->n, scratch->logits,
                         scratch->list.marks, err));
    if (sampler->allowed) ban_others(sampler, scratch->logits);
    return JL_OK;
}

static bool cuts(const struct sample_params *params) {
    return params->top_k > 0 || params->top_p < 1 || params->min_p > 0 || params->typical_p < 1 ||
           params->xtc_probability > 0;
}

/* The stages that cut the list, and the draw. */
static int32_t cut_and_draw(const struct sampler *sampler, struct candidates *list,
                            const float *logits) {
    const struct sample_params *params = &sampler->params;
    struct rng_key draw = key_of(sampler, RNG_SAMPLE), xtc = key_of(sampler, RNG_XTC);
    if (params->top_k > 0 && params->top_k < sampler->n_vocab)
        candidates_top_k(list, logits, sampler->n_vocab, params->top_k);
    else
        candidates_all(list, logits, sampler->n_vocab);
    if (params->typical_p < 1) candidates_typical(list, params->typical_p);
    if (params->top_p < 1) candidates_top_p(list, params->top_p);
    if (params->min_p > 0) candidates_min_p(list, params->min_p);
    if (rng_unit53(&xtc) < params->xtc_probability) candidates_xtc(list, params->xtc_threshold);
    return candidates_draw(list, params->temperature, rng_unit53(&draw));
}

enum jl_status sampler_choose(struct sampler *sampler, struct sample_scratch *scratch,
                              const float *logits, int32_t *id, struct jl_error *err) {
    const struct sample_params *params = &sampler->params;
    if (scratch->n_vocab < sampler->n_vocab)
        return jl_fail(err, JL_ERR_USAGE, "scratch for %d tokens and a sampler of %d",
                       scratch->n_vocab, sampler->n_vocab);
    JL_TRY(change(sampler, scratch, logits, &logits, err));
    if (logits == scratch->logits && softmax_top(logits, sampler->n_vocab) == -INFINITY)
        return jl_fail(err, JL_ERR_USAGE,
                       sampler->allowed ? "logit_bias bans every token that the format allows here"
                                        : "logit_bias bans every token of the vocabulary");
    sampler->logprob = (double)NAN;
    if (params->temperature > 0 && cuts(params)) {
        *id = cut_and_draw(sampler, &scratch->list, logits);
        return JL_OK;
    }
    struct rng_key key = key_of(sampler, RNG_SAMPLE);
    *id = sample_draw(logits, sampler->n_vocab, params->temperature, &key, &sampler->logprob);
    return JL_OK;
}

double sampler_logprob(const struct sampler *sampler) { return sampler->logprob; }

/* ---- log-probabilities ---- */

double sample_logprobs(const float *logits, struct sample_scratch *scratch, int32_t id, int n_top,
                       struct sample_logprob *top) {
    struct softmax_mass mass;
    softmax_mass_make(logits, scratch->n_vocab, 1, &mass, NULL);
    int32_t n = 0;
    if (n_top > 0)
        n = ranking_largest(logits, scratch->n_vocab, n_top, scratch->list.heap,
                            scratch->list.maxima);
    for (int32_t i = 0; i < n; i++) {
        struct ranked item = scratch->list.heap[i];
        top[i] = (struct sample_logprob){item.id, softmax_logprob(&mass, (float)-item.key)};
    }
    return softmax_logprob(&mass, logits[id]);
}
