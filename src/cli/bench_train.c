#include "cli/bench_train.h"

#include <string.h>

#include "base/env.h"
#include "train/run/estimate.h"

/* With gated feed-forwards of 8/3 of the width these have as many parameters as GPTs with plain
 * ones of 4 times it. */
static const struct shape {
    const char *name;
    int n_layer, n_embd, n_ff;
} shapes[] = {{"gpt-5m", 4, 256, 688}, {"gpt-10m", 6, 320, 856}, {"gpt-30m", 8, 512, 1368}};

const char *bench_train_shape(int i) {
    return i >= 0 && i < (int)(sizeof shapes / sizeof shapes[0]) ? shapes[i].name : NULL;
}

static const struct shape *find_shape(const char *name) {
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (!strcmp(name, shapes[i].name)) return &shapes[i];
    return NULL;
}

/* Batches of 8 x 256, vocabulary 8192. Neither a tokenizer nor data are looked at. */
static enum jl_status make_recipe(const struct shape *shape, const char *dtype, struct recipe *out,
                                  struct jl_error *err) {
    char text[1024];
    snprintf(text, sizeof text,
             "[model]\ntokenizer = -\ndtype = %s\n"
             "[config]\narchitectures = [\"Qwen3ForCausalLM\"]\nmodel_type = qwen3\n"
             "hidden_size = %d\nintermediate_size = %d\nnum_hidden_layers = %d\n"
             "num_attention_heads = %d\nnum_key_value_heads = %d\nhead_dim = 64\n"
             "max_position_embeddings = 256\nrms_norm_eps = 1e-6\nrope_theta = 1e4\n"
             "tie_word_embeddings = true\nvocab_size = 8192\n"
             "[data]\nsource = -\nseq_len = 256\nrows = 2048\n[stage bench]\nsteps = 1\n",
             dtype, shape->n_embd, shape->n_ff, shape->n_layer, shape->n_embd / 64,
             shape->n_embd / 64);
    return recipe_parse(text, shape->name, out, err);
}

static void report(const struct bench_train *bench, const struct estimate *e,
                   const struct backend *backend, bool json, FILE *out) {
    double rate = (double)e->rows / e->seconds, best = (double)e->rows / e->best;
    double flops = 6e-9 * (double)e->n_active * rate;
    if (json)
        fprintf(out,
                "{\"shape\":\"%s\",\"parameters\":%lld,\"threads\":%d,\"level\":\"%s\","
                "\"tokens_per_second\":%.2f,\"best\":%.2f,\"gflops\":%.2f,\"bytes\":%zu}\n",
                bench->shape, (long long)e->n_param, backend_threads(backend),
                backend_level(backend), rate, best, flops, e->bytes);
    else
        fprintf(out,
                "%s: %.1f M parameters, batch 8 x 256, %d threads, %s: %.0f tokens/s (best %.0f), "
                "%.0f GFLOP/s of products, %.0f MB\n",
                bench->shape, 1e-6 * (double)e->n_param, backend_threads(backend),
                backend_level(backend), rate, best, flops, 1e-6 * (double)e->bytes);
}

enum jl_status bench_train_run(const struct bench_train *bench, bool json, FILE *out,
                               struct jl_error *err) {
    const struct shape *shape = find_shape(bench->shape);
    struct recipe recipe = {0};
    struct backend *backend = NULL;
    struct pool *pool = NULL;
    struct estimate e;
    if (!shape)
        return jl_fail(err, JL_ERR_USAGE,
                       "bench train: shapes are gpt-5m, gpt-10m and gpt-30m, not '%s'",
                       bench->shape);
    const struct backend_options cpu = {env_get(ENV_CPU), bench->threads};
    const struct pool_options one = {.n_threads = 1};
    enum jl_status status = make_recipe(shape, bench->act ? bench->act : "bf16", &recipe, err);
    if (status == JL_OK) status = backend_cpu_create(&cpu, &backend, err);
    if (status == JL_OK) status = pool_create(&one, &pool, err);
    if (status == JL_OK) status = estimate_recipe(&recipe, bench->repeat, backend, pool, &e, err);
    if (status == JL_OK) report(bench, &e, backend, json, out);
    recipe_free(&recipe);
    pool_free(pool);
    backend_free(backend);
    return status;
}
