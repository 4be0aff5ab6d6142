#include "train/run/estimate.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/file_folder.h"
#include "base/rng.h"
#include "session/fresh_folder.h"
#include "session/memory_plan.h"
#include "train/run/run.h"

static void fill_rows(struct learner_row *rows, int n, int seq_len, int n_vocab, int step) {
    for (int i = 0; i < n; i++) {
        const struct rng_key key = {
            .seed = (uint64_t)step, .position = (uint32_t)i, .purpose = RNG_TEST};
        rows[i] = (struct learner_row){
            .token = (int32_t)(rng_uniform(&key, 0) * (float)n_vocab),
            .target = (int32_t)(rng_uniform(&key, 1) * (float)n_vocab),
            .after = (int32_t)(rng_uniform(&key, 2) * (float)n_vocab),
            .seq = i / seq_len,
            .pos = i % seq_len,
            .weight = 1,
        };
    }
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* All micro-batches of a step are the same rows. */
static enum jl_status time_steps(struct learner *learner, const struct recipe *recipe, int repeat,
                                 struct estimate *out, struct jl_error *err) {
    int n = (int)recipe->rows, seq_len = (int)recipe->seq_len;
    struct learner_row *rows = calloc((size_t)n, sizeof *rows);
    struct learner_batch *micro = calloc((size_t)recipe->micro, sizeof *micro);
    double *seconds = calloc((size_t)repeat, sizeof *seconds);
    struct step_result result;
    enum jl_status status =
        rows && micro && seconds ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for a step");
    for (int64_t k = 0; status == JL_OK && k < recipe->micro; k++)
        micro[k] = (struct learner_batch){rows, n, (n + seq_len - 1) / seq_len};
    for (int i = -1; i < repeat && status == JL_OK; i++) {
        fill_rows(rows, n, seq_len, learner_model(learner)->hp.n_vocab, i + 1);
        double start = clock_seconds();
        status = learner_step(learner, micro, (int)recipe->micro, &loss_cross_entropy, 1e-5f, NULL,
                              &result, err);
        if (i >= 0) seconds[i] = clock_seconds() - start;
    }
    if (status == JL_OK) {
        qsort(seconds, (size_t)repeat, sizeof *seconds, by_value);
        out->seconds = seconds[repeat / 2];
        out->best = seconds[0];
    }
    free(rows);
    free(micro);
    free(seconds);
    return status;
}

static enum jl_status plan_draws(const struct recipe *r, const struct model *model,
                                 struct backend *backend, size_t *out, struct jl_error *err) {
    int64_t n = r->grpo_prompts * r->grpo_group;
    if (r->grpo_parallel && r->grpo_parallel < n) n = r->grpo_parallel;
    int rows = r->rows < model->hp.n_ctx_train ? (int)r->rows : model->hp.n_ctx_train;
    const struct memory_request request = {
        .n_seq = (int)n, .n_ctx = rows, .n_batch = n > 128 ? (int)n : 128, .draft = DRAFT_NONE};
    struct memory_plan plan;
    enum jl_status status = memory_plan_make(model, backend, &request, &plan, err);
    *out = plan.state + plan.work;
    return status == JL_ERR_LIMIT ? JL_OK : status; // fewer at once
}

static enum jl_status estimate_start(const struct recipe *recipe, const char *start, int repeat,
                                     struct backend *backend, struct estimate *out,
                                     struct jl_error *err) {
    struct learner *learner;
    struct run_learner_memory memory;
    struct learner_options options;
    JL_TRY(run_learner_options(recipe, start, &memory, &options, err));
    JL_TRY(learner_create(backend, &options, &learner, err));
    *out = (struct estimate){.n_param = learner_n_param(learner),
                             .n_active = learner_n_active(learner),
                             .rows = recipe->rows * recipe->micro,
                             .bytes = learner_bytes(learner)};
    enum jl_status status =
        recipe->grpo ? plan_draws(recipe, learner_model(learner), backend, &out->drawing, err)
                     : time_steps(learner, recipe, repeat, out, err);
    learner_free(learner);
    return status;
}

enum jl_status estimate_recipe(const struct recipe *r, int repeat, struct backend *backend,
                               struct pool *pool, struct estimate *out, struct jl_error *err) {
    struct file_folder folder;
    if (r->start) return estimate_start(r, r->start, repeat, backend, out, err);
    JL_TRY(file_folder_open(P_tmpdir "/jinlin-estimate", &folder, err));
    char *start = file_path_in(folder.tmp_path, "model");
    const struct fresh_folder_options fresh = {
        .init = {.path = r->path, .config = r->config, .dtype = r->work, .seed = 1},
        .tokenizer = json_object_get(r->config, "vocab_size") ? NULL : r->tokenizer,
    };
    enum jl_status status =
        start ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for a folder's name");
    if (status == JL_OK) status = fresh_folder_write(&fresh, start, pool, err);
    if (status == JL_OK) status = estimate_start(r, start, repeat, backend, out, err);
    free(start);
    file_folder_abort(&folder);
    return status;
}
