#include "cli/passages.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "session/open_tokenizer.h"

#define MAX_TEXT_BYTES ((size_t)4 << 30)

/* How many ids the tokenizer puts in front of a text. */
static enum jl_status count_before(const struct tokenizer *tokenizer, int *n,
                                   struct jl_error *err) {
    int32_t *with = NULL, *bare = NULL;
    size_t n_with = 0, n_bare = 0;
    enum jl_status status =
        tokenizer_encode(tokenizer, "a", 1, ENCODE_ADD_BOS, &with, &n_with, err);
    if (status == JL_OK) status = tokenizer_encode(tokenizer, "a", 1, 0, &bare, &n_bare, err);
    *n = 0;
    for (size_t at = 0; status == JL_OK && at + n_bare <= n_with; at++)
        if (!memcmp(with + at, bare, n_bare * sizeof *bare)) {
            *n = (int)at;
            break;
        }
    free(with);
    free(bare);
    return status;
}

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the chunks of the text");
}

/* Whole passages of n_ctx ids each; out->memory holds the ids. */
static enum jl_status cut(struct passages *out, int n_ctx, int n_max, struct jl_error *err) {
    int64_t n = out->n_token / n_ctx;
    if (n == 0)
        return jl_fail(err, JL_ERR_USAGE,
                       "the text has %lld tokens and one chunk takes %d; give a longer text or a "
                       "smaller --ctx",
                       (long long)out->n_token, n_ctx);
    if (n_max && n > n_max) n = n_max;
    out->items = calloc((size_t)n, sizeof *out->items);
    if (!out->items) return no_memory(err);
    for (out->n = 0; out->n < n; out->n++)
        out->items[out->n] = (struct passage){.ids = out->memory + (size_t)out->n * (size_t)n_ctx,
                                              .n = n_ctx,
                                              .first = n_ctx / 2,
                                              .end = n_ctx - 1};
    out->n_left = out->n_token - n * n_ctx;
    out->n_longest = n_ctx;
    return JL_OK;
}

static enum jl_status check_ctx(const struct engine *engine, int n_ctx, struct jl_error *err) {
    int most = engine->model->hp.n_ctx_train;
    if (n_ctx <= most) return JL_OK;
    return jl_fail(err, JL_ERR_LIMIT, "a chunk of %d tokens; the model's context is %d", n_ctx,
                   most);
}

static enum jl_status encode_file(const struct passages_source *source,
                                  const struct tokenizer *tokenizer, struct passages *out,
                                  struct jl_error *err) {
    char *text;
    size_t len, n_id;
    JL_TRY(file_read(source->text, MAX_TEXT_BYTES, &text, &len, err));
    enum jl_status status =
        tokenizer_encode(tokenizer, text, len, ENCODE_ADD_BOS, &out->memory, &n_id, err);
    free(text);
    out->n_token = (int64_t)n_id;
    return status;
}

static enum jl_status read_text(const struct passages_source *source, const struct engine *engine,
                                struct passages *out, struct jl_error *err) {
    struct tokenizer *tokenizer;
    int n_before = 0, n_ctx = source->n_ctx;
    if (n_ctx == 0)
        n_ctx = engine->model->hp.n_ctx_train < PASSAGES_CTX ? engine->model->hp.n_ctx_train
                                                             : PASSAGES_CTX;
    JL_TRY(check_ctx(engine, n_ctx, err));
    JL_TRY(open_tokenizer(engine->model->file, &tokenizer, err));
    enum jl_status status = count_before(tokenizer, &n_before, err);
    if (status == JL_OK) status = encode_file(source, tokenizer, out, err);
    tokenizer_free(tokenizer);
    if (status != JL_OK) return status;
    JL_TRY(cut(out, n_ctx, source->n_max, err));
    for (int i = 1; i < out->n && n_before < n_ctx; i++)
        memcpy(out->memory + (size_t)i * (size_t)n_ctx, out->memory,
               (size_t)n_before * sizeof *out->memory);
    return JL_OK;
}

