#include "serve/openai/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/utf8.h"

bool openai_refuse(struct openai_problem *problem, const char *param, const char *fmt, ...) {
    va_list args;
    if (problem->status) return false;
    problem->status = 400;
    problem->type = "invalid_request_error";
    snprintf(problem->param, sizeof problem->param, "%s", param ? param : "");
    va_start(args, fmt);
    vsnprintf(problem->message, sizeof problem->message, fmt, args);
    va_end(args);
    return false;
}

bool openai_no_memory(struct openai_problem *problem) {
    return openai_failed(problem, JL_ERR_MEMORY, "out of memory for the request");
}

bool openai_failed(struct openai_problem *problem, enum jl_status status, const char *message) {
    if (problem->status) return false;
    bool asked = status == JL_ERR_USAGE || status == JL_ERR_LIMIT || status == JL_ERR_UNSUPPORTED ||
                 status == JL_ERR_FORMAT;
    problem->status = asked ? 400 : status == JL_ERR_BUSY ? 429 : 500;
    problem->type = asked                   ? "invalid_request_error"
                    : status == JL_ERR_BUSY ? "rate_limit_error"
                                            : "server_error";
    problem->code = status == JL_ERR_BUSY ? "queue_full" : NULL;
    snprintf(problem->message, sizeof problem->message, "%s", message);
    return false;
}

static json_t *text_or_null(const char *text) {
    return text && *text ? json_string(text) : json_null();
}

json_t *openai_problem_json(const struct openai_problem *problem) {
    size_t n = strlen(problem->message); // whose end may be half a character that did not fit
    return json_pack("{s:{s:s%, s:s, s:o, s:o}}", "error", "message", problem->message,
                     utf8_valid_length(problem->message, n), "type", problem->type, "param",
                     text_or_null(problem->param), "code", text_or_null(problem->code));
}
