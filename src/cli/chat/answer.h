/* One answer: the prompt read, tokens generated, thoughts and tool calls told apart, all of it
 * shown while it comes. */
#ifndef JL_CLI_CHAT_ANSWER_H
#define JL_CLI_CHAT_ANSWER_H

#include <jansson.h>

#include "cli/chat/prompt.h"
#include "cli/chat/screen.h"
#include "cli/talk.h"
#include "text/buffer.h"
#include "text/dialect.h"

struct answer_request {
    struct talk *talk;
    struct screen *screen;
    const struct prompt *prompt;
    const struct dialect *dialect; // NULL: the text is plain
    struct sampling sampling;
    int n; // at most so many tokens
    const atomic_bool *cancel;
    bool progress; // a line while a long prompt is read
};

struct answer {
    struct byte_buffer content, reasoning;
    json_t *calls; // an array as in conversation.h, or NULL: none
    enum generate_finish why;
    int n_prompt, n_reused; // tokens of the prompt, and how many of them were in the state
    int n_token;
    struct speculation speculation;
    long n_thought;
    double prompt_seconds, decode_seconds, thought_seconds;
};

/* On failure too *out holds what came, and must be freed. JL_ERR_CANCELLED: stopped before the
 * first token. */
enum jl_status answer_give(const struct answer_request *request, struct answer *out,
                           struct jl_error *err);
void answer_free(struct answer *answer); // zeroed is fine

#endif
