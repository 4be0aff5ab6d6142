/* bench: prefill and decode speed of a model, with the same bodies as `logits`; `bench ops`
 * measures the kernels themselves. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "cli/bench_ops.h"
#include "cli/engine.h"
#include "session/sample.h"

struct bench_size {
    int prompt, gen, depth, repeat;
};

struct bench_run {
    struct engine engine;
    struct state *state;
    float *logits;
    int32_t *tokens;
    double *prefill, *decode; // (repeat) tokens a second
};

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static enum jl_status run_once(struct bench_run *run, const struct bench_size *size, int i,
                               struct jl_error *err) {
    struct exec *exec = run->engine.exec;
    int n_vocab = run->engine.model->hp.n_vocab;
    JL_TRY(state_rewind(run->state, size->depth, err));
    double start = clock_seconds();
    if (size->prompt)
        JL_TRY(feed_prompt(exec, run->state, run->tokens + size->depth, size->prompt,
                           exec_max_rows(exec), NULL, run->logits, err));
    double middle = clock_seconds();
    for (int t = 0; t < size->gen; t++) {
        int32_t id = sample_greedy(run->logits, n_vocab);
        JL_TRY(feed_prompt(exec, run->state, &id, 1, 1, NULL, run->logits, err));
    }
    double end = clock_seconds();
    if (i < 0) return JL_OK; // the warm-up
    run->prefill[i] = size->prompt / (middle - start);
    run->decode[i] = size->gen / (end - middle);
    return JL_OK;
}

static enum jl_status run_all(struct bench_run *run, const struct bench_size *size,
                              struct jl_error *err) {
    const struct model *model = run->engine.model;
    int n_token = size->depth + size->prompt;
    run->logits = calloc((size_t)model->hp.n_vocab, sizeof *run->logits);
    run->tokens = calloc((size_t)n_token + 1, sizeof *run->tokens);
    run->prefill = calloc((size_t)size->repeat, sizeof *run->prefill);
    run->decode = calloc((size_t)size->repeat, sizeof *run->decode);
    if (!run->logits || !run->tokens || !run->prefill || !run->decode)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for %d tokens", n_token);
    struct rng_key key = {.seed = 1, .purpose = RNG_TEST};
    for (int i = 0; i < n_token; i++)
        run->tokens[i] = (int32_t)((double)rng_uniform(&key, (uint64_t)i) * model->hp.n_vocab);
    int rows = size->prompt > size->depth ? size->prompt : size->depth;
    JL_TRY(engine_start(&run->engine,
                        rows < 1              ? 1
                        : rows < ENGINE_CHUNK ? rows
                                              : ENGINE_CHUNK,
                        err));
    JL_TRY(engine_pages(&run->engine, 1, n_token + size->gen, err));
    JL_TRY(state_create(run->engine.pool, &run->state, err));
    JL_TRY(state_reserve(run->state, n_token + size->gen, err));
    if (size->depth) {
        JL_TRY(feed_prompt(run->engine.exec, run->state, run->tokens, size->depth,
                           exec_max_rows(run->engine.exec), NULL, run->logits, err));
        state_checkpoint(run->state, CHECKPOINT_TURN); // each run comes back here
    }
    struct cli_progress progress;
    cli_progress_start(&progress);
    for (int i = -1; i < size->repeat; i++) {
        JL_TRY(run_once(run, size, i, err));
        cli_progress_step(&progress, "run", i + 1, size->repeat);
    }
    cli_progress_end(&progress);
    return JL_OK;
}

/* What decoding one token streams from memory: every matrix of the plan once, of experts those
 * used. */
static double streamed_bytes(const struct model *model) {
    double bytes = 0;
    for (int i = 0; i < model->plan.n_step; i++) {
        const struct step *step = &model->plan.steps[i];
        double matrix = (double)step->w.stride * step->w.n_out;
        if (step->op == OP_LINEAR) bytes += matrix;
        if (step->op == OP_EXPERTS) bytes += matrix * model->hp.n_expert_used;
    }
    return bytes;
}

