/* A request of OpenAI's clients from its arrival to the end of its answers.
 *
 * The HTTP thread holds it, a worker reads it and gives it to the model's scheduler, whose thread
 * streams what comes; a worker sends the rest and frees it. */
#ifndef JL_SERVE_OPENAI_EXCHANGE_H
#define JL_SERVE_OPENAI_EXCHANGE_H

#include "serve/openai/request.h"
#include "serve/openai/whole.h"

/* On the HTTP thread; the request has its answer, or will have it. */
void openai_exchange_begin(struct serving *serving, enum openai_kind kind,
                           struct http_request *http);

#endif
