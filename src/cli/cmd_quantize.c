/* quantize: a model as a GGUF file, in the types of a preset. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/pool.h"
#include "cli/cli.h"
#include "model/export.h"
#include "session/quantize.h"

struct quantize_run {
    const char *in, *out, *type, *imatrix_path;
    bool dry_run;
    int threads;
    struct quantize_options options;
    struct model *model;
    struct imatrix imatrix;
    struct arena arena; // of the imatrix and the types
    struct cli_list types;
    struct quantize_plan plan;
    struct pool *pool;
};

static const char *preset_names(char *out, size_t size) {
    size_t used = 0;
    out[0] = 0;
    for (int i = 0; quant_preset_at(i) && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "",
                                 quant_preset_name(quant_preset_at(i)));
    return out;
}

static enum jl_status choose_preset(struct quantize_run *run, struct jl_error *err) {
    char names[256];
    preset_names(names, sizeof names);
    if (!run->type) return jl_fail(err, JL_ERR_USAGE, "--type T is required, one of: %s", names);
    run->options.preset = quant_preset_find(run->type);
    if (run->options.preset) return JL_OK;
    return jl_fail(err, JL_ERR_USAGE, "type '%s' is not known; use one of: %s", run->type, names);
}

static enum jl_status check_out(const struct quantize_run *run, struct jl_error *err) {
    struct stat in, out;
    if (!run->out)
        return run->dry_run ? JL_OK : jl_fail(err, JL_ERR_USAGE, "name the file to write");
    if (stat(run->in, &in) || stat(run->out, &out)) return JL_OK; // one of them is not there
    if (in.st_dev != out.st_dev || in.st_ino != out.st_ino) return JL_OK;
    return jl_fail(err, JL_ERR_USAGE, "%s is the model itself; write to another file", run->out);
}

static enum jl_status open_all(struct quantize_run *run, struct jl_error *err) {
    for (int i = 0; i < run->types.n; i++)
        JL_TRY(quant_override_add(&run->options.types, run->types.items[i], &run->arena, err));
    if (run->imatrix_path) {
        JL_TRY(imatrix_read(run->imatrix_path, &run->arena, &run->imatrix, err));
        run->options.imatrix = &run->imatrix;
        run->options.imatrix_path = run->imatrix_path;
    }
    JL_TRY(model_load(run->in, NULL, &run->model, err));
    return quantize_plan(run->model, &run->options, &run->plan, err);
}

/* ---- what is said ---- */

static void print_fallbacks(const struct quantize_plan *plan) {
    int shown = 0;
    for (size_t i = 0; i < plan->n; i++) {
        const struct quantize_tensor *t = &plan->tensors[i];
        if (t->choice.dtype == t->choice.wanted || shown++ >= 4) continue;
        fprintf(stderr,
                "jinlin quantize: %s: rows of %lld values are no multiple of %d: %s in place of "
                "%s\n",
                t->source->name, (long long)t->source->dim[t->source->n_dim - 1],
                dtype_row(t->choice.wanted)->block, dtype_name(t->choice.dtype),
                dtype_name(t->choice.wanted));
    }
    if (shown > 4) fprintf(stderr, "jinlin quantize: the same for %d more tensors\n", shown - 4);
}

static void print_notices(const struct quantize_run *run) {
    const struct quantize_plan *plan = &run->plan;
    const struct export_tokenizer *tokenizer = &plan->tokenizer;
    print_fallbacks(plan);
    if (plan->n_requantized)
        fprintf(stderr,
                "jinlin quantize: %d tensors are quantised already and lose a second time; the "
                "model they were made from would give a better file\n",
                plan->n_requantized);
    if (plan->n_unimportant)
        fprintf(stderr, "jinlin quantize: %d matrices are not in %s: their columns count alike\n",
                plan->n_unimportant, run->imatrix_path);
    for (int i = 0; tokenizer->gguf.notes[i]; i++)
        fprintf(stderr, "jinlin quantize: what a GGUF file cannot say: the tokenizer %s\n",
                tokenizer->gguf.notes[i]);
    if (tokenizer->n_stop_lost)
        fprintf(stderr,
                "jinlin quantize: %d more tokens end an answer than a GGUF file has keys for\n",
                tokenizer->n_stop_lost);
    if (!plan->has_tokenizer)
        fprintf(stderr, "jinlin quantize: the new file has no tokenizer: token ids only\n");
}

