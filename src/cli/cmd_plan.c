/* plan: what a model will take, before it is loaded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/engine.h"
#include "train/run/estimate.h"

struct plan_options {
    struct engine_options engine;
    int ctx, seqs, batch, prefix;
    const char *memory;
    bool json;
};

static double mb(size_t bytes) { return (double)bytes / 1e6; }

static void print_text(const char *path, const struct memory_plan *plan) {
    printf("%s: %d x %d tokens\n", path, plan->sessions.n_seq, plan->sessions.n_ctx);
    printf("  weights    %12.1f MB  mapped from the file\n", mb(plan->weights));
    printf("  state      %12.1f MB  cached state of the sequences\n", mb(plan->state));
    if (plan->prefix)
        printf("  prefixes   %12.1f MB  cached state kept for others\n", mb(plan->prefix));
    printf("  work       %12.1f MB  registers, scratch, logits\n", mb(plan->work));
    printf("  total      %12.1f MB\n", mb(plan->total));
    printf("  available  %12.1f MB\n", mb(plan->available));
}

static void print_json(const struct memory_plan *plan) {
    printf("{\"n_seq\":%d,\"n_ctx\":%d,\"weights\":%zu,\"state\":%zu,\"prefix\":%zu,\"work\":%zu,"
           "\"total\":%zu,\"available\":%zu,\"fits\":%s}\n",
           plan->sessions.n_seq, plan->sessions.n_ctx, plan->weights, plan->state, plan->prefix,
           plan->work, plan->total, plan->available,
           plan->total <= plan->available ? "true" : "false");
}

static enum jl_status make_plan(const char *path, const struct plan_options *o,
                                struct jl_error *err) {
    struct engine engine = {0};
    struct memory_plan plan = {0};
    struct memory_request request = {.n_seq = o->seqs,
                                     .n_ctx = o->ctx,
                                     .n_batch = o->batch,
                                     .prefix_bytes = (size_t)o->prefix << 20};
    JL_TRY(engine_memory(o->memory, &request.limit, err));
    JL_TRY(engine_load(path, &o->engine, &engine, err));
    if (request.n_batch < request.n_seq) request.n_batch = request.n_seq;
    enum jl_status status = memory_plan_make(engine.model, engine.backend, &request, &plan, err);
    if (plan.total && o->json) print_json(&plan);
    if (plan.total && !o->json) print_text(path, &plan);
    engine_free(&engine);
    return status;
}

/* ---- recipes ---- */

/* How long answers will be nobody knows before: of time nothing is said. */
static void print_grpo(const char *path, const struct recipe *recipe, const struct estimate *e,
                       bool json) {
    long long steps = (long long)recipe_steps(recipe);
    long long answers = (long long)(recipe->grpo_prompts * recipe->grpo_group);
    if (json) {
        printf("{\"parameters\":%lld,\"active\":%lld,\"bytes\":%zu,\"drawing\":%zu,\"steps\":%lld,"
               "\"answers\":%lld}\n",
               (long long)e->n_param, (long long)e->n_active, e->bytes, e->drawing, steps, answers);
        return;
    }
    printf("%s: %.2f M parameters, %.2f M take part in a token\n", path, 1e-6 * (double)e->n_param,
           1e-6 * (double)e->n_active);
    printf("  learning   %12.1f MB\n", mb(e->bytes));
    printf("  drawing    %12.1f MB  at most, beside it\n", mb(e->drawing));
    printf("  steps      %12lld     %lld answers each\n", steps, answers);
}

