/* Why a request is refused, as OpenAI's clients read it: {"error": {"message", "type", "param",
 * "code"}}. */
#ifndef JL_SERVE_OPENAI_PROBLEM_H
#define JL_SERVE_OPENAI_PROBLEM_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"

struct openai_problem {
    int status;       // of HTTP; 0: none
    int retry_after;  // seconds, with 429; 0: 1
    const char *type; // "invalid_request_error"
    const char *code; // NULL: null
    char param[64];   // "": null
    char message[768];
};

/* All false, so that checks end with `return openai_refuse(...)`. The first problem stays. `param`
 * may be NULL. */
bool openai_refuse(struct openai_problem *problem, const char *param, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool openai_no_memory(struct openai_problem *problem);
/* A failure of the engine as a client should see it: limits of the context and what the request
 * asked for in vain are 400, a full queue 429, the rest 500. */
bool openai_failed(struct openai_problem *problem, enum jl_status status, const char *message);

/* NULL: out of memory. */
json_t *openai_problem_json(const struct openai_problem *problem);

#endif
