/* Lines that begin with a slash: one row a command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/chat/chat.h"
#include "cli/chat/saved.h"
#include "model/class.h"

struct row {
    const char *name, *argument, *help;
    enum jl_status (*run)(struct chat *chat, const char *argument, struct jl_error *err);
};

static const struct row *rows(size_t *n);

/* ---- small ones ---- */

static enum jl_status run_help(struct chat *chat, const char *argument, struct jl_error *err) {
    size_t n;
    const struct row *all = rows(&n);
    (void)argument;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        char left[64];
        snprintf(left, sizeof left, "/%s%s%s", all[i].name, all[i].argument ? " " : "",
                 all[i].argument ? all[i].argument : "");
        screen_print(&chat->screen, "  %-16s %s\n", left, all[i].help);
    }
    screen_print(&chat->screen,
                 "  %-16s a text that begins with a slash: the first one goes\n"
                 "Enter sends. Alt-Enter, or a backslash at the end of a line, begins a\n"
                 "new line; a pasted block is one message. Up and Down move in it and\n"
                 "recall earlier questions, Ctrl-R those that contain what stands before\n"
                 "the cursor; Ctrl-G opens the text in $EDITOR. Ctrl-C stops an answer\n"
                 "and keeps what came; at the prompt it clears the line, on an empty\n"
                 "line twice it leaves. Ctrl-D leaves.\n",
                 "//TEXT");
    return JL_OK;
}

static enum jl_status run_clear(struct chat *chat, const char *argument, struct jl_error *err) {
    (void)argument;
    (void)err;
    conversation_clear(&chat->said);
    screen_note(&chat->screen, chat->said.system ? "a new conversation; the system message stays"
                                                 : "a new conversation");
    return JL_OK;
}

static enum jl_status run_retry(struct chat *chat, const char *argument, struct jl_error *err) {
    (void)argument;
    return chat_retry(chat, err);
}

static enum jl_status run_quit(struct chat *chat, const char *argument, struct jl_error *err) {
    (void)argument;
    (void)err;
    chat->leave = true;
    return JL_OK;
}

static void show_sampling(struct chat *chat) {
    char settings[400];
    const struct sample_params *params = &chat->sampling.params;
    sample_params_describe(params, settings, sizeof settings);
    if (params->temperature > 0)
        screen_print(&chat->screen, "%s, seed %llu\n", settings,
                     (unsigned long long)chat->sampling.seed);
    else
        screen_print(&chat->screen, "%s: always the likeliest token\n", settings);
}

static enum jl_status run_temp(struct chat *chat, const char *argument, struct jl_error *err) {
    if (*argument)
        JL_TRY(sample_params_read(&chat->sampling.params, SAMPLE_temperature, argument, err));
    show_sampling(chat);
    return JL_OK;
}

static enum jl_status run_set(struct chat *chat, const char *argument, struct jl_error *err) {
    char name[40];
    size_t len = strcspn(argument, " \t");
    const char *value = argument + len + strspn(argument + len, " \t");
    enum sample_param param;
    for (int i = 0; !*argument && i < SAMPLE_PARAM_COUNT; i++) {
        const struct sample_param_row *row = sample_param_row((enum sample_param)i);
        screen_print(&chat->screen, "  %-18s %-6g %s\n", row->name,
                     sample_params_get(&chat->sampling.params, (enum sample_param)i), row->help);
    }
    if (!*argument) return JL_OK;
    snprintf(name, sizeof name, "%.*s", len < sizeof name ? (int)len : 0, argument);
    if (!sample_param_find(name, &param))
        return jl_fail(err, JL_ERR_USAGE, "there is no setting %.*s: /set lists them",
                       len > 40 ? 40 : (int)len, argument);
    if (*value) JL_TRY(sample_params_read(&chat->sampling.params, param, value, err));
    show_sampling(chat);
    return JL_OK;
}

static enum jl_status set_thinking(struct chat *chat, const char *argument, struct jl_error *err) {
    bool on = !strcmp(argument, "on");
    if (!on && strcmp(argument, "off") != 0)
        return jl_fail(err, JL_ERR_USAGE, "/think shows the last thought; /think on, /think off");
    if (!prompt_has_switch(&chat->form))
        return jl_fail(err, JL_ERR_USAGE, "this model's template has no switch for thinking");
    chat->form.thinking = on ? PROMPT_THINK_ON : PROMPT_THINK_OFF;
    screen_note(&chat->screen, "the model is asked %sto think from the next answer on",
                on ? "" : "not ");
    return JL_OK;
}

