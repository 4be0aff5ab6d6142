/* ppl: how well a model foretells a text, and how far it is from a reference. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/pool.h"
#include "cli/passages.h"
#include "session/score.h"

/* Logits of the reference: a second model, or a file with the rows one behind the other. */
struct reference {
    const char *path; // NULL: none
    bool is_model;
    struct engine engine;
    struct passages_walk walk;
    float *logits; // (rows_at_once, n_vocab), of a model
    struct file_map map;
    size_t row; // of the file, the next
};

struct ppl_run {
    struct engine engine;
    struct passages passages;
    struct reference reference;
    struct pool *pool;
    int n_vocab, rows_at_once;
    float *logits;        // (rows_at_once, n_vocab)
    struct score *scores; // (rows_at_once)
    struct score_sums sums;
    double *kl; // of every row compared, for the quantiles
    size_t n_row;
    const char *save_path;
    struct file_writer save; // stream NULL without
};

/* ---- the reference ---- */

static bool is_model(const char *path) { return file_is_dir(path) || file_begins(path, "GGUF", 4); }

static enum jl_status open_model(struct ppl_run *run, const struct engine_options *options,
                                 struct jl_error *err) {
    struct reference *ref = &run->reference;
    struct engine_options plain = *options;
    plain.adapters.n = 0; // they belong to the model that is measured
    JL_TRY(engine_load(ref->path, &plain, &ref->engine, err));
    int n_vocab = ref->engine.model->hp.n_vocab;
    if (n_vocab != run->n_vocab)
        return jl_fail(err, JL_ERR_USAGE,
                       "%s has a vocabulary of %d and the model one of %d: their logits cannot be "
                       "compared",
                       ref->path, n_vocab, run->n_vocab);
    JL_TRY(engine_start(&ref->engine, ENGINE_CHUNK, err));
    ref->logits = calloc((size_t)run->rows_at_once * (size_t)n_vocab, sizeof *ref->logits);
    return ref->logits ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for logits");
}

static enum jl_status open_reference(struct ppl_run *run, const struct engine_options *options,
                                     struct jl_error *err) {
    struct reference *ref = &run->reference;
    if (!ref->path) return JL_OK;
    ref->is_model = is_model(ref->path);
    if (ref->is_model) return open_model(run, options, err);
    JL_TRY(file_map_open(ref->path, &ref->map, err));
    size_t bytes = run->n_row * (size_t)run->n_vocab * sizeof(float);
    if (ref->map.size == bytes) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT,
                   "%s has %zu bytes; %zu rows of %d float32 logits are %zu: it must hold the rows "
                   "that are compared, one behind the other, and nothing else",
                   ref->path, ref->map.size, run->n_row, run->n_vocab, bytes);
}

/* The reference's logits of the next n rows. */
static enum jl_status next_reference(struct ppl_run *run, int n, const float **out,
                                     struct jl_error *err) {
    struct reference *ref = &run->reference;
    *out = NULL;
    if (!ref->path) return JL_OK;
    if (ref->is_model) {
        *out = ref->logits;
        return passages_next(&ref->walk, n, ref->logits, err);
    }
    *out = (const float *)(const void *)ref->map.data + ref->row * (size_t)run->n_vocab;
    for (size_t i = 0; i < (size_t)n * (size_t)run->n_vocab; i++)
        if (!__builtin_isfinite((*out)[i]))
            return jl_fail(err, JL_ERR_FORMAT, "%s: logit %zu of row %zu is not finite", ref->path,
                           i % (size_t)run->n_vocab, ref->row + i / (size_t)run->n_vocab);
    ref->row += (size_t)n;
    return JL_OK;
}

/* ---- one passage ---- */

struct score_call {
    const struct ppl_run *run;
    const struct passage *passage;
    const float *reference;
    int row; // of the passage
};

static void score_one(void *ctx, int item, int thread) {
    const struct score_call *call = ctx;
    const struct passage *passage = call->passage;
    size_t at = (size_t)item * (size_t)call->run->n_vocab;
    int row = call->row + item;
    struct score_row in = {
        .logits = call->run->logits + at,
        .reference = call->reference ? call->reference + at : NULL,
        .target = row + 1 < passage->n ? passage->ids[row + 1] : -1,
    };
    (void)thread;
    score_row(&in, call->run->n_vocab, &call->run->scores[item]);
}

static enum jl_status save_rows(struct ppl_run *run, int n, struct jl_error *err) {
    size_t n_float = (size_t)n * (size_t)run->n_vocab;
    if (!run->save.stream ||
        fwrite(run->logits, sizeof(float), n_float, run->save.stream) == n_float)
        return JL_OK;
    return jl_fail(err, JL_ERR_IO, "%s: cannot write %zu floats: %m", run->save_path, n_float);
}

