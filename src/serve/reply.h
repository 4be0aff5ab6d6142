/* One answer while it comes: its tokens as thoughts, words and calls; the bound on its thought;
 * what it may be. Made by any thread, then the scheduler's alone. */
#ifndef JL_SERVE_REPLY_H
#define JL_SERVE_REPLY_H

#include "serve/constraint.h"
#include "serve/scheduler.h"

struct reply;

struct reply_spec {
    const struct tokenizer *tokenizer;
    const struct dialect *dialect; // NULL: all of it is content
    const struct dialect_options *options;
    struct constraint *constraint; // the caller's, for as long; NULL: it may be anything
    /* Called for each piece, on the thread that feeds it. False: enough. */
    bool (*event)(void *ctx, int answer, const struct dialect_event *event);
    void *ctx;
    int answer; // which one, for `event`
};

enum jl_status reply_create(const struct reply_spec *spec, struct reply **out,
                            struct jl_error *err);
void reply_free(struct reply *reply); // NULL is fine

/* As the scheduler's client: what it allows, what it takes, whose control tokens give text. *go_on
 * becomes false where `event` said so. */
enum jl_status reply_allow(struct reply *reply, const uint64_t **allowed, struct jl_error *err);
enum jl_status reply_token(struct reply *reply, const struct scheduler_token *token, bool *go_on,
                           struct jl_error *err);
bool reply_shows(const struct reply *reply, const char *text, size_t len);
/* What was held back comes out; `event` is not called after it. */
enum jl_status reply_end(struct reply *reply, struct jl_error *err);

int reply_n_thought(const struct reply *reply); // tokens of the thought
int reply_n_call(const struct reply *reply);    // calls begun

#endif
