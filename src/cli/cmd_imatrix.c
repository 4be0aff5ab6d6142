/* imatrix: which columns of each weight matter, measured on a text. */
#include <stdio.h>
#include <string.h>

#include "cli/passages.h"
#include "session/importance.h"

struct imatrix_run {
    struct engine engine;
    struct passages passages;
    struct importance *importance;
    struct arena arena;
};

static enum jl_status gather(struct imatrix_run *run, struct jl_error *err) {
    struct cli_progress progress;
    enum jl_status status = JL_OK;
    exec_observe(run->engine.exec, importance_observer(run->importance));
    cli_progress_start(&progress);
    for (int i = 0; i < run->passages.n && status == JL_OK; i++) {
        const struct passage *passage = &run->passages.items[i];
        struct passages_walk walk;
        status = passages_begin(&walk, &run->engine, passage, err);
        if (status == JL_OK) status = passages_skip(&walk, passage->n, err);
        passages_end(&walk);
        cli_progress_step(&progress, "chunk", i + 1, run->passages.n);
    }
    cli_progress_end(&progress);
    return status;
}

static enum jl_status write_result(struct imatrix_run *run, const char *path, const char *text,
                                   struct jl_error *err) {
    struct imatrix imatrix;
    int n_unseen, n_matrix;
    JL_TRY(importance_result(run->importance, &run->arena, &imatrix, &n_unseen, &n_matrix, err));
    imatrix.n_chunk = run->passages.n;
    imatrix.chunk_size = run->passages.n_longest;
    imatrix.dataset = text;
    JL_TRY(imatrix_write(path, &imatrix, err));
    printf("%s: %zu entries of %d chunks of up to %d tokens", path, imatrix.n, run->passages.n,
           run->passages.n_longest);
    if (run->passages.n_left)
        printf("; %lld tokens at the end left out", (long long)run->passages.n_left);
    printf("\n");
    if (n_unseen)
        fprintf(
            stderr,
            "jinlin imatrix: %d of %d matrices are of experts that no token of this text chose; "
            "take a longer or more varied text\n",
            n_unseen, n_matrix);
    return JL_OK;
}

int cmd_imatrix(int argc, char **argv) {
    struct engine_options engine = {0};
    struct passages_source source = {0};
    struct imatrix_run run = {0};
    const char *args[2] = {NULL}, *out = "imatrix.gguf";
    bool done;
    const struct cli_option options[] = {
        PASSAGES_OPTIONS(source),
        {"--output", "-o", CLI_TEXT, &out, "OUT.gguf", "the file to write (default imatrix.gguf)",
         0, 0},
        ENGINE_OPTIONS(engine),
    };
    const struct cli_spec spec = {"imatrix",
                                  "MODEL (FILE | --tokens FILE.json) [-o OUT.gguf]",
                                  "which columns of the weights matter for a text, for quantize",
                                  "jinlin imatrix model.bf16.gguf calibration.txt -o imatrix.gguf",
                                  options,
                                  sizeof options / sizeof options[0],
                                  1,
                                  2,
                                  true};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, args, &done, &err);
    if (done) return 0;
    source.text = args[1];
    if (status == JL_OK) status = engine_load(args[0], &engine, &run.engine, &err);
    if (status == JL_OK) status = passages_read(&source, &run.engine, &run.passages, &err);
    if (status == JL_OK) status = engine_start(&run.engine, ENGINE_CHUNK, &err);
    if (status == JL_OK) status = importance_create(run.engine.model, &run.importance, &err);
    if (status == JL_OK) status = gather(&run, &err);
    if (status == JL_OK)
        status = write_result(&run, out, source.text ? source.text : source.tokens, &err);
    importance_free(run.importance);
    arena_free(&run.arena);
    passages_free(&run.passages);
    engine_free(&run.engine);
    return cli_finish(&spec, status, &err);
}
