#include "cli/talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "session/open_tokenizer.h"
#include "session/sample.h"

/* ---- opening ---- */

void talk_add_stop(struct talk *talk, int64_t id) {
    if (id < 0 || id >= talk->engine.model->hp.n_vocab || talk->n_stop == TALK_MAX_STOP) return;
    for (int i = 0; i < talk->n_stop; i++)
        if (talk->stop[i] == id) return;
    talk->stop[talk->n_stop++] = (int32_t)id;
}

static void add_stops(struct talk *talk, const struct meta *value) {
    struct meta item;
    struct meta_iter iter = {.array = value};
    if (!value) return;
    if (value->kind == META_INT)
        talk_add_stop(talk, value->as.i);
    else if (value->kind == META_ARRAY || value->kind == META_PACKED)
        while (meta_iter_next(&iter, &item))
            if (item.kind == META_INT) talk_add_stop(talk, item.as.i);
}

/* End tokens: the tokenizer's, all that generation_config lists, and GGUF's end of a turn. */
static void find_stops(struct talk *talk) {
    struct model_file *file = talk->engine.model->file;
    talk_add_stop(talk, tokenizer_eos(talk->tokenizer));
    if (file->generation) add_stops(talk, meta_find(file->generation, "eos_token_id"));
    if (file->kind != MODEL_FILE_GGUF) return;
    add_stops(talk, meta_find(file->meta, "tokenizer.ggml.eot_token_id"));
    add_stops(talk, meta_find(file->meta, "tokenizer.ggml.eom_token_id"));
}

static bool number(const struct meta *value, double *out) {
    if (!value || (value->kind != META_INT && value->kind != META_FLOAT)) return false;
    *out = value->kind == META_INT ? (double)value->as.i : value->as.f;
    return true;
}

/* generation_config.json as Hugging Face reads it: without do_sample the likeliest token; with it
 * the temperature, 1 if there is none. */
static void read_wishes(struct talk *talk) {
    static const struct {
        const char *key;
        double neutral;
    } others[] = {{"top_p", 1}, {"top_k", 0}, {"min_p", 0}, {"repetition_penalty", 1}};
    struct model_file *file = talk->engine.model->file;
    const struct meta *sample = file->generation ? meta_find(file->generation, "do_sample") : NULL;
    double value;
    if (!sample || sample->kind != META_BOOL || !sample->as.b) return;
    talk->model_temperature = 1;
    number(meta_find(file->generation, "temperature"), &talk->model_temperature);
    size_t used = 0;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (!number(meta_find(file->generation, others[i].key), &value) ||
            value == others[i].neutral)
            continue;
        int n = snprintf(talk->unmet + used, sizeof talk->unmet - used, "%s%s %g", used ? ", " : "",
                         others[i].key, value);
        if (n < 0 || (size_t)n >= sizeof talk->unmet - used) break;
        used += (size_t)n;
    }
}

enum jl_status talk_open(const char *path, const struct engine_options *options, struct talk *out,
                         struct jl_error *err) {
    const struct session_options one = {.n_seq = 1};
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
    if (status == JL_OK) status = session_set_create(out->engine.exec, &one, &out->sessions, err);
    if (status == JL_OK) status = session_create(out->sessions, &out->session, err);
    if (status != JL_OK) {
        talk_close(out);
        return status;
    }
    read_wishes(out);
    find_stops(out);
    return JL_OK;
}

void talk_close(struct talk *talk) {
    session_free(talk->session);
    session_set_free(talk->sessions);
    tokenizer_free(talk->tokenizer);
    engine_free(&talk->engine);
    *talk = (struct talk){0};
}

/* ---- how tokens are chosen ---- */

enum jl_status talk_read_temperature(const char *text, float *out, struct jl_error *err) {
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || errno || !(value >= 0 && value <= SAMPLE_MAX_TEMPERATURE))
        return jl_fail(err, JL_ERR_USAGE, "a temperature is a number from 0 to %d, not '%s'",
                       SAMPLE_MAX_TEMPERATURE, text);
    *out = (float)value;
    return JL_OK;
}