static void add_body(void *ctx, const char *name) { json_array_append_new(ctx, json_string(name)); }

static void report(struct bench_run *run, const struct bench_size *size, bool json) {
    char cls[CLASS_NAME_BYTES], sha256[ENGINE_SHA256_TEXT];
    double prefill = median(run->prefill, size->repeat), decode = median(run->decode, size->repeat);
    const struct model *model = run->engine.model;
    class_name(&model->cls, cls);
    engine_sha256(run->logits, (size_t)model->hp.n_vocab * sizeof *run->logits, sha256);
    if (!json) {
        printf("%s\n%s, %d threads, %s\n", model->file->path, backend_level(run->engine.backend),
               backend_threads(run->engine.backend), cls);
        if (size->prompt)
            printf("prefill %8.2f tokens/s (%d at depth %d)\n", prefill, size->prompt, size->depth);
        if (size->gen)
            printf("decode  %8.2f tokens/s (%d at depth %d), %.1f GB/s of weights\n", decode,
                   size->gen, size->depth + size->prompt, decode * streamed_bytes(model) * 1e-9);
        printf("last logits %s\n", sha256);
        return;
    }
    json_t *bodies = json_array();
    backend_frame_bodies(exec_frame(run->engine.exec), add_body, bodies);
    json_t *out = json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:o, s:s}", "model", model->file->path,
        "class", cls, "level", backend_level(run->engine.backend), "threads",
        backend_threads(run->engine.backend), "prompt", size->prompt, "gen", size->gen, "depth",
        size->depth, "repeat", size->repeat, "prefill_tokens_per_s", size->prompt ? prefill : 0.0,
        "decode_tokens_per_s", size->gen ? decode : 0.0, "bodies", bodies, "sha256", sha256);
    json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(8));
    putchar('\n');
    json_decref(out);
}

int cmd_bench(int argc, char **argv) {
    struct engine_options engine = {0};
    struct bench_size size = {.prompt = 512, .gen = 64, .depth = 0, .repeat = 3};
    const char *model;
    bool json = false, done;
    const struct cli_option options[] = {
        {"--prompt", NULL, CLI_INT, &size.prompt, "N", "tokens to prefill (default 512)", 0,
         1 << 24},
        {"--gen", NULL, CLI_INT, &size.gen, "N", "tokens to decode (default 64)", 0, 1 << 24},
        {"--depth", NULL, CLI_INT, &size.depth, "N", "tokens cached before (default 0)", 0,
         1 << 24},
        {"--repeat", NULL, CLI_INT, &size.repeat, "N",
         "counted runs, after one warm-up (default 3)", 1, 1000},
        ENGINE_OPTIONS(engine),
        {"--json", NULL, CLI_FLAG, &json, NULL, "one JSON line", 0, 0},
    };
    const struct cli_spec spec = {
        "bench",
        "MODEL|ops [options]",
        "prefill and decode speed of a model (medians), or of the kernels (`bench ops`)",
        "jinlin bench model.gguf --prompt 512 --gen 64 --threads 2 --json",
        options,
        sizeof options / sizeof options[0],
        1,
        1,
        true};
    struct jl_error err = {0};
    struct bench_run run = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, &model, &done, &err);
    if (done) return 0;
    if (status == JL_OK && !strcmp(model, "ops")) {
        status = bench_ops_run(stdout, json, &err);
        return cli_finish(&spec, status, &err);
    }
    if (status == JL_OK && size.prompt + size.gen == 0)
        status = jl_fail(&err, JL_ERR_USAGE, "nothing to measure: --prompt and --gen are both 0");
    if (status == JL_OK) status = engine_load(model, &engine, &run.engine, &err);
    if (status == JL_OK) status = run_all(&run, &size, &err);
    if (status == JL_OK) report(&run, &size, json);
    state_free(run.state);
    free(run.logits);
    free(run.tokens);
    free(run.prefill);
    free(run.decode);
    engine_free(&run.engine);
    return cli_finish(&spec, status, &err);
}