static enum jl_status run_think(struct chat *chat, const char *argument, struct jl_error *err) {
    if (*argument) return set_thinking(chat, argument, err);
    for (size_t i = conversation_count(&chat->said); i-- > 0;) {
        const json_t *message = json_array_get(chat->said.messages, i);
        const json_t *thought = json_object_get(message, "reasoning");
        if (!conversation_is(&chat->said, i, "assistant")) continue;
        if (!thought) break;
        screen_text(&chat->screen, json_string_value(thought), json_string_length(thought));
        screen_text_end(&chat->screen);
        return JL_OK;
    }
    screen_note(&chat->screen, "the last answer came without a thought");
    return JL_OK;
}

/* ---- the system message ---- */

static enum jl_status run_system(struct chat *chat, const char *argument, struct jl_error *err) {
    if (!chat->form.chat.tmpl)
        return jl_fail(err, JL_ERR_USAGE,
                       "without a chat template there is no system message: "
                       "write it into the text");
    if (!*argument) {
        const json_t *system = chat->said.system;
        if (!system) {
            screen_note(&chat->screen, "there is no system message; /system TEXT gives one");
            return JL_OK;
        }
        screen_text(&chat->screen, json_string_value(system), json_string_length(system));
        screen_text_end(&chat->screen);
        return JL_OK;
    }
    bool remove = !strcmp(argument, "-");
    JL_TRY(conversation_set_system(&chat->said, argument, remove ? 0 : strlen(argument), err));
    screen_note(&chat->screen, remove ? "no system message from the next answer on"
                                      : "holds from the next answer on; /system - removes it");
    return JL_OK;
}

/* ---- files ---- */

/* ~/ is the home folder, as in a shell. */
static char *file_name(const char *argument) {
    const char *home = getenv("HOME");
    char *path;
    if (strncmp(argument, "~/", 2) != 0 || !home) return strdup(argument);
    return asprintf(&path, "%s%s", home, argument + 1) < 0 ? NULL : path;
}

static enum jl_status save(struct chat *chat, const char *argument, bool overwrite,
                           struct jl_error *err) {
    if (!*argument) return jl_fail(err, JL_ERR_USAGE, "say where to: /save FILE");
    char *path = file_name(argument);
    if (!path) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a path");
    enum jl_status status = saved_write(path, &chat->said, chat->path, overwrite, err);
    if (status == JL_OK)
        screen_note(&chat->screen, "%zu messages are in %s", conversation_count(&chat->said), path);
    free(path);
    return status;
}

static enum jl_status run_save(struct chat *chat, const char *argument, struct jl_error *err) {
    return save(chat, argument, false, err);
}

static enum jl_status run_save_over(struct chat *chat, const char *argument, struct jl_error *err) {
    return save(chat, argument, true, err);
}

/* The last turn, so that one sees where one is. */
static void show_last(struct chat *chat) {
    size_t n = conversation_count(&chat->said);
    for (size_t i = n > 2 ? n - 2 : 0; i < n; i++) {
        const json_t *content = json_object_get(json_array_get(chat->said.messages, i), "content");
        if (conversation_is(&chat->said, i, "user")) screen_text(&chat->screen, "> ", 2);
        screen_text(&chat->screen, json_string_value(content), json_string_length(content));
        screen_text_end(&chat->screen);
    }
}

static enum jl_status run_load(struct chat *chat, const char *argument, struct jl_error *err) {
    if (!*argument) return jl_fail(err, JL_ERR_USAGE, "say from where: /load FILE");
    char *path = file_name(argument);
    if (!path) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a path");
    struct conversation loaded = {0};
    enum jl_status status = saved_read(path, &loaded, err);
    if (status == JL_OK) {
        conversation_free(&chat->said);
        chat->said = loaded;
        screen_note(&chat->screen,
                    "%zu messages from %s; the last ones:", conversation_count(&chat->said), path);
        show_last(chat);
    }
    free(path);
    return status;
}

/* ---- figures ---- */

static double rate(long n, double seconds) { return seconds > 0 ? (double)n / seconds : 0; }

