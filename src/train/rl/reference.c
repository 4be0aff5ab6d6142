/* The frozen model that the policy is to stay near: the one it began as. */
#include <stdlib.h>

#include "session/score_batch.h"
#include "train/rl/self.h"

#define ROWS 128                         // of a pass
#define AT_ONCE 16                       // answers
#define LOGITS_BYTES ((size_t)256 << 20) // of the scored rows of a pass

struct reference {
    const struct rl_model *of;
    struct model *own; // NULL: the base that the learner's adapter stands on
    struct exec *exec;
    double scale;
    float *logits;
    int n_row;
};

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the frozen model");
}

static enum jl_status fill(struct reference *r, struct jl_error *err) {
    const struct model *base = learner_model(r->of->learner)->base;
    if (!base) {
        JL_TRY(model_load(r->of->start, r->of->cls, &r->own, err));
        base = r->own;
    }
    size_t row = (size_t)base->hp.n_vocab * sizeof *r->logits, n = LOGITS_BYTES / row;
    r->n_row = n < 1 ? 1 : n > ROWS ? ROWS : (int)n;
    r->logits = malloc((size_t)r->n_row * row);
    if (!r->logits) return no_memory(err);
    return exec_create(base, r->of->backend, ROWS, &r->exec, err);
}

enum jl_status rl_reference_open(const struct rl_model *model, double temperature,
                                 struct reference **out, struct jl_error *err) {
    struct reference *r = *out = calloc(1, sizeof *r);
    if (!r) return no_memory(err);
    r->of = model;
    r->scale = 1 / temperature;
    enum jl_status status = fill(r, err);
    if (status == JL_OK) return JL_OK;
    rl_reference_close(r);
    *out = NULL;
    return status;
}

void rl_reference_close(struct reference *r) {
    if (!r) return;
    exec_free(r->exec);
    free(r->logits);
    model_free(r->own);
    free(r);
}

/* ---- scoring ---- */

/* Prompt and answer as one text of which the answer is scored. */
static enum jl_status lay(const struct rollout *rollout, struct score_text *text,
                          struct jl_error *err) {
    const struct eval_answer *answer = rollout->answer;
    int n_prompt = rollout->result->n_id, n = n_prompt + answer->n_id;
    int32_t *ids = malloc((size_t)n * sizeof *ids);
    *text = (struct score_text){ids, n, n_prompt,
                                calloc((size_t)answer->n_id + 1, sizeof *text->tokens)};
    if (!ids || !text->tokens) return no_memory(err);
    for (int i = 0; i < n; i++)
        ids[i] = i < n_prompt ? rollout->result->ids[i] : answer->ids[i - n_prompt];
    return JL_OK;
}

static enum jl_status score(struct reference *r, const struct score_text *texts, int n,
                            const atomic_bool *cancel, struct jl_error *err) {
    struct state *states[AT_ONCE] = {0};
    struct page_pool *pages = NULL;
    int n_pos = 1, n_state = n < AT_ONCE ? n : AT_ONCE;
    for (int i = 0; i < n; i++)
        n_pos = texts[i].n > n_pos ? texts[i].n : n_pos;
    const struct model *model = exec_model(r->exec);
    const struct page_counts counts = page_counts_for(model, n_state, n_pos);
    enum jl_status status = page_pool_create(model, r->of->backend, &counts, &pages, err);
    for (int i = 0; i < n_state && status == JL_OK; i++)
        status = state_create(pages, &states[i], err);
    const struct score_batch batch = {.exec = r->exec,
                                      .states = states,
                                      .n_state = n_state,
                                      .logits = r->logits,
                                      .n_row = r->n_row,
                                      .scale = r->scale,
                                      .pool = r->of->pool,
                                      .cancel = cancel};
    if (status == JL_OK) status = score_texts(&batch, texts, n, err);
    for (int i = 0; i < n_state; i++)
        state_free(states[i]);
    page_pool_free(pages);
    return status;
}

enum jl_status rl_reference_score(struct reference *r, struct rollout *rollouts, int n,
                                  const atomic_bool *cancel, struct jl_error *err) {
    struct score_text *texts = calloc((size_t)n + 1, sizeof *texts);
    enum jl_status status = texts ? JL_OK : no_memory(err);
    for (int i = 0; i < n && status == JL_OK; i++)
        status = lay(&rollouts[i], &texts[i], err);
    if (status == JL_OK && n) status = score(r, texts, n, cancel, err);
    for (int i = 0; i < n && status == JL_OK; i++) {
        int n_id = rollouts[i].answer->n_id;
        rollouts[i].reference = calloc((size_t)n_id + 1, sizeof *rollouts[i].reference);
        if (!rollouts[i].reference) status = no_memory(err);
        for (int k = 0; status == JL_OK && k < n_id; k++)
            rollouts[i].reference[k] = texts[i].tokens[k].logprob;
    }
    for (int i = 0; texts && i < n; i++) {
        free((void *)(uintptr_t)texts[i].ids);
        free(texts[i].tokens);
    }
    free(texts);
    return status;
}