/* Prompts one behind the other in out->memory. */
static enum jl_status join(const struct cli_prompts *prompts, struct passages *out,
                           struct jl_error *err) {
    for (int i = 0; i < prompts->n_prompt; i++)
        out->n_token += prompts->n_id[i];
    out->memory = calloc((size_t)out->n_token, sizeof *out->memory);
    if (!out->memory) return no_memory(err);
    int64_t at = 0;
    for (int i = 0; i < prompts->n_prompt; at += prompts->n_id[i++])
        memcpy(out->memory + at, prompts->ids[i], (size_t)prompts->n_id[i] * sizeof *out->memory);
    return JL_OK;
}

static enum jl_status whole_prompts(const struct cli_prompts *prompts, int n_max,
                                    const struct engine *engine, struct passages *out,
                                    struct jl_error *err) {
    int n = n_max && n_max < prompts->n_prompt ? n_max : prompts->n_prompt;
    out->items = calloc((size_t)n, sizeof *out->items);
    if (!out->items) return no_memory(err);
    const int32_t *at = out->memory;
    for (out->n = 0; out->n < n; out->n++) {
        int n_id = prompts->n_id[out->n];
        JL_TRY(check_ctx(engine, n_id, err));
        out->items[out->n] = (struct passage){.ids = at, .n = n_id, .end = n_id};
        at += n_id;
        if (n_id > out->n_longest) out->n_longest = n_id;
    }
    out->n_left = out->n_token - (at - out->memory);
    return JL_OK;
}

static enum jl_status read_ids(const struct passages_source *source, const struct engine *engine,
                               struct passages *out, struct jl_error *err) {
    struct cli_prompts prompts;
    JL_TRY(cli_read_prompts(source->tokens, &prompts, err));
    enum jl_status status = source->n_ctx ? check_ctx(engine, source->n_ctx, err) : JL_OK;
    if (status == JL_OK) status = join(&prompts, out, err);
    if (status == JL_OK)
        status = source->n_ctx ? cut(out, source->n_ctx, source->n_max, err)
                               : whole_prompts(&prompts, source->n_max, engine, out, err);
    cli_free_prompts(&prompts);
    return status;
}

enum jl_status passages_read(const struct passages_source *source, const struct engine *engine,
                             struct passages *out, struct jl_error *err) {
    *out = (struct passages){0};
    if (!source->text == !source->tokens)
        return jl_fail(err, JL_ERR_USAGE, "give either a file of text or --tokens FILE.json");
    enum jl_status status =
        source->text ? read_text(source, engine, out, err) : read_ids(source, engine, out, err);
    if (status != JL_OK) passages_free(out);
    return status;
}

void passages_free(struct passages *passages) {
    free(passages->items);
    free(passages->memory);
    *passages = (struct passages){0};
}

/* ---- running ---- */

enum jl_status passages_begin(struct passages_walk *walk, struct engine *engine,
                              const struct passage *passage, struct jl_error *err) {
    *walk = (struct passages_walk){.engine = engine, .passage = passage};
    if (!engine->pool || page_pool_size(engine->pool, PAGE_KEYS) * (int64_t)KV_CHUNK < passage->n) {
        page_pool_free(engine->pool);
        engine->pool = NULL;
        JL_TRY(engine_pages(engine, 1, passage->n, err));
    }
    return state_create(engine->pool, &walk->state, err);
}

static enum jl_status feed(struct passages_walk *walk, int n, int n_logits, float *logits,
                           struct jl_error *err) {
    struct feed feed = {walk->state, walk->passage->ids + walk->at, n, n_logits};
    JL_TRY(feed_forward(walk->engine->exec, &feed, 1, NULL, logits, err));
    walk->at += n;
    return JL_OK;
}

enum jl_status passages_skip(struct passages_walk *walk, int end, struct jl_error *err) {
    while (walk->at < end)
        JL_TRY(feed(walk, end - walk->at < ENGINE_CHUNK ? end - walk->at : ENGINE_CHUNK, 0, NULL,
                    err));
    return JL_OK;
}

enum jl_status passages_next(struct passages_walk *walk, int n, float *logits,
                             struct jl_error *err) {
    return feed(walk, n, n, logits, err);
}

void passages_end(struct passages_walk *walk) {
    state_free(walk->state);
    walk->state = NULL;
}