static enum jl_status run_stats(struct chat *chat, const char *argument, struct jl_error *err) {
    const struct chat_sums *sums = &chat->sums;
    const struct engine *engine = &chat->talk.engine;
    const struct session *session = chat->talk.session;
    char cls[CLASS_NAME_BYTES];
    (void)argument;
    (void)err;
    class_name(&engine->model->cls, cls);
    screen_print(&chat->screen, "model    %s (%s)\n", chat->path, engine->model->family->name);
    if (chat->form.chat.tmpl)
        screen_print(&chat->screen, "template %s, dialect %s\n", chat->form.chat.source.name,
                     chat->form.chat.dialect->name);
    screen_print(&chat->screen, "class    %s\n", cls);
    screen_print(&chat->screen, "threads  %d, kernels %s\n", backend_threads(engine->backend),
                 backend_level(engine->backend));
    screen_print(&chat->screen, "said     %zu messages\n", conversation_count(&chat->said));
    bool begun = conversation_count(&chat->said) > 0;
    screen_print(&chat->screen, "context  %d of %d tokens, cache %.2f MiB\n",
                 begun ? session_n_token(session) : 0, session_capacity(session),
                 (double)session_bytes(session) / (1 << 20));
    screen_print(&chat->screen, "prompts  %ld tokens read in %.2f s (%.1f/s), %ld reused\n",
                 sums->n_read, sums->read_seconds, rate(sums->n_read, sums->read_seconds),
                 sums->n_reused);
    screen_print(&chat->screen, "answers  %d, %ld tokens in %.2f s (%.1f/s)\n", sums->n_answer,
                 sums->n_token, sums->decode_seconds, rate(sums->n_token, sums->decode_seconds));
    screen_print(&chat->screen, "drafts   %ld tokens, %ld accepted\n", sums->n_drafted,
                 sums->n_accepted);
    const struct jl_error *layer = session_set_predict_error(chat->talk.sessions);
    if (layer) screen_print(&chat->screen, "         given up by the layer: %s\n", layer->message);
    return run_temp(chat, "", err);
}

/* ---- the table ---- */

static const struct row *rows(size_t *n) {
    static const struct row all[] = {
        {"help", NULL, "this list", run_help},
        {"system", "[TEXT]", "show or set the system message; `-` removes it", run_system},
        {"temp", "[T]", "show or set the temperature; 0: the likeliest token", run_temp},
        {"set", "[NAME VALUE]", "show all settings of sampling, or set one", run_set},
        {"retry", NULL, "another answer to the last question", run_retry},
        {"think", "[on|off]", "show the last thought; ask for thoughts or for none", run_think},
        {"stats", NULL, "tokens, times, context, numeric class, threads", run_stats},
        {"save", "FILE", "write the conversation as JSON; /save! overwrites", run_save},
        {"save!", "FILE", "the same, over a file that is there", run_save_over},
        {"load", "FILE", "go on with a saved conversation", run_load},
        {"clear", NULL, "start over; the system message stays", run_clear},
        {"new", NULL, "the same as /clear", run_clear},
        {"quit", NULL, "leave", run_quit},
    };
    *n = sizeof all / sizeof all[0];
    return all;
}

enum jl_status commands_run(struct chat *chat, const char *line, struct jl_error *err) {
    size_t n, len = strcspn(line + 1, " \t\n");
    const struct row *all = rows(&n);
    const char *argument = line + 1 + len + strspn(line + 1 + len, " \t\n");
    char *trimmed = strdup(argument);
    enum jl_status status = JL_ERR_USAGE;
    if (!trimmed) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a command");
    for (size_t end = strlen(trimmed); end && strchr(" \t\n", trimmed[end - 1]); end--)
        trimmed[end - 1] = 0;
    const struct row *found = NULL;
    for (size_t i = 0; i < n; i++)
        if (strlen(all[i].name) == len && !strncmp(all[i].name, line + 1, len)) found = &all[i];
    if (!found)
        jl_fail(err, status, "there is no command /%.*s: /help lists them, //%.*s sends it as text",
                len > 40 ? 40 : (int)len, line + 1, len > 40 ? 40 : (int)len, line + 1);
    else if (*trimmed && !found->argument)
        jl_fail(err, status, "/%s takes nothing after it", found->name);
    else
        status = found->run(chat, trimmed, err);
    free(trimmed);
    if (status == JL_OK) return status;
    screen_note(&chat->screen, "%s", err->message); // the conversation goes on
    return JL_OK;
}
