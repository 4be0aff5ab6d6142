/* An answer from beginning to end, and how likely a text is. */
#include <stdlib.h>
#include <string.h>

#include "api/self.h"
#include "session/generate.h"
#include "session/score_batch.h"

static enum jl_status on_token(void *ctx, int32_t id, const char *text, size_t len, bool *go_on,
                               struct jl_error *err) {
    const struct jl_generate_options *o = ctx;
    (void)err;
    *go_on = o->on_text(o->ctx, id, text, len);
    return JL_OK;
}

static enum jl_status check(const struct jl_generate_options *o, struct jl_error *err) {
    if (o->max_tokens >= 0 && o->n_stop >= 0) return JL_OK;
    return jl_fail(err, JL_ERR_USAGE, "max_tokens is %d, n_stop %d: give none below 0",
                   o->max_tokens, o->n_stop);
}

static enum jl_finish finish_of(enum generate_finish finish) {
    switch (finish) {
    case GENERATE_LENGTH: return JL_FINISH_LENGTH;
    case GENERATE_END: return JL_FINISH_END;
    case GENERATE_STOP: return JL_FINISH_STOP;
    case GENERATE_CONTEXT: return JL_FINISH_CONTEXT;
    case GENERATE_CANCEL: return JL_FINISH_CANCEL;
    case GENERATE_SINK: break;
    }
    return JL_FINISH_CALLER;
}

enum jl_status jl_generate(jl_session *session, jl_sampler *sampler,
                           const struct jl_generate_options *options, struct jl_answer *answer,
                           struct jl_error *err) {
    static const struct jl_generate_options plain;
    struct jl_generate_options o = options ? *options : plain;
    const struct jl_model *model = session->engine->model;
    struct generate_result result;
    *answer = (struct jl_answer){.finish = JL_FINISH_LENGTH, .stop = -1};
    JL_TRY(check(&o, err));
    bool text = o.on_text || o.n_stop;
    if (text) JL_TRY(jl_need_tokenizer(model, err));
    struct pattern_text *stops = calloc((size_t)o.n_stop + 1, sizeof *stops);
    if (!stops) return jl_no_memory(err, "stop strings");
    for (int i = 0; i < o.n_stop; i++)
        stops[i] = (struct pattern_text){o.stop[i], strlen(o.stop[i])};
    const struct generate_request request = {
        .session = session->session,
        .sampler = sampler->sampler,
        .scratch = sampler->scratch,
        .ends = &model->ends,
        .tokenizer = text ? model->tokenizer : NULL,
        .stop = stops,
        .n_stop = (size_t)o.n_stop,
        .n = o.max_tokens,
        .cancel = jl_cancel_flag(o.cancel),
        .sink = {.token = o.on_text ? on_token : NULL, .ctx = &o},
    };
    enum jl_status status = generate_answer(&request, &result, err);
    free(stops);
    *answer = (struct jl_answer){.finish = finish_of(result.finish),
                                 .n_token = result.n_token,
                                 .stop = result.stop,
                                 .n_pass = result.speculation.n_pass,
                                 .n_drafted = result.speculation.n_drafted,
                                 .n_accepted = result.speculation.n_accepted};
    return status;
}

/* ---- scores ---- */

#define SCORE_ROWS 16 // logits of so many positions at a time

enum jl_status jl_score(jl_engine *engine, const int32_t *ids, int32_t n, double *logprobs,
                        struct jl_error *err) {
    struct state *state = NULL;
    if (n < 1) return jl_fail(err, JL_ERR_USAGE, "a text of %d tokens", n);
    struct score_token *tokens = calloc((size_t)n, sizeof *tokens);
    float *logits = calloc((size_t)engine->model->model->hp.n_vocab, SCORE_ROWS * sizeof *logits);
    enum jl_status status = tokens && logits
                                ? state_create(session_set_pool(engine->sessions), &state, err)
                                : jl_no_memory(err, "scores");
    const struct score_batch batch = {.exec = engine->exec,
                                      .states = &state,
                                      .n_state = 1,
                                      .logits = logits,
                                      .n_row = SCORE_ROWS};
    const struct score_text text = {ids, n, 1, tokens};
    if (status == JL_OK) status = score_texts(&batch, &text, 1, err);
    for (int32_t i = 0; status == JL_OK && i + 1 < n; i++)
        logprobs[i] = tokens[i].logprob;
    state_free(state);
    free(tokens);
    free(logits);
    return status;
}
