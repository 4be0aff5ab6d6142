/* run: continue a text once, on stdout; for pipes. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/chat/answer.h"
#include "cli/talk.h"

#define PROMPT_LIMIT ((size_t)1 << 30)

struct run {
    const char *model, *prompt, *file, *system, *session;
    int n;
    bool chat;
    struct talk_options open;
    struct sampling_options options;
    struct talk talk;
    struct sampling sampling;
    struct screen screen;
    char *text; // the prompt
    size_t len;
};

/* Without the one newline that editors and `echo` put behind the last line. */
static void drop_last_newline(struct run *run) {
    if (run->len && run->text[run->len - 1] == '\n') run->len--;
    if (run->len && run->text[run->len - 1] == '\r') run->len--;
    run->text[run->len] = 0;
}

static enum jl_status read_prompt(struct run *run, struct jl_error *err) {
    if (run->prompt && run->file)
        return jl_fail(err, JL_ERR_USAGE, "-p TEXT and -f FILE: give one of the two");
    if (run->prompt) {
        run->text = strdup(run->prompt);
        run->len = strlen(run->prompt);
        return run->text ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for the prompt");
    }
    bool standard = !run->file || !strcmp(run->file, "-");
    if (!run->file && isatty(STDIN_FILENO))
        return jl_fail(err, JL_ERR_USAGE,
                       "there is no prompt: give -p TEXT, -f FILE, or a text on standard input");
    if (standard)
        JL_TRY(file_read_standard(PROMPT_LIMIT, &run->text, &run->len, err));
    else
        JL_TRY(file_read(run->file, PROMPT_LIMIT, &run->text, &run->len, err));
    drop_last_newline(run);
    return JL_OK;
}

static enum jl_status on_token(void *ctx, int32_t id, const char *text, size_t len, bool *go_on,
                               struct jl_error *err) {
    struct run *run = ctx;
    (void)id;
    (void)err;
    screen_text(&run->screen, text, len);
    *go_on = !run->screen.failed;
    return JL_OK;
}

static void note_full(const struct run *run) {
    fprintf(stderr, "jinlin run: stopped: the model's context of %d tokens is full\n",
            session_capacity(run->talk.session));
}

static enum jl_status continue_text(struct run *run, struct jl_error *err) {
    struct talk_request request = {run->sampling, run->n ? run->n : INT_MAX, NULL};
    struct generate_sink sink = {.token = on_token, .ctx = run};
    struct generate_result result = {0};
    int32_t *ids;
    size_t n;
    int reused;
    JL_TRY(
        tokenizer_encode(run->talk.tokenizer, run->text, run->len, ENCODE_ADD_BOS, &ids, &n, err));
    enum jl_status status = JL_OK;
    if (n == 0)
        status = jl_fail(err, JL_ERR_USAGE, "the prompt gives not one token");
    else if (n > (size_t)session_capacity(run->talk.session))
        status =
            jl_fail(err, JL_ERR_LIMIT, "the prompt has %zu tokens; the model's context holds %d", n,
                    session_capacity(run->talk.session));
    if (status == JL_OK) status = session_sync(run->talk.session, ids, (int)n, NULL, &reused, err);
    free(ids);
    if (status != JL_OK) return status;
    screen_text(&run->screen, run->text, run->len);
    status = talk_generate(&run->talk, &request, &sink, &result, err);
    screen_text(&run->screen, "\n", 1);
    // Without -n the full context is what was asked for: no word of it into a pipe.
    if (status == JL_OK && result.finish == GENERATE_CONTEXT && (run->n || run->screen.notes))
        note_full(run);
    return status;
}

static enum jl_status ask(struct run *run, struct conversation *said, struct jl_error *err) {
    json_t *message;
    if (run->system) JL_TRY(conversation_set_system(said, run->system, strlen(run->system), err));
    JL_TRY(conversation_message("user", run->text, run->len, &message, err));
    return conversation_add(said, message, err);
}

