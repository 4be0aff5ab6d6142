/* Answers that are sent as a whole, and what every route asks first. */
#ifndef JL_SERVE_OPENAI_WHOLE_H
#define JL_SERVE_OPENAI_WHOLE_H

#include "serve/openai/problem.h"
#include "serve/serving.h"

/* An error as a whole answer, with what goes with its status. */
void openai_reply_problem(struct http_request *http, const struct openai_problem *problem);

/* 429: no worker can take it now. */
void openai_reply_busy(struct http_request *http);

/* A whole answer; takes `body`. NULL: out of memory, which the client is told. */
void openai_reply_json(struct http_request *http, json_t *body, const struct http_header *headers,
                       size_t n_headers);

/* Whether the client's key has tokens left for this minute. */
bool openai_check_tokens(struct serving *serving, const struct serving_client *client,
                         struct openai_problem *problem);

#endif
