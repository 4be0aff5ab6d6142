#include "serve/http/problem.h"

#include <jansson.h>
#include <string.h>

char *http_problem_plain(const struct http_problem *problem) {
    json_t *json = json_pack("{s:{s:s,s:s,s:i}}", "error", "message", problem->message, "type",
                             problem->kind, "code", problem->status);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

char *http_problem_body(const struct http_shape *shapes, size_t n,
                        const struct http_problem *problem) {
    const struct http_shape *best = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(shapes[i].prefix);
        if (strncmp(problem->path, shapes[i].prefix, len)) continue;
        if (!best || len > strlen(best->prefix)) best = &shapes[i];
    }
    return best ? best->body(problem) : http_problem_plain(problem);
}
