/* chat: a conversation in the terminal. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/chat/chat.h"
#include "cli/chat/signals.h"
#include "cli/shipped.h"
#include "model/class.h"

#define PLAIN_TOKENS 256 // of a turn when nothing ends it

/* A newcomer learns whom they talk to and what to ask. */
static void introduce_shipped(struct chat *chat) {
    screen_note(&chat->screen,
                "Fry 鱼苗, the small model that ships with Jinlin: it works out sums, "
                "puzzles and dates, writes Chinese verse, and knows nothing of the "
                "world");
    screen_note(&chat->screen, "  try: Use 3, 5, 7, 9 to make 24 | What is 347 x 26? | What day of "
                               "the week was 29 February 2024?");
    screen_note(&chat->screen,
                "  试试：写一首关于月的七绝 | 成语接龙：一心一意 | 用 2、3、5、8 算 24 点");
}

static void greet(struct chat *chat) {
    char cls[CLASS_NAME_BYTES];
    class_name(&chat->talk.engine.model->cls, cls);
    screen_note(&chat->screen, "%s: %s, %s", chat->path, chat->talk.engine.model->family->name,
                cls);
    if (shipped_is(chat->path)) introduce_shipped(chat);
    if (!chat->form.chat.tmpl)
        screen_note(&chat->screen, "%s: the model continues what you write",
                    chat->plain ? "--plain" : "no chat template");
    char settings[400];
    sample_params_describe(&chat->sampling.params, settings, sizeof settings);
    if (chat->sampling.params.temperature > 0)
        screen_note(&chat->screen, "%s, seed %llu", settings,
                    (unsigned long long)chat->sampling.seed);
    if (*chat->sampling.unmet)
        screen_note(&chat->screen, "the model also asks for %s, which is not offered",
                    chat->sampling.unmet);
    screen_note(&chat->screen, "/help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves");
}

static enum jl_status converse(struct chat *chat, struct jl_error *err) {
    enum jl_status status = JL_OK;
    while (status == JL_OK && !chat->leave) {
        enum editor_event event;
        char *text;
        size_t len;
        status = editor_read(chat->editor, &event, &text, &len, err);
        if (status != JL_OK || event == EDITOR_LEAVE) break;
        if (text[0] == '/' && text[1] != '/')
            status = commands_run(chat, text, err);
        else // a second slash: the first was there to say that it is text
            status = chat_ask(chat, text + (text[0] == '/'), len - (text[0] == '/'), err);
        free(text);
        if (status == JL_OK && chat->stopped && chat->kind == EDITOR_PIPE)
            status =
                jl_fail(err, JL_ERR_CANCELLED, "stopped by Ctrl-C"); // nobody is there to go on
    }
    return status;
}

static enum jl_status chat_open(struct chat *chat, const struct talk_options *open,
                                const struct sampling_options *options, struct jl_error *err) {
    chat->kind = editor_find_kind(editor_set_locale());
    screen_open(&chat->screen);
    JL_TRY(conversation_init(&chat->said, err));
    JL_TRY(talk_open(chat->path, open, &chat->talk, err));
    JL_TRY(prompt_form_open(&chat->talk, chat->path, chat->plain, &chat->form, err));
    if (!chat->n) chat->n = chat->form.chat.tmpl ? INT_MAX : PLAIN_TOKENS;
    const struct model *model = chat->talk.engine.model;
    JL_TRY(sampling_choose(options, model->file, tokenizer_vocab_size(chat->talk.tokenizer),
                           &chat->sampling, err));
    JL_TRY(signals_install(chat->kind == EDITOR_FULL ? editor_screen() : -1, err));
    greet(chat);
    return editor_open(chat->kind, chat->screen.styled, &chat->editor, err);
}

static enum jl_status set_system(struct chat *chat, const char *text, struct jl_error *err) {
    if (!chat->form.chat.tmpl)
        return jl_fail(err, JL_ERR_USAGE,
                       "--system needs a chat template, and this model is spoken to without one");
    return conversation_set_system(&chat->said, text, strlen(text), err);
}

static void chat_close(struct chat *chat) {
    editor_close(chat->editor);
    signals_remove();
    conversation_free(&chat->said);
    prompt_form_close(&chat->form);
    sampling_free(&chat->sampling);
    talk_close(&chat->talk);
    screen_close(&chat->screen);
}

int cmd_chat(int argc, char **argv) {
    struct talk_options open = {0};
    struct sampling_options sampling = {0};
    struct chat chat = {0};
    const char *system = NULL, *session = NULL;
    bool done, quiet = false;
    const struct cli_option options[] = {
        {"--n", "-n", CLI_INT, &chat.n, "N",
         "at most N tokens an answer (default: no bound; without a template 256)", 1, 1 << 24},
        {"--system", NULL, CLI_TEXT, &system, "TEXT", "the system message", 0, 0},
        {"--plain", NULL, CLI_FLAG, &chat.plain, NULL,
         "without the chat template: the model continues the text", 0, 0},
        TALK_CONTEXT_OPTION(open.n_ctx),
        TALK_SESSION_OPTION(session),
        SAMPLING_OPTIONS(sampling) DRAFT_OPTIONS(open.draft),
        ENGINE_OPTIONS(open.engine),
    };
    const struct cli_spec spec = {"chat",
                                  "[MODEL] [options]",
                                  "talk with a model in the terminal",
                                  "jinlin chat model.gguf",
                                  options,
                                  sizeof options / sizeof options[0],
                                  0,
                                  1,
                                  true};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, &chat.path, &done, &err);
    if (done) return 0;
    if (status == JL_OK) status = sampling_check(&sampling, &err);
    if (status == JL_OK) status = engine_draft_check(&open.draft, &err);
    if (status == JL_OK) status = chat_open(&chat, &open, &sampling, &err);
    if (status == JL_OK && system) status = set_system(&chat, system, &err);
    if (status == JL_OK) status = talk_load_session(&chat.talk, session, &err);
    if (status == JL_OK) status = converse(&chat, &err);
    if (status == JL_OK) status = talk_save_session(&chat.talk, session, &err);
    if (status == JL_OK) status = screen_result(&chat.screen, &quiet, &err);
    chat_close(&chat);
    return quiet ? jl_status_exit_code(status) : cli_finish(&spec, status, &err);
}
