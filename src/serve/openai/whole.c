#include "serve/openai/whole.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void openai_reply_problem(struct http_request *http, const struct openai_problem *problem) {
    json_t *json = openai_problem_json(problem);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%d", problem->retry_after ? problem->retry_after : 1);
    const struct http_header later = {"retry-after", seconds};
    const struct http_reply reply = {.status = problem->status,
                                     .body = text ? text : "{}",
                                     .len = text ? strlen(text) : 2,
                                     .headers = &later,
                                     .n_headers = problem->status == 429 || problem->status == 503};
    http_reply(http, &reply);
    free(text);
    json_decref(json);
}

void openai_reply_busy(struct http_request *http) {
    struct openai_problem problem = {0};
    openai_failed(&problem, JL_ERR_BUSY, "too many requests wait: ask again later");
    openai_reply_problem(http, &problem);
}

void openai_reply_json(struct http_request *http, json_t *body, const struct http_header *headers,
                       size_t n_headers) {
    struct openai_problem problem = {0};
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!text) {
        openai_no_memory(&problem);
        openai_reply_problem(http, &problem);
        return;
    }
    const struct http_reply reply = {
        .body = text, .len = strlen(text), .headers = headers, .n_headers = n_headers};
    http_reply(http, &reply);
    free(text);
}

bool openai_check_tokens(struct serving *serving, const struct serving_client *client,
                         struct openai_problem *problem) {
    int seconds = serving_wait_tokens(serving, client);
    if (!seconds) return true;
    openai_failed(problem, JL_ERR_BUSY, "");
    snprintf(problem->message, sizeof problem->message,
             "Rate limit reached: %u tokens per minute of this key are used up. Please try again "
             "in %d s.",
             client->tokens_per_minute, seconds);
    problem->code = "rate_limit_exceeded";
    problem->retry_after = seconds;
    return false;
}
