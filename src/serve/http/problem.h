/* The body of an error where no shape of the caller's fits, and what goes with a status. */
#ifndef JL_SERVE_HTTP_PROBLEM_H
#define JL_SERVE_HTTP_PROBLEM_H

#include "serve/http/server.h"

/* {"error": {"message", "type", "code"}} on the heap; NULL: out of memory. */
char *http_problem_plain(const struct http_problem *problem);

/* By the shape of the longest prefix that fits. */
char *http_problem_body(const struct http_shape *shapes, size_t n,
                        const struct http_problem *problem);

#endif
