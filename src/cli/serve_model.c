#include "cli/serve_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "session/open_tokenizer.h"

enum { PARALLEL = 8, WAITING = 256, KEEP_MB = 1024 };

/* All that is behind a served model. */
struct opened {
    char *path, *id;
    struct engine engine;
    struct tokenizer *tokenizer;
    struct chat_form form;
    struct end_tokens ends;
    struct sampling sampling;
    char *keep; // NULL: nothing is kept
};

static void close_model(void *ctx) {
    struct opened *o = ctx;
    sampling_free(&o->sampling);
    chat_form_close(&o->form);
    tokenizer_free(o->tokenizer);
    engine_free(&o->engine);
    free(o->keep);
    free(o->path);
    free(o->id);
    free(o);
}

void serve_model_id(const char *path, char *out, size_t size) {
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    size_t at = n;
    while (at > 0 && path[at - 1] != '/')
        at--;
    if (n - at > 5 && !strncmp(path + n - 5, ".gguf", 5)) n -= 5;
    snprintf(out, size, "%.*s", (int)(n - at), path + at);
}

/* Pages: one conversation as long as the context holds, and for others, and what is kept of them,
 * as much as is allowed. */
static enum jl_status plan_pages(const struct opened *o, const struct serve_model_options *options,
                                 struct session_options *out, struct jl_error *err) {
    const struct model *model = o->engine.model;
    const struct draft_options none = {.kind = "none"};
    int n_seq = options->n_parallel ? options->n_parallel : PARALLEL;
    struct memory_plan plan;
    JL_TRY(engine_plan(&o->engine, 1, options->n_ctx, &none, &plan, err));
    *out = plan.sessions;
    out->n_seq = n_seq;
    if (!model->page_bytes) return JL_OK;
    size_t room = plan.available > plan.total ? plan.available - plan.total : 0;
    size_t most = options->cache_mb ? (size_t)options->cache_mb * 1000000 : room / 2;
    if (most > room) most = room;
    size_t wanted = (size_t)out->n_page * (size_t)(2 * n_seq), more = most / model->page_bytes;
    if (!options->cache_mb && more > wanted) more = wanted;
    if (more > INT32_MAX / 2) more = INT32_MAX / 2;
    out->n_page += (int)more;
    out->prefix_bytes = (size_t)out->n_page * model->page_bytes;
    return JL_OK;
}

static void say(void *ctx, const char *text) {
    const struct opened *o = ctx;
    fprintf(stderr, "jinlin serve: %s: %s\n", o->id, text);
}

/* A folder of its own below the one that is asked for. */
static enum jl_status choose_keep(struct opened *o, const struct serve_model_options *options,
                                  struct scheduler_options *out, struct jl_error *err) {
    if (!options->keep) return JL_OK;
    if (!file_is_dir(options->keep))
        return jl_fail(err, JL_ERR_USAGE, "--keep %s: there is no such folder", options->keep);
    if (strchr(o->id, '/'))
        return jl_fail(err, JL_ERR_USAGE, "--keep wants names of models without '/', not %s",
                       o->id);
    if (!(o->keep = file_path_in(options->keep, o->id)))
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a folder's name");
    out->keep_folder = o->keep;
    out->keep_bytes = (size_t)(options->keep_mb ? options->keep_mb : KEEP_MB) * 1000000;
    out->note = say;
    out->note_ctx = o;
    return JL_OK;
}

static enum jl_status open_parts(struct opened *o, const struct serve_model_options *options,
                                 struct served_parts *out, struct jl_error *err) {
    JL_TRY(engine_load(o->path, &options->engine, &o->engine, err));
    const struct model *model = o->engine.model;
    int rows = model->hp.n_ctx_train < ENGINE_CHUNK ? model->hp.n_ctx_train : ENGINE_CHUNK;
    JL_TRY(open_tokenizer(model->file, &o->tokenizer, err));
    if (tokenizer_vocab_size(o->tokenizer) > model->hp.n_vocab)
        return jl_fail(err, JL_ERR_FORMAT, "%s: the tokenizer has %d tokens, the model %d", o->path,
                       tokenizer_vocab_size(o->tokenizer), model->hp.n_vocab);
    JL_TRY(engine_start(&o->engine, rows, err));
    end_tokens_find(model->file, o->tokenizer, model->hp.n_vocab, &o->ends);
    JL_TRY(chat_form_open(o->path, o->tokenizer, &o->form, err));
    chat_form_ends(&o->form, o->tokenizer, model->hp.n_vocab, &o->ends);
    JL_TRY(sampling_choose(&options->sampling, model->file, tokenizer_vocab_size(o->tokenizer),
                           &o->sampling, err));
    if (*o->sampling.unmet)
        fprintf(stderr, "jinlin serve: %s also asks for %s, which is not offered\n", o->id,
                o->sampling.unmet);
    *out = (struct served_parts){
        .id = o->id,
        .path = o->path,
        .exec = o->engine.exec,
        .tokenizer = o->tokenizer,
        .form = &o->form,
        .ends = &o->ends,
        .params = o->sampling.params,
        .limits = {.n_waiting = options->n_waiting ? options->n_waiting : WAITING},
        .close = close_model,
        .ctx = o,
    };
    out->limits.n_resting = 2 * (options->n_parallel ? options->n_parallel : PARALLEL);
    JL_TRY(choose_keep(o, options, &out->limits, err));
    return plan_pages(o, options, &out->limits.sessions, err);
}

enum jl_status serve_model_open(const char *path, const char *id,
                                const struct serve_model_options *options, struct served **out,
                                struct jl_error *err) {
    struct opened *o = calloc(1, sizeof *o);
    struct served_parts parts;
    *out = NULL;
    if (o) o->path = strdup(path);
    if (o) o->id = strdup(id);
    if (!o || !o->path || !o->id) {
        if (o) close_model(o);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a model");
    }
    enum jl_status status = open_parts(o, options, &parts, err);
    if (status == JL_OK) return served_open(&parts, out, err);
    close_model(o);
    return status;
}
