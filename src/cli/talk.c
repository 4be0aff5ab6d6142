#include "cli/talk.h"

#include "base/file.h"
#include "session/open_tokenizer.h"
#include "session/session_file.h"

/* ---- opening ---- */

enum jl_status talk_open(const char *path, const struct talk_options *options, struct talk *out,
                         struct jl_error *err) {
    struct memory_plan plan;
    *out = (struct talk){0};
    enum jl_status status = engine_load(path, &options->engine, &out->engine, err);
    if (status != JL_OK) return status;
    const struct model *model = out->engine.model;
    int rows = model->hp.n_ctx_train < ENGINE_CHUNK ? model->hp.n_ctx_train : ENGINE_CHUNK;
    status = open_tokenizer(model->file, &out->tokenizer, err);
    if (status == JL_OK && tokenizer_vocab_size(out->tokenizer) > model->hp.n_vocab)
        status = jl_fail(err, JL_ERR_FORMAT, "%s: the tokenizer has %d tokens, the model %d", path,
                         tokenizer_vocab_size(out->tokenizer), model->hp.n_vocab);
    if (status == JL_OK) status = engine_start(&out->engine, rows, err);
    if (status == JL_OK)
        status = engine_plan(&out->engine, 1, options->n_ctx, &options->draft, &plan, err);
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

enum jl_status talk_generate(struct talk *talk, const struct talk_request *request,
                             const struct generate_sink *sink, struct generate_result *result,
                             struct jl_error *err) {
    struct generate_request inner = {
        .session = talk->session,
        .scratch = talk->scratch,
        .ends = &talk->ends,
        .tokenizer = talk->tokenizer,
        .stop = request->sampling.stop,
        .n_stop = request->sampling.n_stop,
        .n = request->n,
        .cancel = request->cancel,
        .sink = *sink,
    };
    *result = (struct generate_result){.stop = -1};
    JL_TRY(open_sampler(talk, &request->sampling, &inner.sampler, err));
    enum jl_status status = generate_answer(&inner, result, err);
    sampler_free(inner.sampler);
    return status;
}
