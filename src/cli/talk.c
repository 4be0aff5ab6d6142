#include "cli/talk.h"

#include <stdio.h>
#include <stdlib.h>

#include "session/open_tokenizer.h"

static void add_eos(struct talk *talk, const struct meta *value) {
    if (value->kind == META_INT && value->as.i >= 0 &&
        value->as.i < talk->engine.model->hp.n_vocab &&
        talk->n_eos < (int)(sizeof talk->eos / sizeof talk->eos[0]))
        talk->eos[talk->n_eos++] = (int32_t)value->as.i;
}

/* End tokens: the tokenizer's, and for Hugging Face folders all that generation_config lists. */
static void find_eos(struct talk *talk) {
    struct model_file *file = talk->engine.model->file;
    int32_t eos = tokenizer_eos(talk->tokenizer);
    if (eos >= 0) talk->eos[talk->n_eos++] = eos;
    struct meta *value = file->generation ? meta_find(file->generation, "eos_token_id") : NULL;
    if (!value) return;
    struct meta item;
    struct meta_iter iter = {.array = value};
    if (value->kind == META_INT)
        add_eos(talk, value);
    else
        while (meta_iter_next(&iter, &item))
            add_eos(talk, &item);
}

enum jl_status talk_open(const char *path, const struct engine_options *options, struct talk *out,
                         struct jl_error *err) {
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
    if (status == JL_OK) status = state_create(model, out->engine.backend, &out->state, err);
    if (status == JL_OK) {
        out->logits = calloc((size_t)model->hp.n_vocab, sizeof *out->logits);
        if (!out->logits) status = jl_fail(err, JL_ERR_MEMORY, "out of memory for logits");
    }
    if (status == JL_OK)
        find_eos(out);
    else
        talk_close(out);
    return status;
}

void talk_close(struct talk *talk) {
    free(talk->logits);
    state_free(talk->state);
    tokenizer_free(talk->tokenizer);
    engine_free(&talk->engine);
    *talk = (struct talk){0};
}

enum jl_status talk_feed(struct talk *talk, const char *text, size_t len, const atomic_bool *cancel,
                         struct jl_error *err) {
    int32_t *ids;
    size_t n;
    int flags = state_n_pos(talk->state) == 0 ? ENCODE_ADD_BOS : 0;
    JL_TRY(tokenizer_encode(talk->tokenizer, text, len, flags, &ids, &n, err));
    enum jl_status status = JL_OK;
    if (n == 0)
        status = jl_fail(err, JL_ERR_USAGE, "the prompt is empty: give at least one token of text");
    else if (n > (size_t)talk->engine.model->hp.n_ctx_train)
        status =
            jl_fail(err, JL_ERR_LIMIT, "the prompt has %zu tokens; the model's context holds %d", n,
                    talk->engine.model->hp.n_ctx_train);
    if (status == JL_OK)
        status = feed_prompt(talk->engine.exec, talk->state, ids, (int)n,
                             exec_max_rows(talk->engine.exec), cancel, talk->logits, err);
    free(ids);
    return status;
}

static bool is_eos(const struct talk *talk, int32_t id) {
    for (int i = 0; i < talk->n_eos; i++)
        if (talk->eos[i] == id) return true;
    return false;
}

static enum jl_status generate(struct talk *talk, int n, const atomic_bool *cancel,
                               struct token_stream *stream, enum talk_stop *why,
                               struct jl_error *err) {
    char *text = NULL;
    size_t len = 0, cap = 0;
    enum jl_status status = JL_OK;
    *why = TALK_STOP_COUNT;
    for (int i = 0; i < n && status == JL_OK; i++) {
        int32_t id = sample_greedy(talk->logits, talk->engine.model->hp.n_vocab);
        if (is_eos(talk, id)) {
            *why = TALK_STOP_EOS;
            break;
        }
        len = 0;
        status = token_stream_push(stream, id, &text, &len, &cap, err);
        if (status != JL_OK) break;
        fwrite(text, 1, len, stdout);
        fflush(stdout);
        if (state_n_pos(talk->state) == talk->engine.model->hp.n_ctx_train) {
            *why = TALK_STOP_CONTEXT;
            break;
        }
        if (cancel && atomic_load(cancel)) {
            *why = TALK_STOP_CANCEL;
            break;
        }
        // The last token is fed too, so that a chat's next turn follows it.
        status = feed_prompt(talk->engine.exec, talk->state, &id, 1, 1, NULL, talk->logits, err);
    }
    len = 0;
    if (status == JL_OK) status = token_stream_end(stream, &text, &len, &cap, err);
    if (status == JL_OK) fwrite(text ? text : "", 1, len, stdout);
    free(text);
    return status;
}

enum jl_status talk_generate(struct talk *talk, int n, const atomic_bool *cancel,
                             enum talk_stop *why, struct jl_error *err) {
    struct token_stream stream;
    token_stream_init(&stream, talk->tokenizer, false);
    JL_TRY(generate(talk, n, cancel, &stream, why, err));
    if (fflush(stdout) || ferror(stdout)) return jl_fail(err, JL_ERR_IO, "cannot write the text");
    return JL_OK;
}
