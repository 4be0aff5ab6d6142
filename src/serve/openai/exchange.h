/* A request of OpenAI's clients from its arrival to the end of its answers.
 *
 * The HTTP thread holds it, a worker reads it and gives it to the model's scheduler, whose thread
 * streams what comes; a worker sends the rest and frees it. */
#ifndef JL_SERVE_OPENAI_EXCHANGE_H
#define JL_SERVE_OPENAI_EXCHANGE_H

#include "serve/openai/request.h"
#include "serve/openai/whole.h"

/* Who takes an answer instead of an HTTP client. */
struct openai_sink {
    void (*progress)(void *ctx, const struct scheduler_progress *progress);
    bool (*piece)(void *ctx, const struct dialect_event *event); // false: enough
    bool (*gone)(void *ctx);                                     // shall it end?
    /* On a worker, the last call. `problem`: NULL where there was none; `finish` and `usage` (the
     * exchange's) as clients see them. */
    void (*ended)(void *ctx, const struct openai_problem *problem, const char *finish,
                  const json_t *usage);
    void *ctx;
};
/* One answer to a chat whose body is `body`, a text on the heap that is taken. JL_ERR_BUSY: too
 * many wait; then the sink is not called. */
enum jl_status openai_exchange_run(struct serving *serving, const struct serving_client *client,
                                   char *body, const struct openai_sink *sink,
                                   struct jl_error *err);

/* On the HTTP thread; the request has its answer, or will have it. */
void openai_exchange_begin(struct serving *serving, enum openai_kind kind,
                           struct http_request *http);

#endif
