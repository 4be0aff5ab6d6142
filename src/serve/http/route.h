/* Which row of the table answers a path. */
#ifndef JL_SERVE_HTTP_ROUTE_H
#define JL_SERVE_HTTP_ROUTE_H

#include "base/arena.h"
#include "serve/http/server.h"
#include "serve/http/target.h"

#define HTTP_ROUTE_VALUES 4

struct http_match {
    const struct http_route *route; // NULL: the path is there but not by this method, or not at all
    struct http_pair values[HTTP_ROUTE_VALUES];
    size_t n_values;
    char allow[96]; // "GET, HEAD, OPTIONS"; "": no row has the path
};

/* JL_ERR_MEMORY alone. `method` is "HEAD" for what a GET row answers too. */
enum jl_status http_route_find(const struct http_route *routes, size_t n, const char *method,
                               const struct http_target *target, struct arena *arena,
                               struct http_match *out, struct jl_error *err);

/* A table that cannot work is refused when the server starts. */
enum jl_status http_route_check(const struct http_route *routes, size_t n, struct jl_error *err);

#endif
