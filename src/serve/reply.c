#include "serve/reply.h"

#include <stdlib.h>
#include <string.h>

struct reply {
    struct reply_spec spec;
    struct dialect_stream *stream; // NULL: plain
    struct constrained *constrained;
    int32_t *closing; // (n_closing) what ends the thought, to be forced when it can be
    size_t n_closing;
    int32_t *forced; // (n_forced) tokens that come next, whatever the model wants
    size_t n_forced, at_forced;
    uint64_t *only; // the mask of one of them
    int n_thought;
    bool enough, began, over;
};

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for an answer");
}

enum jl_status reply_create(const struct reply_spec *spec, struct reply **out,
                            struct jl_error *err) {
    struct reply *reply = calloc(1, sizeof *reply);
    *out = NULL;
    if (!reply) return no_memory(err);
    reply->spec = *spec;
    reply->spec.options = NULL;
    enum jl_status status = JL_OK;
    if (spec->dialect)
        status = dialect_stream_new(spec->dialect, spec->options, &reply->stream, err);
    if (status != JL_OK) {
        reply_free(reply);
        return status;
    }
    *out = reply;
    return JL_OK;
}

void reply_free(struct reply *reply) {
    if (!reply) return;
    dialect_stream_free(reply->stream);
    free(reply->closing);
    free(reply->forced);
    free(reply->only);
    free(reply);
}

int reply_n_thought(const struct reply *reply) { return reply->n_thought; }

int reply_n_call(const struct reply *reply) {
    return reply->stream ? dialect_stream_calls(reply->stream) : 0;
}

bool reply_shows(const struct reply *reply, const char *text, size_t len) {
    return reply->spec.dialect && dialect_is_mark(reply->spec.dialect, text, len);
}

/* ---- what may come ---- */

static enum jl_status allow_only(struct reply *reply, int32_t id, const uint64_t **allowed,
                                 struct jl_error *err) {
    size_t words = ((size_t)tokenizer_vocab_size(reply->spec.tokenizer) + 63) / 64;
    if (!reply->only && !(reply->only = calloc(words, sizeof *reply->only))) return no_memory(err);
    memset(reply->only, 0, words * sizeof *reply->only);
    reply->only[id / 64] = UINT64_C(1) << id % 64;
    *allowed = reply->only;
    return JL_OK;
}

/* A thought that has used up its tokens is closed: by tokens, as if the model had written them; as
 * soon as it is between two characters, and the answer's form can take them. */
static enum jl_status bound_thought(struct reply *reply, size_t n_token, bool between,
                                    struct jl_error *err) {
    const char *text;
    if (!reply->stream) return JL_OK;
    if (dialect_thinking_over(reply->stream, n_token, &text))
        JL_TRY(tokenizer_encode(reply->spec.tokenizer, text, strlen(text), ENCODE_SPECIAL,
                                &reply->closing, &reply->n_closing, err));
    if (!reply->closing || !between || !dialect_stream_in_thought(reply->stream)) return JL_OK;
    if (reply->constrained &&
        !constrained_could(reply->constrained, reply->closing, reply->n_closing))
        return JL_OK;
    reply->forced = reply->closing;
    reply->n_forced = reply->n_closing;
    reply->closing = NULL;
    return JL_OK;
}

enum jl_status reply_allow(struct reply *reply, const uint64_t **allowed, struct jl_error *err) {
    *allowed = NULL;
    if (reply->spec.constraint && !reply->began)
        JL_TRY(constrained_begin(reply->spec.constraint, &reply->constrained, err));
    if (!reply->began) JL_TRY(bound_thought(reply, 0, true, err)); // of a budget of nothing
    reply->began = true;
    if (reply->at_forced < reply->n_forced)
        return allow_only(reply, reply->forced[reply->at_forced], allowed, err);
    return reply->constrained ? constrained_allowed(reply->constrained, allowed, err) : JL_OK;
}

/* ---- what came ---- */

static void give(struct reply *reply, const struct dialect_event *event) {
    if (!reply->enough && !reply->over)
        reply->enough = !reply->spec.event(reply->spec.ctx, reply->spec.answer, event);
}

static void give_events(struct reply *reply) {
    struct dialect_event event;
    while (dialect_stream_next(reply->stream, &event))
        give(reply, &event);
}

enum jl_status reply_token(struct reply *reply, const struct scheduler_token *token, bool *go_on,
                           struct jl_error *err) {
    bool real = token->id != TOKEN_NONE, was_forced = reply->at_forced < reply->n_forced;
    if (real && was_forced) reply->at_forced++;
    if (real && reply->constrained) JL_TRY(constrained_take(reply->constrained, token->id, err));
    if (!reply->stream) {
        const struct dialect_event event = {
            .kind = DIALECT_CONTENT, .text = token->text, .len = token->len};
        if (token->len) give(reply, &event);
    } else {
        reply->n_thought += real && dialect_stream_in_thought(reply->stream);
        JL_TRY(dialect_stream_push(reply->stream, token->text, token->len, err));
        if (real && !was_forced) JL_TRY(bound_thought(reply, 1, token->len > 0, err));
        give_events(reply);
    }
    *go_on = !reply->enough;
    return JL_OK;
}

enum jl_status reply_end(struct reply *reply, struct jl_error *err) {
    enum jl_status status = JL_OK;
    if (reply->stream) {
        status = dialect_stream_end(reply->stream, err);
        give_events(reply);
    }
    reply->over = true;
    constrained_end(reply->constrained);
    reply->constrained = NULL;
    return status;
}
