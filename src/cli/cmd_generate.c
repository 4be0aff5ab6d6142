/* generate: greedy continuation of token ids, as token ids. */
#include <stdlib.h>

#include "cli/engine.h"
#include "session/sample.h"

struct generate_run {
    struct engine engine;
    struct cli_prompts prompts;
    struct state *state;
    float *logits;
    int32_t *ids;
};

static enum jl_status generate(struct generate_run *run, int prompt, int n, int chunk,
                               struct jl_error *err) {
    const struct model *model = run->engine.model;
    int n_prompt = run->prompts.n_id[prompt];
    if (chunk == 0 || chunk > n_prompt) chunk = n_prompt;
    run->logits = calloc((size_t)model->hp.n_vocab, sizeof *run->logits);
    run->ids = calloc((size_t)n, sizeof *run->ids);
    if (!run->logits || !run->ids)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for %d ids", n);
    JL_TRY(engine_start(&run->engine, chunk, err));
    JL_TRY(state_create(model, run->engine.backend, &run->state, err));
    JL_TRY(state_reserve(run->state, n_prompt + n - 1, err)); // refuse before the work, not after
    JL_TRY(feed_prompt(run->engine.exec, run->state, run->prompts.ids[prompt], n_prompt, chunk,
                       NULL, run->logits, err));
    for (int i = 0; i < n; i++) {
        run->ids[i] = sample_greedy(run->logits, model->hp.n_vocab);
        if (i + 1 < n)
            JL_TRY(feed_prompt(run->engine.exec, run->state, &run->ids[i], 1, 1, NULL, run->logits,
                               err));
    }
    return JL_OK;
}

int cmd_generate(int argc, char **argv) {
    struct engine_options engine = {0};
    const char *model, *tokens = NULL;
    int prompt = 0, n = 16, chunk = 0;
    bool greedy = false, done;
    const struct cli_option options[] = {
        {"--tokens", NULL, CLI_TEXT, &tokens, "FILE.json",
         "a list of ids, or {\"prompts\": [[..]]}", 0, 0},
        {"--prompt", NULL, CLI_INT, &prompt, "I", "which prompt of the file (default 0)", 0,
         1 << 20},
        {"--n", "-n", CLI_INT, &n, "N", "how many ids (default 16)", 1, 1 << 24},
        {"--greedy", NULL, CLI_FLAG, &greedy, NULL, "always the likeliest id (the only way yet)", 0,
         0},
        {"--chunk", NULL, CLI_INT, &chunk, "N", "prompt tokens a pass (default: all)", 0, 1 << 30},
        ENGINE_OPTIONS(engine),
    };
    const struct cli_spec spec = {
        "generate",
        "MODEL --tokens FILE.json -n N --greedy [options]",
        "continue token ids; prints a JSON list and does not stop at an end token",
        "jinlin generate model.gguf --tokens tokens.json -n 16 --greedy",
        options,
        sizeof options / sizeof options[0],
        1,
        1,
        true};
    struct jl_error err = {0};
    struct generate_run run = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, &model, &done, &err);
    if (done) return 0;
    if (status == JL_OK && !tokens)
        status = jl_fail(&err, JL_ERR_USAGE, "--tokens FILE.json is required");
    if (status == JL_OK && !greedy)
        status =
            jl_fail(&err, JL_ERR_USAGE, "say --greedy: sampling with a temperature is not offered");
    if (status == JL_OK) status = cli_read_prompts(tokens, &run.prompts, &err);
    if (status == JL_OK && prompt >= run.prompts.n_prompt)
        status = jl_fail(&err, JL_ERR_USAGE, "--prompt %d: %s holds %d prompts, numbered from 0",
                         prompt, tokens, run.prompts.n_prompt);
    if (status == JL_OK) status = engine_load(model, &engine, &run.engine, &err);
    if (status == JL_OK) status = generate(&run, prompt, n, chunk, &err);
    if (status == JL_OK) {
        for (int i = 0; i < n; i++)
            printf("%s%d", i ? ", " : "[", run.ids[i]);
        printf("]\n");
    }
    state_free(run.state);
    free(run.logits);
    free(run.ids);
    cli_free_prompts(&run.prompts);
    engine_free(&run.engine);
    return cli_finish(&spec, status, &err);
}
