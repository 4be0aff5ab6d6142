/* logits: the float32 logits of every position of a prompt, for comparing engines and runs. */
#include <stdlib.h>

#include "base/file.h"
#include "cli/engine.h"

struct logits_run {
    struct engine engine;
    struct cli_prompts prompts;
    int *also, n_also;
    struct feed *feeds; // [1 + n_also]: the wanted prompt first
    int *fed;           // tokens each has fed
    float *out;         // (tokens of the wanted prompt, n_vocab)
    float *hidden;      // (the same, n_embd), when the prediction layer is asked
    struct engine_stats stats;
};

/* Feeds all prompts side by side, at most `chunk` tokens of each in a pass. */
static enum jl_status run_passes(struct logits_run *run, const int *which, int chunk,
                                 struct jl_error *err) {
    int n_feed = 1 + run->n_also, n_vocab = run->engine.model->hp.n_vocab;
    struct cli_progress progress;
    cli_progress_start(&progress);
    for (;;) {
        int rows = 0, done = run->fed[0];
        for (int f = 0; f < n_feed; f++) {
            int left = run->prompts.n_id[which[f]] - run->fed[f];
            run->feeds[f].tokens = run->prompts.ids[which[f]] + run->fed[f];
            run->feeds[f].n_token = left < chunk ? left : chunk;
            run->feeds[f].n_logits = f ? 0 : run->feeds[f].n_token;
            rows += run->feeds[f].n_token;
        }
        if (run->hidden)
            run->feeds[0].hidden =
                run->hidden + (size_t)done * (size_t)run->engine.model->hp.n_embd;
        if (rows == 0) break;
        JL_TRY(feed_forward(run->engine.exec, run->feeds, n_feed, NULL,
                            run->out + (size_t)done * (size_t)n_vocab, err));
        JL_TRY(engine_stats_add(&run->stats, rows, err));
        for (int f = 0; f < n_feed; f++)
            run->fed[f] += run->feeds[f].n_token;
        cli_progress_step(&progress, "token", run->fed[0], run->prompts.n_id[which[0]]);
    }
    cli_progress_end(&progress);
    return JL_OK;
}

static enum jl_status want_hidden(struct logits_run *run, int prompt, struct jl_error *err) {
    size_t n, n_embd = (size_t)run->engine.model->hp.n_embd;
    int n_token = run->prompts.n_id[prompt];
    if (n_token < 2)
        return jl_fail(err, JL_ERR_USAGE, "--mtp needs a prompt of at least two tokens");
    if (!size_mul((size_t)n_token, n_embd, &n) || !(run->hidden = calloc(n, sizeof(float))))
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for the hidden states of %d tokens",
                       n_token);
    return JL_OK;
}

/* The prediction layer over all positions but the last, at most `chunk` in a pass; its logits take
 * the place of the model's. */
static enum jl_status run_ahead(struct logits_run *run, int prompt, int chunk,
                                struct jl_error *err) {
    const struct hparams *hp = &run->engine.model->hp;
    int n = run->prompts.n_id[prompt] - 1;
    struct exec *mtp;
    if (chunk == 0 || chunk > n) chunk = n;
    JL_TRY(exec_create_mtp(run->engine.model, run->engine.backend, chunk, &mtp, err));
    enum jl_status status = JL_OK;
    for (int at = 0; at < n && status == JL_OK; at += chunk) {
        struct feed_ahead feed = {.state = run->feeds[0].state,
                                  .tokens = run->prompts.ids[prompt] + at + 1,
                                  .hidden = run->hidden + (size_t)at * (size_t)hp->n_embd,
                                  .first = at,
                                  .n = n - at < chunk ? n - at : chunk};
        feed.n_logits = feed.n;
        status = feed_ahead(mtp, &feed, NULL, run->out + (size_t)at * (size_t)hp->n_vocab, err);
    }
    exec_free(mtp);
    return status;
}

static enum jl_status run_prompts(struct logits_run *run, int prompt, int chunk,
                                  struct jl_error *err) {
    const struct model *model = run->engine.model;
    int n_feed = 1 + run->n_also, longest = 0, total = 0, n_token = run->prompts.n_id[prompt];
    int *which = calloc((size_t)n_feed, sizeof *which);
    run->feeds = calloc((size_t)n_feed, sizeof *run->feeds);
    run->fed = calloc((size_t)n_feed, sizeof *run->fed);
    size_t n_float;
    if (!size_mul((size_t)n_token, (size_t)model->hp.n_vocab, &n_float)) n_float = SIZE_MAX;
    run->out = calloc(n_float, sizeof(float));
    if (!which || !run->feeds || !run->fed || !run->out) {
        free(which);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for the logits of %d tokens", n_token);
    }
    for (int f = 0; f < n_feed; f++) {
        which[f] = f ? run->also[f - 1] : prompt;
        if (run->prompts.n_id[which[f]] > longest) longest = run->prompts.n_id[which[f]];
    }
    if (chunk == 0 || chunk > longest) chunk = longest;
    for (int f = 0; f < n_feed; f++)
        total += run->prompts.n_id[which[f]] < chunk ? run->prompts.n_id[which[f]] : chunk;
    enum jl_status status = engine_start(&run->engine, total, err);
    if (status == JL_OK) status = engine_pages(&run->engine, n_feed, longest, err);
    for (int f = 0; f < n_feed && status == JL_OK; f++)
        status = state_create(run->engine.pool, &run->feeds[f].state, err);
    if (status == JL_OK) status = run_passes(run, which, chunk, err);
    free(which);
    return status;
}

