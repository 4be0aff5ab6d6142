/* synth: a GGUF of random weights at a real model's shape. */
#include <stdio.h>

#include "base/pool.h"
#include "cli/cli.h"
#include "model/quant_preset.h"
#include "model/synth.h"

static void on_tensor(void *ctx, int64_t done, int64_t total) {
    cli_progress_step(ctx, "tensor", done, total);
}

int cmd_synth(int argc, char **argv) {
    struct synth_options synth = {.type = NULL, .n_layer = 0, .seed = 1};
    const char *shape;
    int seed = 1, threads = 0;
    bool done;
    char about[160] = "one of ", types[224];
    size_t used = 7, typed = 0;
    for (int i = 0; synth_shape_name(i); i++)
        used += (size_t)snprintf(about + used, sizeof about - used, "%s%s", i ? ", " : "",
                                 synth_shape_name(i));
    for (int i = 0; quant_preset_at(i) && typed < sizeof types; i++)
        typed += (size_t)snprintf(types + typed, sizeof types - typed, "%s, ",
                                  quant_preset_name(quant_preset_at(i)));
    if (typed < sizeof types)
        snprintf(types + typed, sizeof types - typed, "or one type for all matrices (q4_k)");
    char summary[256];
    snprintf(summary, sizeof summary, "random weights at a real model's shape (%s)", about);
    const struct cli_option options[] = {
        {"--type", NULL, CLI_TEXT, &synth.type, "T", types, 0, 0},
        {"--layers", NULL, CLI_INT, &synth.n_layer, "N", "fewer layers than the shape has", 1,
         4096},
        {"--seed", NULL, CLI_INT, &seed, "N", "of the weights (default 1)", 0, 1 << 30},
        {"--threads", "-t", CLI_INT, &threads, "N", "threads (default: physical cores)", 1, 256},
        {"--output", "-o", CLI_TEXT, &synth.path, "FILE.gguf", "the file to write", 0, 0},
    };
    const struct cli_spec spec = {"synth", "SHAPE --type T -o FILE.gguf",
                                  summary, "jinlin synth qwen3-0.6b --type q8_0 -o qwen3.gguf",
                                  options, sizeof options / sizeof options[0],
                                  1,       1};
    struct jl_error err = {0};
    struct pool *pool = NULL;
    struct cli_progress progress;
    enum jl_status status = cli_parse(&spec, argc, argv, &shape, &done, &err);
    if (done) return 0;
    if (status == JL_OK && (!synth.type || !synth.path))
        status =
            jl_fail(&err, JL_ERR_USAGE, "%s is required", synth.type ? "-o FILE.gguf" : "--type T");
    struct pool_options pool_options = {.n_threads = threads ? threads : pool_default_threads()};
    if (status == JL_OK) status = pool_create(&pool_options, &pool, &err);
    if (status == JL_OK) {
        synth.shape = shape;
        synth.seed = (uint64_t)seed;
        cli_progress_start(&progress);
        status = synth_write(&synth, pool, on_tensor, &progress, &err);
        cli_progress_end(&progress);
    }
    pool_free(pool);
    return cli_finish(&spec, status, &err);
}
