#include "cli/talk.h"

#include <stdlib.h>

#include "base/file.h"
#include "session/open_tokenizer.h"
#include "session/session_file.h"
#include "text/stop_filter.h"

/* ---- opening ---- */

enum jl_status talk_open(const char *path, const struct engine_options *options, int n_ctx,
                         struct talk *out, struct jl_error *err) {
    struct memory_plan plan;
    *out = (struct talk){0};
    enum jl_status status = engine_load(path, options, &out->engine, err);
    if (status != JL_OK) return status;
    const struct model *model = out->engine.model;
    int rows = model->hp.n_ctx_train < ENGINE_CHUNK ? model->hp.n_ctx_train : ENGINE_CHUNK;
    status = open_tokenizer(model->file, &out->tokenizer, err);
    if (status == JL_OK && tokenizer_vocab_size(out->tokenizer) > model->hp.n_vocab)
        status = jl_fail(err, JL_ERR_FORMAT, "%s: the tokenizer has %d tokens, the model %d", path,
                         tokenizer_vocab_size(out->tokenizer), model->hp.n_vocab);
    if (status == JL_OK) status = engine_start(&out->engine, rows, err);
    if (status == JL_OK) status = engine_plan(&out->engine, 1, n_ctx, &plan, err);
    if (status == JL_OK)
        status = session_set_create(out->engine.exec, &plan.sessions, &out->sessions, err);
    if (status == JL_OK) status = session_create(out->sessions, &out->session, err);
    if (status == JL_OK) status = sample_scratch_create(model->hp.n_vocab, &out->scratch, err);
    if (status != JL_OK) {
        talk_close(out);
        return status;
    }
    end_tokens_find(model->file, out->tokenizer, model->hp.n_vocab, &out->ends);
    return JL_OK;
}

void talk_close(struct talk *talk) {
    sample_scratch_free(talk->scratch);
    session_free(talk->session);
    session_set_free(talk->sessions);
    tokenizer_free(talk->tokenizer);
    engine_free(&talk->engine);
    *talk = (struct talk){0};
}

enum jl_status talk_load_session(struct talk *talk, const char *path, struct jl_error *err) {
    if (!path || !file_exists(path)) return JL_OK;
    return session_load(talk->session, path, err);
}

enum jl_status talk_save_session(struct talk *talk, const char *path, struct jl_error *err) {
    return path ? session_save(talk->session, path, err) : JL_OK;
}

/* ---- generating ---- */

/* A sampler that has seen what the session holds. */
static enum jl_status open_sampler(const struct talk *talk, const struct sampling *sampling,
                                   struct sampler **out, struct jl_error *err) {
    struct sampler_spec spec = {
        .params = &sampling->params,
        .tokenizer = talk->tokenizer,
        .n_vocab = tokenizer_vocab_size(talk->tokenizer), // spare rows of a model have no text
        .n_max = session_capacity(talk->session) + 1,     // the last one is chosen, not fed
        .seed = sampling->seed,
        .sequence = sampling->sequence,
    };
    JL_TRY(sampler_create(&spec, out, err));
    return sampler_prompt(*out, session_ids(talk->session), session_n_token(talk->session), err);
}

struct decoding {
    const struct talk_sink *sink;
    struct sampler *sampler;
    struct stop_filter *stop;
    struct token_stream stream;
    char *text;
    size_t len, cap;
    bool go_on;
};

/* Whether the text of a control token is wanted. */
static enum jl_status shows(struct decoding *decoding, int32_t id, bool *out,
                            struct jl_error *err) {
    struct token_stream alone;
    token_stream_init(&alone, decoding->stream.tokenizer, false);
    alone.show_control = true;
    decoding->len = 0;
    JL_TRY(token_stream_push(&alone, id, &decoding->text, &decoding->len, &decoding->cap, err));
    *out =
        decoding->len && decoding->sink->show(decoding->sink->ctx, decoding->text, decoding->len);
    return JL_OK;
}

