/* The HTTP front of `serve`: transport and safety, no models.
 *
 * One thread owns the sockets and the HTTP library (libmicrohttpd); handlers run on it, so they
 * must be quick: whoever has work to do holds the request (request.h) and answers from a thread of
 * its own. Nobody outside that thread touches a socket.
 *
 * It is closed unless told otherwise: it listens on this machine alone, refuses another address
 * without keys, refuses Host names it does not know (DNS rebinding) and pages of other origins, and
 * has a bound for everything that a client can make it keep or wait for. docs/serve.md has the
 * table. */
#ifndef JL_SERVE_HTTP_SERVER_H
#define JL_SERVE_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "serve/http/request.h"

struct http_server;

/* ---- what is answered ---- */

typedef void http_handler(void *ctx, struct http_request *request);

/* The first row that fits wins. `path`: "/v1/models/{id}"; {id} is one part of a path, decoded, so
 * that %2F stays inside; {id...} at the end is one or more parts with their slashes. A GET row
 * answers HEAD too: the body is left out by itself. OPTIONS is the front's own. */
struct http_route {
    const char *method, *path;
    http_handler *handle;
    void *ctx;
    bool open;  // answered without a key, such as /health
    bool light; // not counted against a key's limits: the page's own reading, and what ends work
};

/* The body of an error, in the shape that callers of some paths expect. */
struct http_problem {
    int status;          // 404
    const char *kind;    // a short word: "not_found"
    const char *message; // a sentence
    const char *path;    // as asked, raw
};
struct http_shape {
    const char *prefix; // of paths; the longest that fits wins
    /* JSON on the heap, which the front frees; NULL: out of memory, the body is empty. */
    char *(*body)(const struct http_problem *problem);
};

/* ---- limits; 0 is the default ---- */

struct http_limits {
    size_t header_bytes;     // request line and headers; 16 KiB
    size_t body_bytes;       // one body; 32 MiB
    size_t bodies_bytes;     // all bodies of requests that are not answered; 256 MiB
    size_t refused_bytes;    // of a refused request's body that are read and dropped; 1 MiB
    size_t stream_bytes;     // that wait to be sent to one client; 1 MiB
    int head_ms;             // for a request's line and headers (and the TLS handshake); 10 s
    int body_ms;             // for its body in all; 60 s
    int body_rate;           // bytes a second it must bring after body_grace_ms; 1024
    int body_grace_ms;       // 5 s
    int idle_ms;             // a connection between requests; 75 s
    int stall_ms;            // a client that does not read what waits for it; 30 s
    int ping_ms;             // a silent event stream, after the first second; 10 s
    unsigned connections;    // at once; 512
    unsigned per_address;    // from one address, IPv6: one /64; 128, of this machine any number
    unsigned key_at_once;    // requests of a key whose record has no at-once; no limit
    unsigned key_per_minute; // requests of a key whose record has no per-minute; no limit
};
struct http_limits http_limits_filled(const struct http_limits *limits); // with the defaults

/* ---- a server ---- */

struct http_server_options {
    const char *address; // "127.0.0.1", "::1", "0.0.0.0", "localhost", "unix:PATH"; NULL: 127.0.0.1
    int port;            // 0: any free one
    const char *tls_cert_file, *tls_key_file; // PEM; both or none
    const char *keys_file;                    // keys.h; NULL: nobody is asked for a key
    /* `--insecure-no-keys`: listen on another address than this machine's own although nobody is
     * asked for a key. Whoever reaches the address can then use everything that is served. */
    bool insecure_no_keys;
    const char *const *allow_hosts; // names in Host besides the defaults: "box.lan", "*.lan", "*"
    size_t n_allow_hosts;
    const char *const *allow_origins; // "https://app.example"; "*": pages of any origin
    size_t n_allow_origins;
    struct http_limits limits;
    const struct http_route *routes; // must outlive the server
    size_t n_routes;
    const struct http_shape *shapes; // the same; paths that none fits: {"error": {...}}
    size_t n_shapes;
    /* A line of JSON a request, without the newline; called by the front's thread. NULL: no log. */
    void (*log)(void *ctx, const char *line, size_t len);
    void *log_ctx;
};

/* Listens when it returns. JL_ERR_UNSUPPORTED: built without libmicrohttpd. Strings are copied. */
enum jl_status http_server_start(const struct http_server_options *options,
                                 struct http_server **out, struct jl_error *err);

bool http_server_running(struct http_server *server);   // false: stopped, or the library gave up
int http_server_port(const struct http_server *server); // 0 on a Unix socket
const char *http_server_url(const struct http_server *server); // "http://127.0.0.1:8080"

/* The keys file once more, for SIGHUP; any thread. When it is bad the old keys stay. */
enum jl_status http_server_reload_keys(struct http_server *server, struct jl_error *err);

struct http_stats {
    unsigned connections, requests;         // now
    uint64_t requests_all, refused_all;     // since the start
    uint64_t bytes_in, bytes_out, gone_all; // bodies; clients that left before their answer
};
struct http_stats http_server_stats(struct http_server *server); // any thread

/* Accepts nobody any more, lets requests end for up to drain_ms, then cuts them. Requests that are
 * still held see http_request_gone. Not from a handler. */
void http_server_stop(struct http_server *server, int drain_ms); // one caller at a time
void http_server_free(struct http_server *server);               // stops it; NULL is fine

/* For options.log, with a `FILE *` as ctx: one line each, flushed. */
void http_log_to_stream(void *stream, const char *line, size_t len);

#endif
