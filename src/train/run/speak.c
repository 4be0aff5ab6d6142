#include "train/run/speak.h"

#include <stdlib.h>
#include <string.h>

#include "session/generate.h"
#include "session/sample_model.h"

#define ROWS 128 // of a pass

struct speaker {
    const struct speak_request *request;
    int32_t *ids; // of the prompt
    size_t n_id;
    struct exec *exec;
    struct session_set *sessions;
    struct session *session;
    struct sampler *sampler;
    struct sample_scratch *scratch;
    struct byte_buffer *out;
};

static enum jl_status on_token(void *ctx, int32_t id, const char *text, size_t len, bool *go_on,
                               struct jl_error *err) {
    struct speaker *s = ctx;
    (void)id;
    (void)go_on;
    if (buffer_append(s->out, text, len)) return JL_OK;
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a sample");
}

static enum jl_status open_speaker(struct speaker *s, struct jl_error *err) {
    const struct speak_request *r = s->request;
    JL_TRY(tokenizer_encode(r->tokenizer, r->prompt, strlen(r->prompt), ENCODE_ADD_BOS, &s->ids,
                            &s->n_id, err));
    if (s->n_id == 0) return jl_fail(err, JL_ERR_USAGE, "the sample's text gives not one token");
    if (s->n_id > (size_t)r->model->hp.n_ctx_train)
        return jl_fail(err, JL_ERR_LIMIT, "the sample's text is longer than the model's context");
    const struct session_options options = {.n_seq = 1, .n_ctx = (int)s->n_id + r->n};
    JL_TRY(exec_create(r->model, r->backend, s->n_id < ROWS ? (int)s->n_id : ROWS, &s->exec, err));
    JL_TRY(session_set_create(s->exec, &options, &s->sessions, err));
    return session_create(s->sessions, &s->session, err);
}

static enum jl_status open_sampler(struct speaker *s, struct jl_error *err) {
    const struct speak_request *r = s->request;
    struct sample_params params = sample_params_default();
    char unmet[SAMPLE_UNMET_BYTES];
    JL_TRY(sample_model_read(r->model->file, NULL, &params, unmet, err));
    const struct sampler_spec spec = {.params = &params,
                                      .tokenizer = r->tokenizer,
                                      .n_vocab = tokenizer_vocab_size(r->tokenizer),
                                      .n_max = (int)s->n_id + r->n + 1,
                                      .seed = r->seed};
    JL_TRY(sample_scratch_create(r->model->hp.n_vocab, &s->scratch, err));
    JL_TRY(sampler_create(&spec, &s->sampler, err));
    return sampler_prompt(s->sampler, s->ids, (int)s->n_id, err);
}

static enum jl_status go_on(struct speaker *s, struct jl_error *err) {
    const struct speak_request *r = s->request;
    const struct session_watch watch = {.cancel = r->cancel};
    struct generate_result result;
    int reused;
    const struct generate_request request = {.session = s->session,
                                             .sampler = s->sampler,
                                             .scratch = s->scratch,
                                             .ends = r->ends,
                                             .tokenizer = r->tokenizer,
                                             .n = r->n,
                                             .cancel = r->cancel,
                                             .sink = {.token = on_token, .ctx = s}};
    JL_TRY(session_sync(s->session, s->ids, (int)s->n_id, &watch, &reused, err));
    JL_TRY(generate_answer(&request, &result, err));
    if (result.finish != GENERATE_CANCEL) return JL_OK;
    return jl_fail(err, JL_ERR_CANCELLED, "the sample was cut short");
}

enum jl_status speak_text(const struct speak_request *request, struct byte_buffer *out,
                          struct jl_error *err) {
    struct speaker s = {.request = request, .out = out};
    enum jl_status status = open_speaker(&s, err);
    if (status == JL_OK) status = open_sampler(&s, err);
    if (status == JL_OK) status = go_on(&s, err);
    sampler_free(s.sampler);
    sample_scratch_free(s.scratch);
    session_free(s.session);
    session_set_free(s.sessions);
    exec_free(s.exec);
    free(s.ids);
    return status;
}