static enum jl_status write_logits(const struct logits_run *run, const char *path, int n_token,
                                   bool stats, struct jl_error *err) {
    size_t n = (size_t)n_token * (size_t)run->engine.model->hp.n_vocab;
    struct file_writer writer;
    JL_TRY(file_writer_open(path, &writer, err));
    if (fwrite(run->out, sizeof(float), n, writer.stream) != n) {
        file_writer_abort(&writer);
        return jl_fail(err, JL_ERR_IO, "%s: cannot write %zu floats", path, n);
    }
    JL_TRY(file_writer_commit(&writer, err));
    if (!stats) return JL_OK;
    char sha256[ENGINE_SHA256_TEXT];
    engine_sha256(run->out, n * sizeof(float), sha256);
    return engine_stats_print(&run->stats, &run->engine, sha256, stderr, err);
}

static void release(struct logits_run *run) {
    for (int f = 0; run->feeds && f < 1 + run->n_also; f++)
        state_free(run->feeds[f].state);
    free(run->feeds);
    free(run->fed);
    free(run->out);
    free(run->hidden);
    free(run->also);
    cli_free_prompts(&run->prompts);
    engine_stats_free(&run->stats);
    engine_free(&run->engine);
}

int cmd_logits(int argc, char **argv) {
    struct engine_options engine = {0};
    const char *model, *tokens = NULL, *also = NULL, *out = NULL;
    int prompt = 0, chunk = 0;
    bool stats = false, mtp = false, done;
    const struct cli_option options[] = {
        {"--tokens", NULL, CLI_TEXT, &tokens, "FILE.json",
         "a list of ids, or {\"prompts\": [[..]]}", 0, 0},
        {"--prompt", NULL, CLI_INT, &prompt, "I", "which prompt of the file (default 0)", 0,
         1 << 20},
        {"--also", NULL, CLI_TEXT, &also, "I,J", "run these prompts in the same batch", 0, 0},
        {"--chunk", NULL, CLI_INT, &chunk, "N", "tokens of a prompt a pass (default: all)", 0,
         1 << 30},
        ENGINE_OPTIONS(engine),
        {"--mtp", NULL, CLI_FLAG, &mtp, NULL,
         "those of the layer that predicts the token after the next, one row less", 0, 0},
        {"--stats", NULL, CLI_FLAG, &stats, NULL, "one JSON line on stderr", 0, 0},
        {"--output", "-o", CLI_TEXT, &out, "OUT.f32", "float32 little-endian, (tokens, vocabulary)",
         0, 0},
    };
    const struct cli_spec spec = {
        "logits",
        "MODEL --tokens FILE.json -o OUT.f32 [options]",
        "write the logits of all positions of a prompt",
        "jinlin logits model.gguf --tokens tokens.json --kv f32 -o logits.f32",
        options,
        sizeof options / sizeof options[0],
        1,
        1,
        true};
    struct jl_error err = {0};
    struct logits_run run = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, &model, &done, &err);
    if (done) return 0;
    if (status == JL_OK && (!tokens || !out))
        status = jl_fail(&err, JL_ERR_USAGE, "%s is required",
                         tokens ? "-o OUT.f32" : "--tokens FILE.json");
    if (status == JL_OK) status = cli_read_prompts(tokens, &run.prompts, &err);
    if (status == JL_OK && prompt >= run.prompts.n_prompt)
        status = jl_fail(&err, JL_ERR_USAGE, "--prompt %d: %s holds %d prompts, numbered from 0",
                         prompt, tokens, run.prompts.n_prompt);
    if (status == JL_OK && also)
        status =
            cli_read_indices("--also", also, run.prompts.n_prompt, &run.also, &run.n_also, &err);
    if (status == JL_OK) status = engine_load(model, &engine, &run.engine, &err);
    if (status == JL_OK && mtp) status = want_hidden(&run, prompt, &err);
    if (status == JL_OK) status = run_prompts(&run, prompt, chunk, &err);
    if (status == JL_OK && mtp) status = run_ahead(&run, prompt, chunk, &err);
    if (status == JL_OK)
        status = write_logits(&run, out, run.prompts.n_id[prompt] - (mtp ? 1 : 0), stats, &err);
    release(&run);
    return cli_finish(&spec, status, &err);
}
