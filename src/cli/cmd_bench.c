/* bench: prefill and decode speed of a model, with the same bodies as `logits`; `bench ops`
 * measures the kernels themselves. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/rng.h"
#include "cli/bench_ops.h"
#include "cli/bench_train.h"
#include "cli/engine.h"
#include "session/sample.h"

struct bench_size {
    int prompt, gen, depth, repeat;
    int seqs; // that decode together
};

struct bench_run {
    struct engine engine;
    struct state *state;      // of the prompt
    struct state **forks;     // (seqs) that go on from it, while several decode
    struct feed *feeds;       // (seqs)
    float *logits;            // (seqs, n_vocab)
    int32_t *tokens, *next;   // next: (seqs)
    double *prefill, *decode; // (repeat) tokens a second
    double opened, first; // seconds from the start until the model was open, and the first token
};

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Every sequence goes on from the prompt, each with another token; the first with the likeliest. */
static enum jl_status fork_all(struct bench_run *run, const struct bench_size *size,
                               struct jl_error *err) {
    int n_vocab = run->engine.model->hp.n_vocab, first = sample_greedy(run->logits, n_vocab);
    for (int s = 0; s < size->seqs; s++) {
        run->forks[s] = s > 0 ? NULL : run->state;
        run->next[s] = (first + s) % n_vocab;
        if (s > 0) JL_TRY(state_fork(run->state, &run->forks[s], err));
        run->feeds[s] = (struct feed){run->forks[s], &run->next[s], 1, 1, NULL};
    }
    return JL_OK;
}

static void drop_forks(struct bench_run *run, const struct bench_size *size) {
    for (int s = 0; s < size->seqs; s++) {
        if (s > 0) state_free(run->forks[s]);
        run->forks[s] = NULL;
    }
}

static enum jl_status run_once(struct bench_run *run, const struct bench_size *size, int i,
                               struct jl_error *err) {
    struct exec *exec = run->engine.exec;
    size_t n_vocab = (size_t)run->engine.model->hp.n_vocab;
    JL_TRY(state_rewind(run->state, size->depth, err));
    double start = clock_seconds();
    if (size->prompt)
        JL_TRY(feed_prompt(exec, run->state, run->tokens + size->depth, size->prompt,
                           exec_max_rows(exec), NULL, run->logits, err));
    double middle = clock_seconds();
    enum jl_status status = fork_all(run, size, err);
    double forked = clock_seconds();
    for (int t = 0; t < size->gen && status == JL_OK; t++) {
        for (int s = 0; t > 0 && s < size->seqs; s++)
            run->next[s] = sample_greedy(run->logits + (size_t)s * n_vocab, (int)n_vocab);
        status = feed_forward(exec, run->feeds, size->seqs, NULL, run->logits, err);
    }
    double end = clock_seconds();
    drop_forks(run, size);
    if (i < 0) run->first = run->opened + middle - start; // the warm-up
    if (i < 0 || status != JL_OK) return status;
    run->prefill[i] = size->prompt / (middle - start);
    run->decode[i] = size->gen * size->seqs / (end - forked);
    return JL_OK;
}

static enum jl_status run_all(struct bench_run *run, const struct bench_size *size,
                              struct jl_error *err) {
    const struct model *model = run->engine.model;
    int n_token = size->depth + size->prompt;
    run->logits = calloc((size_t)size->seqs * (size_t)model->hp.n_vocab, sizeof *run->logits);
    run->forks = calloc((size_t)size->seqs, sizeof *run->forks);
    run->feeds = calloc((size_t)size->seqs, sizeof *run->feeds);
    run->next = calloc((size_t)size->seqs, sizeof *run->next);
    run->tokens = calloc((size_t)n_token + 1, sizeof *run->tokens);
    run->prefill = calloc((size_t)size->repeat, sizeof *run->prefill);
    run->decode = calloc((size_t)size->repeat, sizeof *run->decode);
    if (!run->logits || !run->forks || !run->feeds || !run->next || !run->tokens || !run->prefill ||
        !run->decode)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for %d tokens", n_token);
    struct rng_key key = {.seed = 1, .purpose = RNG_TEST};
    for (int i = 0; i < n_token; i++)
        run->tokens[i] = (int32_t)((double)rng_uniform(&key, (uint64_t)i) * model->hp.n_vocab);
    int rows = size->prompt > size->depth ? size->prompt : size->depth;
    if (rows < size->seqs) rows = size->seqs;
    JL_TRY(engine_start(&run->engine,
                        rows < 1              ? 1
                        : rows < ENGINE_CHUNK ? rows
                                              : ENGINE_CHUNK,
                        err));
    JL_TRY(engine_pages(&run->engine, size->seqs, n_token + size->gen, err));
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

/* What one token takes: bytes of the matrices of the plan, each once and of experts those used, and
 * the weights that it is multiplied with, but for those of the output, which a prompt's last token
 * alone is. */
struct token_work {
    double bytes, weights;
};

static struct token_work work_of(const struct model *model) {
    struct token_work work = {0, 0};
    for (int i = 0; i < model->plan.n_step; i++) {
        const struct step *step = &model->plan.steps[i];
        bool reads = step->op == OP_LINEAR || step->op == OP_LINEAR_ADD || step->op == OP_EXPERTS ||
                     step->op == OP_ABSORB || step->op == OP_HEADS;
        double times = step->op == OP_EXPERTS ? model->hp.n_expert_used : reads;
        work.bytes += times * (double)step->w.stride * step->w.n_out;
        if (step->out != REG_LOGITS) work.weights += times * (double)step->w.n_in * step->w.n_out;
    }
    return work;
}

static void add_body(void *ctx, const char *name) { json_array_append_new(ctx, json_string(name)); }

static double peak_megabytes(void) {
    struct rusage used;
    return getrusage(RUSAGE_SELF, &used) == 0 ? (double)used.ru_maxrss * 1024e-6 : 0;
}

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
                   size->gen, size->depth + size->prompt,
                   decode / size->seqs * work_of(model).bytes * 1e-9);
        printf("open    %8.2f s, %.2f s to the first token, %.0f MB at most in memory\n",
               run->opened, run->first, peak_megabytes());
        printf("last logits %s\n", sha256);
        return;
    }
    struct token_work work = work_of(model);
    json_t *bodies = json_array();
    backend_frame_bodies(exec_frame(run->engine.exec), add_body, bodies);
    json_t *out = json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o, "
        "s:s}",
        "model", model->file->path, "class", cls, "level", backend_level(run->engine.backend),
        "threads", backend_threads(run->engine.backend), "prompt", size->prompt, "gen", size->gen,
        "depth", size->depth, "seqs", size->seqs, "repeat", size->repeat, "weight_bytes",
        work.bytes, "weights", work.weights, "open_s", run->opened, "first_token_s", run->first,
        "peak_mb", peak_megabytes(), "prefill_tokens_per_s", size->prompt ? prefill : 0.0,
        "decode_tokens_per_s", size->gen ? decode : 0.0, "bodies", bodies, "sha256", sha256);
    json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(8));
    putchar('\n');
    json_decref(out);
}

