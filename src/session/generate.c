#include "session/generate.h"

#include <stdlib.h>

#include "text/stop_filter.h"

struct generating {
    const struct generate_request *request;
    struct generate_result result;
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
static bool is_over(struct generating *g) {
    const struct generate_request *request = g->request;
    struct generate_result *result = &g->result;
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

enum jl_status generate_begin(const struct generate_request *request, struct generating **out,
                              struct jl_error *err) {
    struct generating *g = calloc(1, sizeof *g);
    *out = NULL;
    if (!g) return jl_fail(err, JL_ERR_MEMORY, "out of memory for an answer");
    *g = (struct generating){.request = request, .go_on = true};
    g->result = (struct generate_result){.finish = GENERATE_LENGTH, .stop = -1};
    if (request->tokenizer) {
        token_stream_init(&g->stream, request->tokenizer, request->sink.at_start);
        enum jl_status status = stop_filter_new(request->stop, request->n_stop, &g->stop, err);
        if (status != JL_OK) {
            free(g);
            return status;
        }
    }
    *out = g;
    return JL_OK;
}

enum jl_status generate_choose(const struct generating *g, struct sample_scratch *scratch,
                               int32_t *id, struct jl_error *err) {
    return sampler_choose(g->request->sampler, scratch, session_logits(g->request->session), id,
                          err);
}

enum jl_status generate_take(struct generating *g, int32_t id, bool *over, struct jl_error *err) {
    const struct generate_request *request = g->request;
    struct session *session = request->session;
    *over = true;
    if (end_tokens_has(request->ends, id)) {
        g->result.finish = GENERATE_END;
        return JL_OK;
    }
    JL_TRY(sampler_accept(request->sampler, id, err));
    g->result.n_token++;
    JL_TRY(one_token(g, id, err));
    *over = is_over(g);
    if (!*over || n_token_of(session) == session_capacity(session)) return JL_OK;
    return session_add(session, &id, 1, err);
}

enum jl_status generate_end(struct generating *g, struct generate_result *out,
                            struct jl_error *err) {
    enum jl_status status = g->stop ? flush(g, err) : JL_OK;
    *out = g->result;
    stop_filter_free(g->stop);
    free(g->text);
    free(g);
    return status;
}

/* ---- one answer alone ---- */

/* The session goes on with this token, and a pass gives the logits after it. */
static enum jl_status push(struct generating *g, struct speculator *speculator, int32_t id,
                           struct jl_error *err) {
    const struct generate_request *request = g->request;
    int wanted = session_capacity(request->session) - n_token_of(request->session);
    if (request->n && request->n - g->result.n_token < wanted)
        wanted = request->n - g->result.n_token;
    enum jl_status status = speculator_push(speculator, id, wanted, request->cancel, err);
    if (status != JL_ERR_CANCELLED) return status;
    g->result.finish = GENERATE_CANCEL; // in a pass: the token was shown
    JL_TRY(session_add(request->session, &id, 1, err));
    return JL_ERR_CANCELLED;
}

static enum jl_status choose_and_read(struct generating *g, struct speculator *speculator,
                                      struct jl_error *err) {
    const atomic_bool *cancel = g->request->cancel;
    for (;;) {
        int32_t id;
        bool over;
        if (cancel && atomic_load(cancel)) {
            g->result.finish = GENERATE_CANCEL;
            return JL_OK;
        }
        JL_TRY(generate_choose(g, g->request->scratch, &id, err));
        JL_TRY(generate_take(g, id, &over, err));
        if (over) return JL_OK;
        enum jl_status status = push(g, speculator, id, err);
        if (status != JL_OK) return status == JL_ERR_CANCELLED ? JL_OK : status;
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
    struct generating *g = NULL;
    struct speculator *speculator = NULL;
    struct jl_error inner;
    enum jl_status flushed = JL_OK;
    *out = (struct generate_result){.finish = GENERATE_LENGTH, .stop = -1};
    enum jl_status status = read_pending(request->session, request->cancel, err);
    if (status == JL_OK) status = speculator_create(request->session, &speculator, err);
    if (status == JL_OK) status = generate_begin(request, &g, err);
    if (status == JL_OK) status = choose_and_read(g, speculator, err);
    session_drop_draft(request->session);
    if (g) flushed = generate_end(g, out, &inner);
    if (speculator) out->speculation = speculator_result(speculator);
    speculator_free(speculator);
    if (status == JL_OK && flushed != JL_OK) return jl_fail(err, flushed, "%s", inner.message);
    return status;
}