/* What can be no part of a stop string goes to the sink. */
static enum jl_status give(struct decoding *decoding, int32_t id, struct jl_error *err) {
    const struct talk_sink *sink = decoding->sink;
    const char *text = decoding->text ? decoding->text : "";
    size_t len;
    JL_TRY(stop_filter_push(decoding->stop, text, decoding->len, &text, &len, err));
    return sink->token(sink->ctx, id, text, len, &decoding->go_on, err);
}

static enum jl_status give_rest(struct decoding *decoding, struct jl_error *err) {
    const struct talk_sink *sink = decoding->sink;
    const char *text;
    size_t len;
    JL_TRY(give(decoding, TOKEN_NONE, err));
    JL_TRY(stop_filter_end(decoding->stop, &text, &len, err));
    return len ? sink->token(sink->ctx, TOKEN_NONE, text, len, &decoding->go_on, err) : JL_OK;
}

static enum jl_status one_token(struct decoding *decoding, int32_t id, struct jl_error *err) {
    bool show = false;
    if (decoding->sink->show && tokenizer_is_control(decoding->stream.tokenizer, id))
        JL_TRY(shows(decoding, id, &show, err));
    decoding->stream.show_control = show;
    decoding->len = 0;
    JL_TRY(token_stream_push(&decoding->stream, id, &decoding->text, &decoding->len, &decoding->cap,
                             err));
    return give(decoding, id, err);
}

static enum jl_status generate(struct talk *talk, const struct talk_request *request,
                               struct decoding *decoding, struct talk_result *result,
                               struct jl_error *err) {
    while (result->n_token < request->n) {
        if (request->cancel && atomic_load(request->cancel)) {
            result->why = TALK_STOP_CANCEL;
            return JL_OK;
        }
        int32_t id;
        JL_TRY(sampler_choose(decoding->sampler, talk->scratch, session_logits(talk->session), &id,
                              err));
        if (end_tokens_has(&talk->ends, id)) {
            result->why = TALK_STOP_EOS;
            return JL_OK;
        }
        result->n_token++;
        JL_TRY(sampler_accept(decoding->sampler, id, err));
        JL_TRY(one_token(decoding, id, err));
        if (stop_filter_stopped(decoding->stop) >= 0) {
            result->why = TALK_STOP_STRING;
            return JL_OK;
        }
        if (!decoding->go_on) {
            result->why = TALK_STOP_SINK;
            return JL_OK;
        }
        if (session_n_token(talk->session) == session_capacity(talk->session)) {
            result->why = TALK_STOP_CONTEXT;
            return JL_OK;
        }
        JL_TRY(session_push(talk->session, id, err));
    }
    return JL_OK;
}

/* What waits for the rest of a character or of a stop string comes out even after a failure. */
static enum jl_status finish(struct decoding *decoding, const struct talk_result *result,
                             struct jl_error *err) {
    decoding->len = 0;
    JL_TRY(
        token_stream_end(&decoding->stream, &decoding->text, &decoding->len, &decoding->cap, err));
    return result->why == TALK_STOP_SINK ? JL_OK : give_rest(decoding, err);
}

enum jl_status talk_generate(struct talk *talk, const struct talk_request *request,
                             const struct talk_sink *sink, struct talk_result *result,
                             struct jl_error *err) {
    struct decoding decoding = {.sink = sink, .go_on = true};
    struct jl_error inner;
    *result = (struct talk_result){.why = TALK_STOP_COUNT};
    token_stream_init(&decoding.stream, talk->tokenizer, sink->at_start);
    enum jl_status status =
        stop_filter_new(request->sampling.stop, request->sampling.n_stop, &decoding.stop, err);
    if (status == JL_OK) status = open_sampler(talk, &request->sampling, &decoding.sampler, err);
    if (status == JL_OK) status = generate(talk, request, &decoding, result, err);
    enum jl_status flushed = decoding.stop ? finish(&decoding, result, &inner) : JL_OK;
    stop_filter_free(decoding.stop);
    sampler_free(decoding.sampler);
    free(decoding.text);
    if (status == JL_OK && flushed != JL_OK) return jl_fail(err, flushed, "%s", inner.message);
    return status;
}
