/* In place of http.c where libcurl was not there to build with. */
#include "hub/http.h"

enum jl_status hub_http_start(struct jl_error *err) {
    return jl_fail(
        err, JL_ERR_UNSUPPORTED,
        "this program was built without libcurl and cannot download; install it with "
        "its headers (scripts/setup does, Debian: libcurl4-openssl-dev) and build again");
}

void hub_http_stop(void) {}

enum jl_status hub_http_create(const struct hub_http_options *options, struct hub_http **out,
                               struct jl_error *err) {
    (void)options;
    *out = NULL;
    return hub_http_start(err);
}

void hub_http_free(struct hub_http *http) { (void)http; }

enum jl_status hub_http_get(struct hub_http *http, const struct hub_request *request,
                            struct hub_response *out, struct jl_error *err) {
    (void)http, (void)request;
    *out = (struct hub_response){0};
    return hub_http_start(err);
}
