#include "cli/engine.h"

#include <errno.h>
#include <jansson.h>
#include <sha256.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"

enum jl_status engine_load(const char *path, const struct engine_options *options,
                           struct engine *out, struct jl_error *err) {
    struct class_request request = {options->act, options->kv};
    struct backend_options cpu = {env_get(ENV_CPU), options->threads};
    *out = (struct engine){0};
    enum jl_status status = backend_cpu_create(&cpu, &out->backend, err);
    if (status == JL_OK)
        status = adapters_load(path, &request, &options->adapters, &out->model, err);
    if (status != JL_OK) engine_free(out);
    return status;
}

enum jl_status engine_start(struct engine *engine, int max_rows, struct jl_error *err) {
    return exec_create(engine->model, engine->backend, max_rows, &engine->exec, err);
}

enum jl_status engine_memory(const char *text, size_t *bytes, struct jl_error *err) {
    const char *from = text ? "--memory" : env_name(ENV_MEMORY);
    char *end;
    *bytes = 0;
    if (!text) text = env_get(ENV_MEMORY);
    if (!text) return JL_OK;
    errno = 0;
    unsigned long long megabytes = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || megabytes < 1 ||
        megabytes > SIZE_MAX / 1000000)
        return jl_fail(err, JL_ERR_USAGE, "%s takes a number of megabytes, not '%s'", from, text);
    *bytes = (size_t)megabytes * 1000000;
    return JL_OK;
}

static enum jl_status draft_kind(const struct draft_options *options, enum draft_kind *out,
                                 struct jl_error *err) {
    const char *name = options->kind ? options->kind : "auto";
    static const struct {
        const char *name;
        enum draft_kind kind;
    } kinds[] = {{"auto", DRAFT_AUTO},
                 {"none", DRAFT_NONE},
                 {"lookup", DRAFT_LOOKUP},
                 {"mtp", DRAFT_PREDICT}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strcmp(name, kinds[i].name)) {
            *out = kinds[i].kind;
            return JL_OK;
        }
    return jl_fail(err, JL_ERR_USAGE, "--draft takes auto, none, lookup or mtp, not '%s'", name);
}

enum jl_status engine_draft_check(const struct draft_options *options, struct jl_error *err) {
    enum draft_kind kind = DRAFT_AUTO;
    JL_TRY(draft_kind(options, &kind, err));
    if (options->n == 0 || kind != DRAFT_NONE) return JL_OK;
    return jl_fail(
        err, JL_ERR_USAGE,
        "--draft-max goes with --draft auto, lookup or mtp: with none there is no draft");
}

enum jl_status engine_plan(const struct engine *engine, int n_seq, int n_ctx,
                           const struct draft_options *draft, struct memory_plan *out,
                           struct jl_error *err) {
    struct memory_request request = {.n_seq = n_seq,
                                     .n_ctx = n_ctx,
                                     .n_batch = exec_max_rows(engine->exec),
                                     .draft = DRAFT_NONE};
    if (draft) JL_TRY(draft_kind(draft, &request.draft, err));
    if (draft) request.n_draft = draft->n;
    JL_TRY(engine_memory(NULL, &request.limit, err));
    return memory_plan_make(engine->model, engine->backend, &request, out, err);
}

enum jl_status engine_pages(struct engine *engine, int n_seq, int n_pos, struct jl_error *err) {
    int n_ctx = engine->model->hp.n_ctx_train; // more is refused where it is asked for
    struct memory_plan plan;
    if (n_pos > n_ctx) n_pos = n_ctx;
    JL_TRY(engine_plan(engine, n_seq, n_pos, NULL, &plan, err));
    struct page_counts counts = page_counts_for(engine->model, n_seq, n_pos);
    return page_pool_create(engine->model, engine->backend, &counts, &engine->pool, err);
}

void engine_free(struct engine *engine) {
    page_pool_free(engine->pool);
    exec_free(engine->exec);
    model_free(engine->model);
    backend_free(engine->backend);
    *engine = (struct engine){0};
}

enum jl_status engine_stats_add(struct engine_stats *stats, int rows, struct jl_error *err) {
    if (stats->n_call == stats->cap) {
        int cap = stats->cap ? 2 * stats->cap : 64;
        int *grown = realloc(stats->rows, (size_t)cap * sizeof *grown);
        if (!grown) return jl_fail(err, JL_ERR_MEMORY, "out of memory for statistics");
        stats->rows = grown;
        stats->cap = cap;
    }
    stats->rows[stats->n_call++] = rows;
    return JL_OK;
}

static void add_body(void *ctx, const char *name) { json_array_append_new(ctx, json_string(name)); }

enum jl_status engine_stats_print(const struct engine_stats *stats, const struct engine *engine,
                                  const char *sha256, FILE *out, struct jl_error *err) {
    char cls[CLASS_NAME_BYTES];
    json_t *rows = json_array(), *bodies = json_array();
    for (int i = 0; i < stats->n_call; i++)
        json_array_append_new(rows, json_integer(stats->rows[i]));
    backend_frame_bodies(exec_frame(engine->exec), add_body, bodies);
    class_name(&engine->model->cls, cls);
    json_t *line =
        json_pack("{s:i, s:o, s:o, s:i, s:s, s:s, s:s}", "forward_calls", stats->n_call, "rows",
                  rows, "bodies", bodies, "threads", backend_threads(engine->backend), "level",
                  backend_level(engine->backend), "class", cls, "sha256", sha256);
    int failed = !line || json_dumpf(line, out, JSON_COMPACT) || fputc('\n', out) == EOF;
    json_decref(line);
    return failed ? jl_fail(err, JL_ERR_IO, "cannot write the statistics line") : JL_OK;
}

void engine_stats_free(struct engine_stats *stats) {
    free(stats->rows);
    *stats = (struct engine_stats){0};
}

void engine_sha256(const void *data, size_t bytes, char out[ENGINE_SHA256_TEXT]) {
    SHA256Data(data, bytes, out);
}
