#include "session/generate.h"

#include <stdlib.h>

#include "text/stop_filter.h"

struct generating {
    const struct generate_request *request;
    struct generate_result *result;
    struct speculator *speculator;
    struct stop_filter *stop; // NULL: no text
    struct token_stream stream;
    char *text;
    size_t len, cap;
    bool go_on;
};

/* ---- text ---- */

/* Whether the text of a control token is wanted. */
static enum jl_status shows(struct generating *g, int32_t id, bool *out, struct jl_error *err) {
    const struct generate_sink *sink = &g->request->sink;
    struct token_stream alone;
    token_stream_init(&alone, g->request->tokenizer, false);
    alone.show_control = true;
    g->len = 0;
    JL_TRY(token_stream_push(&alone, id, &g->text, &g->len, &g->cap, err));
    *out = g->len && sink->show(sink->ctx, g->text, g->len);
    return JL_OK;
}

static enum jl_status give(struct generating *g, int32_t id, const char *text, size_t len,
                           struct jl_error *err) {
    const struct generate_sink *sink = &g->request->sink;
    return sink->token ? sink->token(sink->ctx, id, text, len, &g->go_on, err) : JL_OK;
}

/* What can be no part of a stop string goes to the sink. */
static enum jl_status filter(struct generating *g, int32_t id, struct jl_error *err) {
    const char *text = g->text ? g->text : "";
    size_t len;
    JL_TRY(stop_filter_push(g->stop, text, g->len, &text, &len, err));
    return id == TOKEN_NONE && len == 0 ? JL_OK : give(g, id, text, len, err);
}

static enum jl_status one_token(struct generating *g, int32_t id, struct jl_error *err) {
    bool show = false;
    if (!g->stop) return give(g, id, "", 0, err);
    if (g->request->sink.show && tokenizer_is_control(g->request->tokenizer, id))
        JL_TRY(shows(g, id, &show, err));
    g->stream.show_control = show;
    g->len = 0;
    JL_TRY(token_stream_push(&g->stream, id, &g->text, &g->len, &g->cap, err));
    return filter(g, id, err);
}

/* What waits for the rest of a character or of a stop string comes out even after a failure. */
static enum jl_status flush(struct generating *g, struct jl_error *err) {
    const char *text;
    size_t len;
    g->len = 0;
    JL_TRY(token_stream_end(&g->stream, &g->text, &g->len, &g->cap, err));
    if (!g->go_on) return JL_OK;
    JL_TRY(filter(g, TOKEN_NONE, err));
    JL_TRY(stop_filter_end(g->stop, &text, &len, err));
    return len && g->go_on ? give(g, TOKEN_NONE, text, len, err) : JL_OK;
}

/* ---- tokens ---- */

static int n_token_of(const struct session *session) {
    return session_n_token(session) + session_n_pending(session);
}

/* Whether the answer ends with the token that has just been shown. */
static bool is_over(const struct generating *g) {
    const struct generate_request *request = g->request;
    struct generate_result *result = g->result;
    result->stop = g->stop ? stop_filter_stopped(g->stop) : -1;
    if (result->stop >= 0)
        result->finish = GENERATE_STOP;
    else if (!g->go_on)
        result->finish = GENERATE_SINK;
    else if (request->n && result->n_token >= request->n)
        result->finish = GENERATE_LENGTH;
    else if (n_token_of(request->session) == session_capacity(request->session))
        result->finish = GENERATE_CONTEXT;
    else
        return false;
    return true;
}

/* The session goes on with this token, and a pass gives the logits after it. */
static enum jl_status push(struct generating *g, int32_t id, struct jl_error *err) {
    const struct generate_request *request = g->request;
    int wanted = session_capacity(request->session) - n_token_of(request->session);
    if (request->n && request->n - g->result->n_token < wanted)
        wanted = request->n - g->result->n_token;
    return speculator_push(g->speculator, id, wanted, request->cancel, err);
}

static enum jl_status choose_and_read(struct generating *g, struct jl_error *err) {
    const struct generate_request *request = g->request;
    struct session *session = request->session;
    for (;;) {
        int32_t id;
        if (request->cancel && atomic_load(request->cancel)) {
            g->result->finish = GENERATE_CANCEL;
            return JL_OK;
        }
        JL_TRY(
            sampler_choose(request->sampler, request->scratch, session_logits(session), &id, err));
        if (end_tokens_has(request->ends, id)) {
            g->result->finish = GENERATE_END;
            return JL_OK;
        }
        JL_TRY(sampler_accept(request->sampler, id, err));
        g->result->n_token++;
        JL_TRY(one_token(g, id, err));
        if (is_over(g))
            return n_token_of(session) < session_capacity(session)
                       ? session_add(session, &id, 1, err)
                       : JL_OK;
        enum jl_status status = push(g, id, err);
        if (status == JL_ERR_CANCELLED) { // in a pass: the token was shown
            g->result->finish = GENERATE_CANCEL;
            return session_add(session, &id, 1, err);
        }
        if (status != JL_OK) return status;
    }
}

static enum jl_status read_pending(struct session *session, const atomic_bool *cancel,
                                   struct jl_error *err) {
    while (session_n_pending(session) > 0)
        JL_TRY(session_forward(session, cancel, err));
    if (session_logits(session)) return JL_OK;
    return jl_fail(err, JL_ERR_USAGE, "the session has no logits: it must read a prompt first");
}

enum jl_status generate_answer(const struct generate_request *request, struct generate_result *out,
                               struct jl_error *err) {
    struct generating g = {.request = request, .result = out, .go_on = true};
    struct jl_error inner;
    *out = (struct generate_result){.finish = GENERATE_LENGTH, .stop = -1};
    enum jl_status status = read_pending(request->session, request->cancel, err);
    if (status == JL_OK) status = speculator_create(request->session, &g.speculator, err);
    if (request->tokenizer) {
        token_stream_init(&g.stream, request->tokenizer, request->sink.at_start);
        if (status == JL_OK) status = stop_filter_new(request->stop, request->n_stop, &g.stop, err);
    }
    if (status == JL_OK) status = choose_and_read(&g, err);
    session_drop_draft(request->session);
    enum jl_status flushed = g.stop ? flush(&g, &inner) : JL_OK;
    if (g.speculator) out->speculation = speculator_result(g.speculator);
    speculator_free(g.speculator);
    stop_filter_free(g.stop);
    free(g.text);
    if (status == JL_OK && flushed != JL_OK) return jl_fail(err, flushed, "%s", inner.message);
    return status;
}
