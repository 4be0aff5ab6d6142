/* chat: a plain conversation in the terminal. The model continues one growing text; a model
 * without a chat template knows nothing else. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "cli/talk.h"

/* Set by Ctrl-C while the model writes; the only state outside a function, as signals need. */
static atomic_bool interrupted;

static void on_interrupt(int signal) {
    (void)signal;
    atomic_store(&interrupted, true);
}

static void no_model(void) {
    printf(
        "Jinlin needs a model to talk to, and none ships with the program yet.\n"
        "Give it a GGUF file or a Hugging Face folder that you have:\n\n"
        "  make run MODEL=path/to/model.gguf\n"
        "  build/jinlin chat path/to/model-folder\n\n"
        "Families: llama (also Yi, DeepSeek-LLM), qwen2, qwen3. `build/jinlin help` lists more.\n");
}

static void greet(const struct talk *talk, const char *path) {
    char cls[CLASS_NAME_BYTES];
    class_name(&talk->engine.model->cls, cls);
    fprintf(stderr, "%s (%s, %s)\n", path, talk->engine.model->family->name, cls);
    fprintf(
        stderr,
        "The model continues what you write. Ctrl-C stops it, /new starts over, Ctrl-D leaves.\n");
}

static enum jl_status turn(struct talk *talk, const char *line, size_t len, int n,
                           struct jl_error *err) {
    enum talk_stop why;
    atomic_store(&interrupted, false);
    enum jl_status status = talk_feed(talk, line, len, &interrupted, err);
    if (status == JL_OK) status = talk_generate(talk, n, &interrupted, &why, err);
    putchar('\n');
    if (status == JL_OK && why == TALK_STOP_CONTEXT)
        fprintf(stderr, "(the context of %d tokens is full: /new starts over)\n",
                talk->engine.model->hp.n_ctx_train);
    return status;
}

static enum jl_status converse(struct talk *talk, int n, struct jl_error *err) {
    bool terminal = isatty(STDIN_FILENO);
    char *line = NULL;
    size_t cap = 0;
    enum jl_status status = JL_OK;
    while (status == JL_OK) {
        if (terminal) fputs("> ", stderr);
        ssize_t got = getline(&line, &cap, stdin);
        if (got < 0) break;
        size_t len = (size_t)got;
        if (len && line[len - 1] == '\n') len--;
        if (len == 0) continue;
        if (len == 4 && !memcmp(line, "/new", 4)) {
            status = state_rewind(talk->state, 0, err);
            continue;
        }
        status = turn(talk, line, len, n, err);
        if (status == JL_ERR_CANCELLED || status == JL_ERR_LIMIT) {
            fprintf(stderr, "(%s)\n", err->message); // the conversation goes on
            status = JL_OK;
        }
    }
    free(line);
    return status;
}

int cmd_chat(int argc, char **argv) {
    struct engine_options engine = {0};
    const char *model;
    int n = 256;
    bool done;
    const struct cli_option options[] = {
        {"--n", "-n", CLI_INT, &n, "N", "at most N tokens a turn (default 256)", 1, 1 << 24},
        ENGINE_OPTIONS(engine),
    };
    const struct cli_spec spec = {"chat",
                                  "MODEL [options]",
                                  "talk with a model in the terminal",
                                  "jinlin chat model.gguf",
                                  options,
                                  sizeof options / sizeof options[0],
                                  0,
                                  1};
    struct jl_error err = {0};
    struct talk talk = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, &model, &done, &err);
    if (done) return 0;
    if (status == JL_OK && (!model || !*model)) {
        no_model();
        return 0;
    }
    if (status == JL_OK) status = talk_open(model, &engine, &talk, &err);
    if (status == JL_OK) {
        struct sigaction action = {.sa_handler = on_interrupt};
        sigaction(SIGINT, &action, NULL); // no SA_RESTART: at the prompt Ctrl-C leaves
        greet(&talk, model);
        status = converse(&talk, n, &err);
    }
    talk_close(&talk);
    return cli_finish(&spec, status, &err);
}
