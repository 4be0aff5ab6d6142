/* Every address that is answered: OpenAI's under /v1, and our own. docs/serve.md has the table. */
#ifndef JL_SERVE_ROUTES_H
#define JL_SERVE_ROUTES_H

#include <stdatomic.h>

#include "serve/serving.h"

/* What the routes need to know of the server that they are answered by; must stay. */
struct routes_context {
    struct serving *serving;
    _Atomic(struct http_server *) server; // NULL: it is about to run
    const char *version;
    const char *keys_file; // NULL: nobody is asked for a key
};

#define ROUTES_MOST 32

/* The table for http_server_options, with `context` in every row. Returns how many rows. */
size_t routes_fill(struct routes_context *context, struct http_route out[ROUTES_MOST]);

/* Errors under /v1 as OpenAI's clients read them. */
extern const struct http_shape routes_shapes[];
extern const size_t routes_n_shape;

#endif
