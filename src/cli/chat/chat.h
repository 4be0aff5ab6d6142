/* The chat's whole state, and what its commands do with it. */
#ifndef JL_CLI_CHAT_CHAT_H
#define JL_CLI_CHAT_CHAT_H

#include "cli/chat/answer.h"
#include "cli/chat/conversation.h"
#include "cli/chat/editor.h"
#include "cli/chat/screen.h"
#include "cli/talk.h"

struct chat_sums {
    int n_answer;
    long n_read, n_reused, n_token; // tokens of prompts fed and found again, tokens generated
    long n_drafted, n_accepted;     // tokens guessed ahead, and of them those that came
    double read_seconds, decode_seconds;
};

struct chat {
    const char *path; // of the model
    struct talk talk;
    struct prompt_form form;
    struct screen screen;
    struct editor *editor;
    struct conversation said;
    struct sampling sampling;
    bool plain; // no chat template, even if there is one
    int n;      // at most so many tokens an answer
    struct chat_sums sums;
    enum editor_kind kind;
    bool stopped; // the last answer, by Ctrl-C
    bool leave;
};

/* Asks the question, shows the answer, keeps both. What a person can mend (a full context, a
 * template's refusal, Ctrl-C) is told on the screen and is JL_OK. */
enum jl_status chat_ask(struct chat *chat, const char *text, size_t len, struct jl_error *err);
/* Another answer to the last question. */
enum jl_status chat_retry(struct chat *chat, struct jl_error *err);

/* A line that begins with a slash; NUL-terminated. */
enum jl_status commands_run(struct chat *chat, const char *line, struct jl_error *err);

#endif
