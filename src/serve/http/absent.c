/* In place of the server where libmicrohttpd was not there to build with. */
#include "serve/http/self.h"

enum jl_status http_server_start(const struct http_server_options *options,
                                 struct http_server **out, struct jl_error *err) {
    (void)options;
    *out = NULL;
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   "this program was built without libmicrohttpd and cannot serve; install it with "
                   "its headers (scripts/setup does, Debian: libmicrohttpd-dev) and build again");
}

bool http_server_running(struct http_server *server) { return (void)server, false; }
int http_server_port(const struct http_server *server) { return (void)server, 0; }
const char *http_server_url(const struct http_server *server) { return (void)server, ""; }

enum jl_status http_server_reload_keys(struct http_server *server, struct jl_error *err) {
    (void)server;
    return jl_fail(err, JL_ERR_UNSUPPORTED, "there is no server");
}

struct http_stats http_server_stats(struct http_server *server) {
    (void)server;
    return (struct http_stats){0};
}

void http_server_stop(struct http_server *server, int drain_ms) { (void)server, (void)drain_ms; }
void http_server_free(struct http_server *server) { (void)server; }

void http_loop_wake(struct http_server *server) { (void)server; }