static void print_plan(const struct quantize_plan *plan) {
    for (size_t i = 0; i < plan->n; i++) {
        const struct quantize_tensor *t = &plan->tensors[i];
        printf("%-44s %s", t->source->name, dtype_name(t->source->dtype));
        if (!t->copied) printf(" -> %s", dtype_name(t->choice.dtype));
        printf("%s\n", t->importance ? ", weighed" : "");
    }
}

static void print_types(const struct quantize_run *run) {
    const struct quantize_plan *plan = &run->plan;
    size_t bytes[DTYPE_COUNT] = {0};
    int count[DTYPE_COUNT] = {0};
    for (size_t i = 0; i < plan->n; i++) {
        bytes[plan->tensors[i].choice.dtype] += plan->tensors[i].bytes;
        count[plan->tensors[i].choice.dtype]++;
    }
    printf("%s: %s, %.1f MB of %.1f MB:", run->out ? run->out : run->in,
           quant_preset_name(run->options.preset), (double)plan->bytes / 1e6,
           (double)model_weight_bytes(run->model) / 1e6);
    for (int i = 0, n = 0; i < DTYPE_COUNT; i++)
        if (count[i])
            printf("%s %d %s (%.1f MB)", n++ ? "," : "", count[i], dtype_name((enum dtype)i),
                   (double)bytes[i] / 1e6);
    printf("\n");
}

/* ---- writing ---- */

static void on_tensor(void *ctx, int64_t done, int64_t total) {
    cli_progress_step(ctx, "tensor", done, total);
}

static enum jl_status write_file(struct quantize_run *run, struct jl_error *err) {
    struct pool_options pool = {.n_threads = run->threads ? run->threads : pool_default_threads()};
    struct quantize_error error;
    struct cli_progress progress;
    JL_TRY(pool_create(&pool, &run->pool, err));
    cli_progress_start(&progress);
    enum jl_status status =
        quantize_write(&run->plan, run->out, run->pool, on_tensor, &progress, &error, err);
    cli_progress_end(&progress);
    if (status != JL_OK) return status;
    print_types(run);
    if (error.square > 0)
        printf("error of the matrices that changed: %.4g %% (root mean square, of theirs)\n",
               100 * __builtin_sqrt(error.error_square / error.square));
    return JL_OK;
}

static enum jl_status quantize(struct quantize_run *run, struct jl_error *err) {
    JL_TRY(choose_preset(run, err));
    JL_TRY(check_out(run, err));
    JL_TRY(open_all(run, err));
    print_notices(run);
    if (!run->dry_run) return write_file(run, err);
    print_plan(&run->plan);
    print_types(run);
    return JL_OK;
}

int cmd_quantize(int argc, char **argv) {
    struct quantize_run run = {0};
    const char *args[2] = {NULL};
    char names[256];
    bool done;
    const struct cli_option options[] = {
        {"--type", NULL, CLI_TEXT, &run.type, "T", preset_names(names, sizeof names), 0, 0},
        {"--tensor-type", NULL, CLI_LIST, &run.types, "PATTERN=T",
         "another type for the matrices of these names ('blk.0.*=q6_k'); again for more, the last "
         "one counts",
         0, 0},
        {"--imatrix", NULL, CLI_TEXT, &run.imatrix_path, "FILE",
         "which columns matter (jinlin imatrix, or llama.cpp's)", 0, 0},
        {"--allow-requantize", NULL, CLI_FLAG, &run.options.allow_requantize, NULL,
         "also from types below Q8_0", 0, 0},
        {"--no-tokenizer", NULL, CLI_FLAG, &run.options.no_tokenizer, NULL,
         "leave a folder's tokenizer out", 0, 0},
        {"--dry-run", NULL, CLI_FLAG, &run.dry_run, NULL, "only say what each tensor becomes", 0,
         0},
        {"--threads", "-t", CLI_INT, &run.threads, "N", "threads (default: physical cores)", 1,
         256},
    };
    const struct cli_spec spec = {
        "quantize",
        "MODEL OUT.gguf --type T [--tensor-type PATTERN=T] [--imatrix FILE]",
        "write a model, GGUF or folder, as a GGUF file of other types",
        "jinlin quantize model-folder model.q4_k_m.gguf --type q4_k_m",
        options,
        sizeof options / sizeof options[0],
        1,
        2,
        true};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, args, &done, &err);
    if (done) return 0;
    run.in = args[0];
    run.out = args[1];
    if (status == JL_OK) status = quantize(&run, &err);
    pool_free(run.pool);
    quantize_plan_free(&run.plan);
    model_free(run.model);
    arena_free(&run.arena);
    return cli_finish(&spec, status, &err);
}