static enum jl_status run_rows(struct ppl_run *run, struct passages_walk *walk,
                               struct jl_error *err) {
    const struct passage *passage = walk->passage;
    while (walk->at < passage->end) {
        int row = walk->at, n = passage->end - row;
        if (n > run->rows_at_once) n = run->rows_at_once;
        struct score_call call = {.run = run, .passage = passage, .row = row};
        JL_TRY(passages_next(walk, n, run->logits, err));
        JL_TRY(save_rows(run, n, err));
        JL_TRY(next_reference(run, n, &call.reference, err));
        pool_run(run->pool, n, score_one, &call);
        for (int i = 0; i < n; i++) {
            if (run->scores[i].compares) run->kl[run->sums.n_compared] = run->scores[i].kl;
            score_add(&run->sums, &run->scores[i]);
        }
    }
    return JL_OK;
}

static enum jl_status run_passage(struct ppl_run *run, const struct passage *passage,
                                  struct jl_error *err) {
    struct reference *ref = &run->reference;
    struct passages_walk walk = {0};
    enum jl_status status = passages_begin(&walk, &run->engine, passage, err);
    if (status == JL_OK) status = passages_skip(&walk, passage->first, err);
    if (status == JL_OK && ref->is_model)
        status = passages_begin(&ref->walk, &ref->engine, passage, err);
    if (status == JL_OK && ref->is_model) status = passages_skip(&ref->walk, passage->first, err);
    if (status == JL_OK) status = run_rows(run, &walk, err);
    passages_end(&walk);
    passages_end(&ref->walk);
    return status;
}

/* ---- all of it ---- */

#define LOGITS_BYTES ((size_t)128 << 20) // of one pass

static enum jl_status prepare(struct ppl_run *run, const struct engine_options *options,
                              struct jl_error *err) {
    run->n_vocab = run->engine.model->hp.n_vocab;
    size_t rows = LOGITS_BYTES / ((size_t)run->n_vocab * sizeof(float));
    run->rows_at_once = rows < 1 ? 1 : rows > ENGINE_CHUNK ? ENGINE_CHUNK : (int)rows;
    for (int i = 0; i < run->passages.n; i++)
        run->n_row += (size_t)(run->passages.items[i].end - run->passages.items[i].first);
    run->logits = calloc((size_t)run->rows_at_once * (size_t)run->n_vocab, sizeof *run->logits);
    run->scores = calloc((size_t)run->rows_at_once, sizeof *run->scores);
    run->kl = calloc(run->n_row + 1, sizeof *run->kl);
    if (!run->logits || !run->scores || !run->kl)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for logits");
    JL_TRY(engine_start(&run->engine, ENGINE_CHUNK, err));
    JL_TRY(open_reference(run, options, err));
    struct pool_options pool = {.n_threads = backend_threads(run->engine.backend)};
    JL_TRY(pool_create(&pool, &run->pool, err));
    return run->save_path ? file_writer_open(run->save_path, &run->save, err) : JL_OK;
}

static enum jl_status run_all(struct ppl_run *run, struct jl_error *err) {
    struct cli_progress progress;
    enum jl_status status = JL_OK;
    cli_progress_start(&progress);
    for (int i = 0; i < run->passages.n && status == JL_OK; i++) {
        status = run_passage(run, &run->passages.items[i], err);
        cli_progress_step(&progress, "chunk", i + 1, run->passages.n);
    }
    cli_progress_end(&progress);
    if (status == JL_OK && run->save_path) status = file_writer_commit(&run->save, err);
    return status;
}

static void release(struct ppl_run *run) {
    file_writer_abort(&run->save);
    pool_free(run->pool);
    free(run->logits);
    free(run->scores);
    free(run->kl);
    free(run->reference.logits);
    file_map_close(&run->reference.map);
    engine_free(&run->reference.engine);
    passages_free(&run->passages);
    engine_free(&run->engine);
}

/* ---- the report ---- */

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The value that a share of the sorted ones does not exceed. */
static double quantile(const double *sorted, int64_t n, double share) {
    int64_t at = (int64_t)(share * (double)(n - 1) + 0.5);
    return sorted[at];
}

static json_t *describe_kl(const struct ppl_run *run) {
    const struct score_sums *sums = &run->sums;
    struct score_mean kl = score_mean(sums->kl, sums->kl2, sums->n_compared);
    qsort(run->kl, (size_t)sums->n_compared, sizeof *run->kl, by_size);
    json_t *out =
        json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "reference", run->reference.path,
                  "positions", (json_int_t)sums->n_compared, "mean", kl.mean, "mean_error",
                  kl.error, "median", quantile(run->kl, sums->n_compared, 0.5), "quantile_99",
                  quantile(run->kl, sums->n_compared, 0.99), "max", sums->kl_max, "same_top",
                  (double)sums->n_same_top / (double)sums->n_compared);
    if (out && sums->n_predicted) {
        struct score_mean nll = score_mean(sums->nll_reference, 0, sums->n_predicted);
        json_object_set_new(out, "reference_nll", json_real(nll.mean));
    }
    return out;
}

