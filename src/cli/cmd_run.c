/* run: continue a prompt once, on stdout. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli/talk.h"

int cmd_run(int argc, char **argv) {
    struct engine_options engine = {0};
    const char *model, *prompt = NULL;
    int n = 0;
    bool greedy = false, done;
    const struct cli_option options[] = {
        {"--prompt", "-p", CLI_TEXT, &prompt, "TEXT", "the text to continue", 0, 0},
        {"--n", "-n", CLI_INT, &n, "N",
         "at most N tokens (default: to the end token or full context)", 1, 1 << 24},
        {"--greedy", NULL, CLI_FLAG, &greedy, NULL, "always the likeliest token (the only way yet)",
         0, 0},
        ENGINE_OPTIONS(engine),
    };
    const struct cli_spec spec = {"run",
                                  "MODEL -p TEXT [-n N] [--greedy] [options]",
                                  "continue a text and print prompt and continuation",
                                  "jinlin run model.gguf -p 'Once upon a time' -n 64 --greedy",
                                  options,
                                  sizeof options / sizeof options[0],
                                  1,
                                  1};
    struct jl_error err = {0};
    struct talk talk = {0};
    enum talk_stop why = TALK_STOP_COUNT;
    enum jl_status status = cli_parse(&spec, argc, argv, &model, &done, &err);
    if (done) return 0;
    if (status == JL_OK && !prompt) status = jl_fail(&err, JL_ERR_USAGE, "-p TEXT is required");
    if (status == JL_OK) status = talk_open(model, &engine, &talk, &err);
    if (status == JL_OK) status = talk_feed(&talk, prompt, strlen(prompt), NULL, &err);
    if (status == JL_OK) {
        fputs(prompt, stdout);
        status = talk_generate(&talk, n ? n : INT_MAX, NULL, &why, &err);
        putchar('\n');
    }
    if (status == JL_OK && why == TALK_STOP_CONTEXT)
        fprintf(stderr, "jinlin run: stopped: the model's context of %d tokens is full\n",
                talk.engine.model->hp.n_ctx_train);
    talk_close(&talk);
    return cli_finish(&spec, status, &err);
}
