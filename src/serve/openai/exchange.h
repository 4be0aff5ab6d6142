/* A request of OpenAI's clients from its arrival to the end of its answers.
 *
 * The HTTP thread holds it, a worker reads it and gives it to the model's scheduler, whose thread
 * streams what comes; a worker sends the rest and frees it. */
#ifndef JL_SERVE_OPENAI_EXCHANGE_H
#define JL_SERVE_OPENAI_EXCHANGE_H

#include "serve/openai/request.h"
#include "serve/serving.h"

/* On the HTTP thread; the request has its answer, or will have it. */
void openai_exchange_begin(struct serving *serving, enum openai_kind kind,
                           struct http_request *http);

/* An error as a whole answer, with what goes with its status. */
void openai_reply_problem(struct http_request *http, const struct openai_problem *problem);

/* Whether the client's key has tokens left for this minute. */
bool openai_check_tokens(struct serving *serving, const struct http_request *http,
                         struct openai_problem *problem);

/* A whole answer; takes `body`. NULL: out of memory, which the client is told. */
void openai_reply_json(struct http_request *http, json_t *body, const struct http_header *headers,
                       size_t n_headers);

#endif