static void print_recipe(const char *path, const struct recipe *recipe, const struct estimate *e,
                         int threads, bool json) {
    int64_t steps = recipe_steps(recipe);
    for (int i = 0; i < recipe->n_stage; i++)
        if (!recipe->stages[i].steps)
            fprintf(stderr,
                    "jinlin plan: stage '%s' has epochs: its steps are counted when the run has "
                    "its data, and are not in these figures\n",
                    recipe->stages[i].name);
    double seconds = e->seconds * (double)steps;
    if (recipe->grpo) {
        print_grpo(path, recipe, e, json);
        return;
    }
    if (json) {
        printf("{\"parameters\":%lld,\"active\":%lld,\"bytes\":%zu,\"steps\":%lld,"
               "\"tokens\":%lld,\"tokens_per_second\":%.1f,\"seconds\":%.1f,"
               "\"core_hours\":%.3f}\n",
               (long long)e->n_param, (long long)e->n_active, e->bytes, (long long)steps,
               (long long)(steps * e->rows), (double)e->rows / e->seconds, seconds,
               seconds * threads / 3600);
        return;
    }
    printf("%s: %.2f M parameters, %.2f M take part in a token\n", path, 1e-6 * (double)e->n_param,
           1e-6 * (double)e->n_active);
    printf("  memory     %12.1f MB\n", mb(e->bytes));
    printf("  steps      %12lld     at most %lld tokens each, %.1f M in all\n", (long long)steps,
           (long long)e->rows, 1e-6 * (double)(steps * e->rows));
    printf("  a step     %12.3f s  %.0f tokens/s, measured just now with %d threads\n", e->seconds,
           (double)e->rows / e->seconds, threads);
    printf("  time       %12.2f h  %.2f core-hours\n", seconds / 3600, seconds * threads / 3600);
}

static enum jl_status plan_recipe(const char *path, const struct plan_options *o,
                                  struct jl_error *err) {
    struct recipe recipe;
    struct estimate e;
    struct backend *backend = NULL;
    struct pool *pool = NULL;
    const struct backend_options cpu = {env_get(ENV_CPU), o->engine.threads};
    const struct pool_options one = {.n_threads = 1};
    JL_TRY(recipe_read(path, &recipe, err));
    enum jl_status status = backend_cpu_create(&cpu, &backend, err);
    if (status == JL_OK) status = pool_create(&one, &pool, err);
    if (status == JL_OK) status = estimate_recipe(&recipe, 3, backend, pool, &e, err);
    if (status == JL_OK) print_recipe(path, &recipe, &e, backend_threads(backend), o->json);
    recipe_free(&recipe);
    pool_free(pool);
    backend_free(backend);
    return status;
}

/* A text file that is no model: none of those is one. */
static bool is_recipe(const char *path) {
    size_t n = strlen(path);
    return file_exists(path) && !file_is_dir(path) && !file_begins(path, "GGUF", 4) &&
           !(n > 5 && !strcmp(path + n - 5, ".gguf"));
}

int cmd_plan(int argc, char **argv) {
    struct plan_options o = {.batch = ENGINE_CHUNK, .seqs = 1};
    const char *path;
    bool done;
    const struct cli_option options[] = {
        {"--ctx", "-c", CLI_INT, &o.ctx, "N",
         "tokens of each sequence (default: the model's context, or what fits)", 1, INT32_MAX},
        {"--seqs", NULL, CLI_INT, &o.seqs, "N", "sequences at once (default 1)", 1, 1 << 20},
        {"--batch", NULL, CLI_INT, &o.batch, "N", "rows of a pass (default 512)", 1, 1 << 20},
        {"--prefix", NULL, CLI_INT, &o.prefix, "MB",
         "megabytes of state kept for sequences that begin alike (default 0)", 0, 1 << 24},
        {"--memory", NULL, CLI_TEXT, &o.memory, "MB", "as if so many megabytes were available", 0,
         0},
        {"--json", NULL, CLI_FLAG, &o.json, NULL, "bytes, as one JSON object", 0, 0},
        ENGINE_OPTIONS(o.engine),
    };
    const struct cli_spec spec = {"plan",
                                  "MODEL [--ctx N] [--seqs N] | RECIPE",
                                  "the memory that a model will take, before it is loaded; memory, "
                                  "time and core-hours of a recipe, from a few steps of it",
                                  "jinlin plan model.gguf --ctx 8192 --seqs 4",
                                  options,
                                  sizeof options / sizeof options[0],
                                  1,
                                  1};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, &path, &done, &err);
    if (done) return 0;
    if (status == JL_OK)
        status = is_recipe(path) ? plan_recipe(path, &o, &err) : make_plan(path, &o, &err);
    return cli_finish(&spec, status, &err);
}