int cmd_bench(int argc, char **argv) {
    struct engine_options engine = {0};
    struct bench_size size = {.prompt = 512, .gen = 64, .depth = 0, .repeat = 3, .seqs = 1};
    const char *args[2]; // a model, or what else is measured and its shape
    bool json = false, done;
    const struct cli_option options[] = {
        {"--prompt", NULL, CLI_INT, &size.prompt, "N", "tokens to prefill (default 512)", 0,
         1 << 24},
        {"--gen", NULL, CLI_INT, &size.gen, "N", "tokens to decode (default 64)", 0, 1 << 24},
        {"--depth", NULL, CLI_INT, &size.depth, "N", "tokens cached before (default 0)", 0,
         1 << 24},
        {"--seqs", NULL, CLI_INT, &size.seqs, "N", "sequences that decode together (default 1)", 1,
         4096},
        {"--repeat", NULL, CLI_INT, &size.repeat, "N",
         "counted runs, after one warm-up (default 3)", 1, 1000},
        ENGINE_OPTIONS(engine),
        {"--json", NULL, CLI_FLAG, &json, NULL, "one JSON line", 0, 0},
    };
    const struct cli_spec spec = {
        "bench",
        "MODEL | ops | train SHAPE [options]",
        "prefill and decode speed of a model (medians), of the kernels (`bench ops`), or of "
        "training "
        "(`bench train gpt-5m`, gpt-10m, gpt-30m)",
        "jinlin bench model.gguf --prompt 512 --gen 64 --threads 2 --json",
        options,
        sizeof options / sizeof options[0],
        1,
        2,
        true};
    struct jl_error err = {0};
    struct bench_run run = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, args, &done, &err);
    if (done) return 0;
    const char *model = status == JL_OK ? args[0] : "";
    if (status == JL_OK && !strcmp(model, "train")) {
        const struct bench_train train = {args[1] ? args[1] : "gpt-5m", engine.threads, size.repeat,
                                          engine.act};
        status = bench_train_run(&train, json, stdout, &err);
        return cli_finish(&spec, status, &err);
    }
    if (status == JL_OK && args[1])
        status = jl_fail(&err, JL_ERR_USAGE, "one model at a time, not '%s' too", args[1]);
    if (status == JL_OK && !strcmp(model, "ops")) {
        status = bench_ops_run(stdout, json, &err);
        return cli_finish(&spec, status, &err);
    }
    if (status == JL_OK && size.prompt + size.gen == 0)
        status = jl_fail(&err, JL_ERR_USAGE, "nothing to measure: --prompt and --gen are both 0");
    double started = clock_seconds();
    if (status == JL_OK) status = engine_load(model, &engine, &run.engine, &err);
    run.opened = clock_seconds() - started;
    if (status == JL_OK) status = run_all(&run, &size, &err);
    if (status == JL_OK) report(&run, &size, json);
    state_free(run.state);
    free(run.forks);
    free(run.feeds);
    free(run.next);
    free(run.logits);
    free(run.tokens);
    free(run.prefill);
    free(run.decode);
    engine_free(&run.engine);
    return cli_finish(&spec, status, &err);
}