/* One turn through the chat template; only the answer is printed. */
static enum jl_status answer(struct run *run, struct jl_error *err) {
    struct prompt_form form = {0};
    struct conversation said = {0};
    struct prompt prompt = {0};
    struct answer given = {0};
    struct answer_request request = {.talk = &run->talk,
                                     .screen = &run->screen,
                                     .prompt = &prompt,
                                     .sampling = run->sampling,
                                     .n = run->n ? run->n : INT_MAX};
    run->screen.quiet = true;
    enum jl_status status = prompt_form_open(&run->talk, run->model, false, &form, err);
    if (status == JL_OK && !form.chat.tmpl)
        status =
            jl_fail(err, JL_ERR_UNSUPPORTED,
                    "%s has no chat template: without --chat it continues the text", run->model);
    request.dialect = form.chat.dialect;
    if (status == JL_OK) status = conversation_init(&said, err);
    if (status == JL_OK) status = ask(run, &said, err);
    if (status == JL_OK) status = prompt_build(&run->talk, &form, &said, &prompt, err);
    if (status == JL_OK) status = answer_give(&request, &given, err);
    if (status == JL_OK && given.why == GENERATE_CONTEXT) note_full(run);
    answer_free(&given);
    prompt_free(&prompt);
    conversation_free(&said);
    prompt_form_close(&form);
    return status;
}

static enum jl_status choose_sampling(struct run *run, struct jl_error *err) {
    const struct model *model = run->talk.engine.model;
    JL_TRY(sampling_choose(&run->options, model->file, tokenizer_vocab_size(run->talk.tokenizer),
                           &run->sampling, err));
    if (*run->sampling.unmet && run->screen.notes)
        fprintf(stderr, "jinlin run: the model also asks for %s, which is not offered\n",
                run->sampling.unmet);
    return JL_OK;
}

int cmd_run(int argc, char **argv) {
    struct run run = {0};
    bool done, quiet = false;
    const struct cli_option options[] = {
        {"--prompt", "-p", CLI_TEXT, &run.prompt, "TEXT", "the text to continue", 0, 0},
        {"--file", "-f", CLI_TEXT, &run.file, "FILE",
         "a file with the text, `-` is standard input; its last newline is dropped", 0, 0},
        {"--n", "-n", CLI_INT, &run.n, "N",
         "at most N tokens (default: to the end token or full context)", 1, 1 << 24},
        {"--chat", NULL, CLI_FLAG, &run.chat, NULL,
         "a question through the chat template; only the answer is printed", 0, 0},
        {"--system", NULL, CLI_TEXT, &run.system, "TEXT", "with --chat: the system message", 0, 0},
        TALK_CONTEXT_OPTION(run.open.n_ctx),
        TALK_SESSION_OPTION(run.session),
        SAMPLING_OPTIONS(run.options) DRAFT_OPTIONS(run.open.draft),
        ENGINE_OPTIONS(run.open.engine),
    };
    const struct cli_spec spec = {"run",
                                  "[MODEL] [-p TEXT | -f FILE] [-n N] [--chat] [options]",
                                  "continue a text (or standard input) and print both",
                                  "jinlin run model.gguf -p 'Once upon a time' -n 64 --greedy",
                                  options,
                                  sizeof options / sizeof options[0],
                                  0,
                                  1,
                                  true};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, &run.model, &done, &err);
    if (done) return 0;
    signal(SIGPIPE, SIG_IGN);
    screen_open(&run.screen);
    if (status == JL_OK) status = sampling_check(&run.options, &err);
    if (status == JL_OK) status = engine_draft_check(&run.open.draft, &err);
    if (status == JL_OK) status = read_prompt(&run, &err);
    if (status == JL_OK && run.len == 0)
        status = jl_fail(&err, JL_ERR_USAGE, "the prompt is empty: give some text");
    if (status == JL_OK && run.system && !run.chat)
        status = jl_fail(&err, JL_ERR_USAGE, "--system goes with --chat");
    if (status == JL_OK) status = talk_open(run.model, &run.open, &run.talk, &err);
    if (status == JL_OK) status = choose_sampling(&run, &err);
    if (status == JL_OK) status = talk_load_session(&run.talk, run.session, &err);
    if (status == JL_OK) status = run.chat ? answer(&run, &err) : continue_text(&run, &err);
    if (status == JL_OK) status = talk_save_session(&run.talk, run.session, &err);
    if (status == JL_OK) status = screen_result(&run.screen, &quiet, &err);
    sampling_free(&run.sampling);
    talk_close(&run.talk);
    screen_close(&run.screen);
    free(run.text);
    return quiet ? jl_status_exit_code(status) : cli_finish(&spec, status, &err);
}