static json_t *describe(const struct ppl_run *run) {
    const struct score_sums *sums = &run->sums;
    struct score_mean ppl = score_perplexity(sums);
    char cls[CLASS_NAME_BYTES];
    class_name(&run->engine.model->cls, cls);
    json_t *out =
        json_pack("{s:I, s:i, s:i, s:I, s:I, s:s}", "tokens", (json_int_t)run->passages.n_token,
                  "chunks", run->passages.n, "ctx", run->passages.n_longest, "tokens_left_out",
                  (json_int_t)run->passages.n_left, "predictions", (json_int_t)sums->n_predicted,
                  "class", cls);
    if (out && sums->n_predicted) {
        json_object_set_new(out, "perplexity", json_real(ppl.mean));
        json_object_set_new(out, "perplexity_error", json_real(ppl.error));
        json_object_set_new(out, "nll", json_real(sums->nll / (double)sums->n_predicted));
    }
    if (out && sums->n_compared) json_object_set_new(out, "kl", describe_kl(run));
    return out;
}

static double number(const json_t *object, const char *key) {
    return json_real_value(json_object_get(object, key));
}

static void print_text(const json_t *all) {
    const json_t *kl = json_object_get(all, "kl");
    printf("%lld chunks of up to %lld tokens, %lld predictions",
           (long long)json_integer_value(json_object_get(all, "chunks")),
           (long long)json_integer_value(json_object_get(all, "ctx")),
           (long long)json_integer_value(json_object_get(all, "predictions")));
    long long left = (long long)json_integer_value(json_object_get(all, "tokens_left_out"));
    if (left) printf("; %lld tokens at the end left out", left);
    printf("\n");
    if (json_object_get(all, "perplexity"))
        printf("perplexity: %.4f +/- %.4f\n", number(all, "perplexity"),
               number(all, "perplexity_error"));
    if (!kl) return;
    printf("against %s, %lld positions:\n", json_string_value(json_object_get(kl, "reference")),
           (long long)json_integer_value(json_object_get(kl, "positions")));
    printf("mean KL divergence: %.6f +/- %.6f\n", number(kl, "mean"), number(kl, "mean_error"));
    printf("median %.6f, 99 %% below %.6f, max %.6f\n", number(kl, "median"),
           number(kl, "quantile_99"), number(kl, "max"));
    printf("same likeliest token: %.2f %%\n", 100 * number(kl, "same_top"));
}

static enum jl_status report(const struct ppl_run *run, bool json, struct jl_error *err) {
    json_t *all = describe(run);
    if (!all) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the report");
    if (json)
        json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17)), putchar('\n');
    else
        print_text(all);
    json_decref(all);
    return JL_OK;
}

int cmd_ppl(int argc, char **argv) {
    struct engine_options engine = {0};
    struct passages_source source = {0};
    struct ppl_run run = {0};
    const char *args[2] = {NULL};
    bool json = false, done;
    const struct cli_option options[] = {
        PASSAGES_OPTIONS(source),
        {"--kl", NULL, CLI_TEXT, &run.reference.path, "REFERENCE",
         "KL divergence from a model, or from a file of float32 logits", 0, 0},
        {"--save-logits", NULL, CLI_TEXT, &run.save_path, "OUT.f32",
         "the logits of all positions that count, for --kl", 0, 0},
        {"--json", NULL, CLI_FLAG, &json, NULL, "as one JSON object", 0, 0},
        ENGINE_OPTIONS(engine),
    };
    const struct cli_spec spec = {"ppl",
                                  "MODEL (FILE | --tokens FILE.json) [options]",
                                  "perplexity of a text, and KL divergence from a reference",
                                  "jinlin ppl model.q4_k_m.gguf wiki.txt --kl model.bf16.gguf",
                                  options,
                                  sizeof options / sizeof options[0],
                                  1,
                                  2,
                                  true};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, args, &done, &err);
    if (done) return 0;
    source.text = args[1];
    if (status == JL_OK && run.reference.path) status = cli_model_path(&run.reference.path, &err);
    if (status == JL_OK) status = engine_load(args[0], &engine, &run.engine, &err);
    if (status == JL_OK) status = passages_read(&source, &run.engine, &run.passages, &err);
    if (status == JL_OK) status = prepare(&run, &engine, &err);
    if (status == JL_OK) status = run_all(&run, &err);
    if (status == JL_OK) status = report(&run, json, &err);
    release(&run);
    return cli_finish(&spec, status, &err);
}
