/* An answer from beginning to end, and how likely a text is. */
#include <stdlib.h>
#include <string.h>

#include "api/self.h"
#include "session/score_batch.h"
#include "text/stop_filter.h"

struct answering {
    const struct jl_generate_options *options;
    struct jl_session *session;
    struct jl_sampler *sampler;
    struct jl_decoder *decoder; // NULL: nobody asks for text
    struct stop_filter *stop;
    bool go_on;
};

static enum jl_status open_stops(struct answering *a, struct jl_error *err) {
    struct pattern_text *texts = calloc((size_t)a->options->n_stop + 1, sizeof *texts);
    if (!texts) return jl_no_memory(err, "stop strings");
    for (int i = 0; i < a->options->n_stop; i++)
        texts[i] = (struct pattern_text){a->options->stop[i], strlen(a->options->stop[i])};
    enum jl_status status = stop_filter_new(texts, (size_t)a->options->n_stop, &a->stop, err);
    free(texts);
    return status;
}

static void give(struct answering *a, int32_t id, const char *text, size_t len) {
    if (a->options->on_text) a->go_on = a->options->on_text(a->options->ctx, id, text, len);
}

static enum jl_status one_token(struct answering *a, int32_t id, struct jl_error *err) {
    const char *text;
    size_t len;
    if (!a->decoder) return JL_OK;
    JL_TRY(jl_decode(a->decoder, id, &text, &len, err));
    JL_TRY(stop_filter_push(a->stop, text, len, &text, &len, err));
    give(a, id, text, len);
    return JL_OK;
}

/* What waited for the rest of a character or of a stop string. */
static enum jl_status flush(struct answering *a, struct jl_error *err) {
    const char *text;
    size_t len;
    if (!a->decoder || !a->go_on) return JL_OK;
    JL_TRY(jl_decode_end(a->decoder, &text, &len, err));
    JL_TRY(stop_filter_push(a->stop, text, len, &text, &len, err));
    if (len) give(a, -1, text, len);
    JL_TRY(stop_filter_end(a->stop, &text, &len, err));
    if (len && a->go_on) give(a, -1, text, len);
    return JL_OK;
}

/* Whether the answer ends before another token is read; *answer then says why. */
static bool is_over(const struct answering *a, struct jl_answer *answer) {
    const struct jl_generate_options *o = a->options;
    int stopped = a->stop ? stop_filter_stopped(a->stop) : -1;
    if (stopped >= 0) {
        answer->finish = JL_FINISH_STOP;
        answer->stop = stopped;
    } else if (!a->go_on) {
        answer->finish = JL_FINISH_CALLER;
    } else if (o->max_tokens && answer->n_token >= o->max_tokens) {
        answer->finish = JL_FINISH_LENGTH;
    } else if (jl_session_n_token(a->session) == jl_session_capacity(a->session)) {
        answer->finish = JL_FINISH_CONTEXT;
    } else {
        return false;
    }
    return true;
}

static enum jl_status answer_loop(struct answering *a, struct jl_answer *answer,
                                  struct jl_error *err) {
    const atomic_bool *cancel = jl_cancel_flag(a->options->cancel);
    for (;;) {
        int32_t id;
        if (cancel && atomic_load(cancel)) {
            answer->finish = JL_FINISH_CANCEL;
            return JL_OK;
        }
        JL_TRY(jl_sampler_choose(a->sampler, jl_session_logits(a->session), &id, err));
        if (jl_is_end(a->session->engine->model, id)) {
            answer->finish = JL_FINISH_END;
            return JL_OK;
        }
        JL_TRY(jl_sampler_accept(a->sampler, id, err));
        answer->n_token++;
        JL_TRY(one_token(a, id, err));
        if (is_over(a, answer)) return JL_OK;
        JL_TRY(jl_session_push(a->session, id, err));
    }
}

static enum jl_status check(const struct answering *a, struct jl_error *err) {
    const struct jl_generate_options *o = a->options;
    if (o->max_tokens < 0 || o->n_stop < 0)
        return jl_fail(err, JL_ERR_USAGE, "max_tokens is %d, n_stop %d: give none below 0",
                       o->max_tokens, o->n_stop);
    if (!jl_session_logits(a->session))
        return jl_fail(err, JL_ERR_USAGE, "the session has no logits: jl_session_sync comes first");
    return JL_OK;
}

enum jl_status jl_generate(jl_session *session, jl_sampler *sampler,
                           const struct jl_generate_options *options, struct jl_answer *answer,
                           struct jl_error *err) {
    static const struct jl_generate_options plain;
    struct answering a = {options ? options : &plain, session, sampler, NULL, NULL, true};
    struct jl_error inner;
    *answer = (struct jl_answer){.finish = JL_FINISH_LENGTH, .stop = -1};
    JL_TRY(check(&a, err));
    bool text = a.options->on_text || a.options->n_stop;
    enum jl_status status =
        text ? jl_decoder_create(session->engine->model, &a.decoder, err) : JL_OK;
    if (status == JL_OK && text) status = open_stops(&a, err);
    if (status == JL_OK) status = answer_loop(&a, answer, err);
    enum jl_status flushed = a.stop ? flush(&a, &inner) : JL_OK; // also after a failure
    stop_filter_free(a.stop);
    jl_decoder_free(a.decoder);
    if (status == JL_OK && flushed != JL_OK) return jl_fail(err, flushed, "%s", inner.message);
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