static enum jl_status read_seed(const char *text, uint64_t *out, struct jl_error *err) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end || errno || strchr(text, '-'))
        return jl_fail(err, JL_ERR_USAGE, "option --seed takes a whole number below 2^64, not '%s'",
                       text);
    *out = value;
    return JL_OK;
}

enum jl_status talk_check_options(const struct talk_options *options, struct jl_error *err) {
    float temperature = 0;
    uint64_t seed;
    if (options->temperature)
        JL_TRY(talk_read_temperature(options->temperature, &temperature, err));
    if (options->seed) JL_TRY(read_seed(options->seed, &seed, err));
    if (options->greedy && temperature > 0)
        return jl_fail(err, JL_ERR_USAGE, "--greedy is --temp 0: give one of the two");
    return JL_OK;
}

enum jl_status talk_choose(const struct talk *talk, const struct talk_options *options,
                           struct talk_sampling *out, struct jl_error *err) {
    double wish = options->greedy ? 0 : talk->model_temperature;
    *out = (struct talk_sampling){0};
    if (options->temperature)
        JL_TRY(talk_read_temperature(options->temperature, &out->temperature, err));
    else if (!(wish >= 0 && wish <= SAMPLE_MAX_TEMPERATURE))
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s: generation_config.json: temperature %g is not from 0 to %d; --temp T "
                       "gives another",
                       talk->engine.model->file->path, wish, SAMPLE_MAX_TEMPERATURE);
    else
        out->temperature = (float)wish;
    if (options->seed) return read_seed(options->seed, &out->seed, err);
    uint32_t drawn; // short, so that a person can type it again
    if (getrandom(&drawn, sizeof drawn, 0) != sizeof drawn)
        return jl_fail(err, JL_ERR_IO, "the system gives no random seed: say --seed N");
    out->seed = drawn;
    return JL_OK;
}

/* ---- generating ---- */

static bool is_stop(const struct talk *talk, int32_t id) {
    for (int i = 0; i < talk->n_stop; i++)
        if (talk->stop[i] == id) return true;
    return false;
}

static int32_t choose(const struct talk *talk, const struct talk_sampling *sampling) {
    struct rng_key key = {sampling->seed, sampling->sequence,
                          (uint32_t)session_n_token(talk->session), RNG_SAMPLE};
    return sample_draw(session_logits(talk->session), talk->engine.model->hp.n_vocab,
                       sampling->temperature, &key);
}

struct decoding {
    const struct talk_sink *sink;
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

static enum jl_status give(struct decoding *decoding, int32_t id, struct jl_error *err) {
    const struct talk_sink *sink = decoding->sink;
    return sink->token(sink->ctx, id, decoding->text ? decoding->text : "", decoding->len,
                       &decoding->go_on, err);
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
        int32_t id = choose(talk, &request->sampling);
        if (is_stop(talk, id)) {
            result->why = TALK_STOP_EOS;
            return JL_OK;
        }
        result->n_token++;
        JL_TRY(one_token(decoding, id, err));
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

enum jl_status talk_generate(struct talk *talk, const struct talk_request *request,
                             const struct talk_sink *sink, struct talk_result *result,
                             struct jl_error *err) {
    struct decoding decoding = {.sink = sink, .go_on = true};
    struct jl_error inner;
    *result = (struct talk_result){.why = TALK_STOP_COUNT};
    token_stream_init(&decoding.stream, talk->tokenizer, sink->at_start);
    enum jl_status status = generate(talk, request, &decoding, result, err);
    // What waits for the rest of a character comes out even after a failure.
    decoding.len = 0;
    enum jl_status flushed =
        token_stream_end(&decoding.stream, &decoding.text, &decoding.len, &decoding.cap, &inner);
    if (flushed == JL_OK && result->why != TALK_STOP_SINK)
        flushed = give(&decoding, TOKEN_NONE, &inner);
    free(decoding.text);
    if (status == JL_OK && flushed != JL_OK) return jl_fail(err, flushed, "%s", inner.message);
    return status;
}
