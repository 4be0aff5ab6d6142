/* export: a model as a Hugging Face folder. */
#include <stdio.h>
#include <string.h>

#include "base/pool.h"
#include "cli/adapters.h"
#include "cli/cli.h"
#include "session/export_folder.h"

struct export_run {
    const char *in, *out, *type;
    int threads, shard_mb;
    struct cli_list adapters;
    struct export_folder_options options;
};

static enum jl_status choose_type(struct export_run *run, struct jl_error *err) {
    struct export_hf_options *tensors = &run->options.tensors;
    if (!run->type) return JL_OK;
    tensors->convert = true;
    if (dtype_from_name(run->type, &tensors->dtype) && export_hf_dtype_name(tensors->dtype))
        return JL_OK;
    return jl_fail(err, JL_ERR_USAGE, "type '%s' is none of a folder's: f32, bf16, f16", run->type);
}

static enum jl_status check_out(const struct export_run *run, struct jl_error *err) {
    size_t len = strlen(run->out);
    if (len < 5 || strcmp(run->out + len - 5, ".gguf") != 0) return JL_OK;
    return jl_fail(err, JL_ERR_USAGE,
                   "export writes folders; for a GGUF file use: jinlin quantize "
                   "MODEL OUT.gguf --type T");
}

static void on_tensor(void *ctx, int64_t done, int64_t total) {
    cli_progress_step(ctx, "tensor", done, total);
}

static enum jl_status write_folder(struct export_run *run, const struct model *model,
                                   struct jl_error *err) {
    struct pool_options options = {.n_threads =
                                       run->threads ? run->threads : pool_default_threads()};
    struct cli_progress progress;
    struct pool *pool;
    JL_TRY(pool_create(&options, &pool, err));
    run->options.shard_bytes = (size_t)run->shard_mb * 1000000;
    run->options.progress = (struct folder_progress){on_tensor, &progress};
    cli_progress_start(&progress);
    enum jl_status status = export_folder_write(model, &run->options, run->out, pool, err);
    cli_progress_end(&progress);
    pool_free(pool);
    return status;
}

/* With adapters, matrices keep their type unless another is asked for: sums in f32 are rounded to
 * it once. */
static enum jl_status load(struct export_run *run, struct model **out, struct jl_error *err) {
    struct export_hf_options *tensors = &run->options.tensors;
    enum dtype dtype;
    if (run->adapters.n == 0) return model_load(run->in, NULL, out, err);
    JL_TRY(adapters_load_merged(run->in, &run->adapters, out, &dtype, err));
    if (!run->type) tensors->dtype = dtype;
    tensors->convert = true;
    return JL_OK;
}

static enum jl_status export_model(struct export_run *run, struct jl_error *err) {
    struct model *model;
    JL_TRY(choose_type(run, err));
    JL_TRY(check_out(run, err));
    JL_TRY(load(run, &model, err));
    enum jl_status status = write_folder(run, model, err);
    model_free(model);
    return status;
}

int cmd_export(int argc, char **argv) {
    struct export_run run = {.shard_mb = 5000};
    const char *args[2];
    bool done;
    const struct cli_option options[] = {
        {"--type", NULL, CLI_TEXT, &run.type, "T",
         "of matrices: f32, bf16 or f16 (default: as they are)", 0, 0},
        {"--adapter", NULL, CLI_LIST, &run.adapters, "PATH[@SCALE]",
         "a LoRA adapter to be added to the weights; may be repeated", 0, 0},
        {"--shard-size", NULL, CLI_INT, &run.shard_mb, "MB",
         "most data in one file of weights (default 5000; 0: one file)", 0, 1 << 30},
        {"--no-tokenizer", NULL, CLI_FLAG, &run.options.no_tokenizer, NULL,
         "leave the tokenizer out", 0, 0},
        {"--threads", "-t", CLI_INT, &run.threads, "N", "threads (default: physical cores)", 1,
         256},
    };
    const struct cli_spec spec = {"export",
                                  "MODEL OUT",
                                  "write a model, GGUF or folder, as a Hugging Face folder",
                                  "jinlin export model.gguf model-folder --type bf16",
                                  options,
                                  sizeof options / sizeof options[0],
                                  2,
                                  2,
                                  true};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, args, &done, &err);
    if (done) return 0;
    run.in = args[0];
    run.out = args[1];
    if (status == JL_OK) status = export_model(&run, &err);
    return cli_finish(&spec, status, &err);
}
