/* What the HTTP library calls: connections come and go, requests arrive piece by piece. */
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "serve/http/log.h"
#include "serve/http/self.h"

#define MAX_HEADERS 100
#define POOL_BYTES 8192 // what the library keeps beside a request's head: lists, the answer's head
#define CLIENT_ID 64    // the longest x-request-id that is taken over

static void on_connection(void *ctx, struct MHD_Connection *library, void **context,
                          enum MHD_ConnectionNotificationCode code) {
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *context = http_conn_open(ctx, library);
    else if (*context)
        http_conn_close(*context);
}

static struct http_conn *conn_of(struct MHD_Connection *library) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(library, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* ---- a request begins ---- */

static void *on_line(void *ctx, const char *raw, struct MHD_Connection *library) {
    struct http_server *server = ctx;
    struct http_conn *conn = conn_of(library);
    struct http_request *request = conn ? http_request_create(server, conn, raw ? raw : "") : NULL;
    if (!request) return NULL;
    request->raw_end = raw ? (uintptr_t)raw + strlen(raw) : 0;
    conn->request = request;
    conn->phase = HTTP_PHASE_HEAD;
    conn->deadline = clock_ns() + server->limits.head_ms * HTTP_MS;
    http_loop_touch(server, conn->deadline);
    atomic_fetch_add(&server->n_requests, 1);
    atomic_fetch_add(&server->requests_all, 1);
    return request;
}

/* The library takes %XX apart for its own lists, which nobody reads. */
static size_t leave_escapes(void *ctx, struct MHD_Connection *library, char *text) {
    (void)ctx, (void)library;
    return strlen(text);
}

struct reading {
    struct http_request *request;
    bool bad, memory;
};

static enum MHD_Result take_header(void *ctx, enum MHD_ValueKind kind, const char *name,
                                   size_t name_len, const char *value, size_t len) {
    struct reading *reading = ctx;
    struct http_request *request = reading->request;
    (void)kind;
    if (!value) value = "", len = 0;
    if (request->n_headers == MAX_HEADERS || memchr(name, 0, name_len) || memchr(value, 0, len)) {
        reading->bad = true;
        return MHD_NO;
    }
    struct http_header *header = &request->headers[request->n_headers++];
    header->name = arena_strndup(&request->arena, name, name_len);
    header->value = arena_strndup(&request->arena, value, len);
    reading->memory = !header->name || !header->value;
    return reading->memory ? MHD_NO : MHD_YES;
}

static bool clean_id(const char *text) {
    size_t n = strlen(text);
    return n > 0 && n <= CLIENT_ID &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:") == n;
}

/* Content-length, which the library has found to be a number. */
static int64_t read_length(const struct http_request *request) {
    const char *text = http_request_header(request, "content-length");
    if (!text || !text[0]) return -1;
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    return errno ? INT64_MAX : value;
}

/* The library ends a target at a NUL, but has the version behind all that came. */
static bool target_has_nul(const struct http_request *request, const char *version) {
    uintptr_t at = (uintptr_t)version, next = request->raw_end + 1;
    return at > next && at - next < request->server->limits.header_bytes;
}

static void read_head(struct http_request *request, const char *method, const char *version) {
    struct http_server *server = request->server;
    struct reading reading = {.request = request};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->conn->library, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    size_t size = info ? info->header_size : 0;
    request->head_read = request->refused = true; // unless the gate opens, whatever fails
    const char *copy = arena_strdup(&request->arena, method);
    if (copy) request->method = copy;
    request->is_11 = strcmp(version, MHD_HTTP_VERSION_1_0) != 0;
    request->headers = arena_calloc(&request->arena, MAX_HEADERS, sizeof *request->headers);
    reading.memory = !request->headers || !copy;
    if (!reading.memory)
        MHD_get_connection_values_n(request->conn->library, MHD_HEADER_KIND, take_header, &reading);
    if (reading.memory) {
        http_reply_error(request, 503, "overloaded", "out of memory for a request");
    } else if (size > server->limits.header_bytes || request->n_headers == MAX_HEADERS) {
        http_reply_error(request, 431, "too_large", "too many or too long headers");
    } else if (reading.bad || target_has_nul(request, version)) {
        http_reply_error(request, 400, "invalid_request", "there is a NUL in the request's head");
    } else {
        const char *id = http_request_header(request, "x-request-id");
        const char *expect = http_request_header(request, "expect");
        const char *coding = http_request_header(request, "transfer-encoding");
        if (id && clean_id(id)) strcpy(request->id, id);
        request->declared = read_length(request);
        request->chunked = coding != NULL;
        request->expects_continue = expect && !strcasecmp(expect, "100-continue");
        request->refused = !http_gate_check(request);
    }
    if (request->refused && request->status >= 400) atomic_fetch_add(&server->refused_all, 1);
}

/* How long a body of which that much has come may have taken, ms. */
static int64_t body_allowed(const struct http_server *server, uint64_t bytes) {
    const struct http_limits *limits = &server->limits;
    int64_t ms = limits->body_grace_ms + (int64_t)(bytes * 1000 / (uint64_t)limits->body_rate);
    return ms < limits->body_ms ? ms : limits->body_ms;
}

/* The whole head is there. A refusal waits for the end of a small body, since a client that is
 * still sending may not be listening; it does not wait for a large one, nor for one that the client
 * holds back until we ask for it. */
static enum MHD_Result on_head(struct http_request *request, const char *method,
                               const char *version) {
    struct http_server *server = request->server;
    struct http_conn *conn = request->conn;
    read_head(request, method, version);
    bool body = request->chunked || request->declared > 0;
    bool odd = request->chunked &&
               strcasecmp(http_request_header(request, "transfer-encoding"), "chunked");
    request->body_ns = clock_ns();
    conn->phase = HTTP_PHASE_BODY;
    conn->deadline = request->body_ns + body_allowed(server, 0) * HTTP_MS;
    http_loop_touch(server, conn->deadline);
    if (!request->refused || !body) return MHD_YES;
    bool large = request->declared >= 0 && (size_t)request->declared > server->limits.refused_bytes;
    if (!request->expects_continue && !large && !odd) return MHD_YES;
    conn->linger = !request->expects_continue;
    request->dispatched = true;
    return http_respond(request) ? MHD_YES : MHD_NO;
}

/* ---- its body ---- */

static void free_body(struct http_request *request) {
    request->server->bodies -= request->body_room;
    free(request->body);
    request->body = NULL;
    request->body_len = request->body_room = 0;
}

static void refuse_body(struct http_request *request, int status, const char *kind,
                        const char *message) {
    free_body(request);
    request->refused = true;
    atomic_fetch_add(&request->server->refused_all, 1);
    http_reply_error(request, status, kind, message);
}

/* Grows with what has come, not with what was announced. */
static bool make_room(struct http_request *request, size_t n) {
    struct http_server *server = request->server;
    size_t need = request->body_len + n + 1, room = request->body_room ? request->body_room : 4096;
    if (need <= request->body_room) return true;
    while (room < need)
        room *= 2;
    size_t more = room - request->body_room;
    if (server->bodies + more > server->limits.bodies_bytes) return false;
    char *body = realloc(request->body, room);
    if (!body) return false;
    request->body = body;
    request->body_room = room;
    server->bodies += more;
    return true;
}

static void take_body(struct http_request *request, const char *bytes, size_t n) {
    struct http_server *server = request->server;
    struct http_conn *conn = request->conn;
    request->bytes_in += n;
    atomic_fetch_add(&server->bytes_in, n);
    conn->deadline = request->body_ns + body_allowed(server, request->bytes_in) * HTTP_MS;
    if (!request->refused && request->body_len + n > server->limits.body_bytes)
        refuse_body(request, 413, "too_large", "the body is longer than this server takes");
    if (!request->refused && !make_room(request, n))
        refuse_body(request, 503, "overloaded",
                    "there is no memory left for bodies of requests; try again later");
    if (request->refused) {
        request->dropped += n;
        if (request->dropped > server->limits.refused_bytes) http_loop_cut(conn, "refused");
        return;
    }
    memcpy(request->body + request->body_len, bytes, n);
    request->body_len += n;
    request->body[request->body_len] = 0;
}

/* ---- it is there ---- */

static void dispatch(struct http_request *request) {
    const struct http_route *route = request->match.route;
    request->dispatched = true;
    request->conn->phase = HTTP_PHASE_WORK;
    request->conn->deadline = HTTP_NEVER;
    if (request->refused) return;
    request->holders = 1; // ours, while the handler runs
    route->handle(route->ctx, request);
    http_request_drop(request);
}

/* Answers, or waits for the answer. */
static enum MHD_Result settle(struct http_request *request) {
    struct http_conn *conn = request->conn;
    pthread_mutex_lock(&request->lock);
    bool none = request->answer == HTTP_ANSWER_NONE, lost = none && request->holders == 0;
    bool whole = request->answer == HTTP_ANSWER_WHOLE || lost;
    bool left = conn->phase == HTTP_PHASE_OVER || (conn->left && !whole);
    if (none && !lost && !left) request->waiting = true;
    pthread_mutex_unlock(&request->lock);
    if (left) {
        if (!request->end) request->end = "gone";
        atomic_store(&request->gone, true);
        return MHD_NO;
    }
    if (lost &&
        http_reply_error(request, 500, "internal", "the server lost this request") != HTTP_DONE)
        return MHD_NO;
    if (!none || lost) return http_respond(request) ? MHD_YES : MHD_NO;
    http_loop_suspend(conn);
    return MHD_YES;
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *library, const char *url,
                                 const char *method, const char *version, const char *bytes,
                                 size_t *n, void **context) {
    struct http_request *request = *context;
    (void)ctx, (void)library, (void)url;
    if (!request) return MHD_NO;
    if (!request->head_read) return on_head(request, method, version);
    if (*n) {
        take_body(request, bytes, *n);
        *n = 0;
        return request->conn->phase == HTTP_PHASE_OVER ? MHD_NO : MHD_YES;
    }
    if (!request->dispatched) dispatch(request);
    return settle(request);
}

/* ---- it is over ---- */

static void release_key(struct http_request *request) {
    struct http_server *server = request->server;
    if (!request->key_counted) return;
    pthread_mutex_lock(&server->keys_lock);
    struct http_key *key = http_keys_named(&server->keys, request->key);
    if (key && key->active) key->active--;
    pthread_mutex_unlock(&server->keys_lock);
}

static void write_log(struct http_request *request, int status) {
    struct http_server *server = request->server;
    char text[HTTP_LOG_BYTES];
    if (!server->log) return;
    const struct http_log_line line = {.time_ms = request->time_ms,
                                       .id = request->id,
                                       .key = request->key[0] ? request->key : NULL,
                                       .client = request->conn->address,
                                       .method = request->method,
                                       .path = request->path,
                                       .status = status,
                                       .end = request->end,
                                       .bytes_in = request->bytes_in,
                                       .bytes_out = request->bytes_out,
                                       .duration_us = (clock_ns() - request->started_ns) / 1000};
    server->log(server->log_ctx, text, http_log_format(&line, text));
}

static void on_completed(void *ctx, struct MHD_Connection *library, void **context,
                         enum MHD_RequestTerminationCode code) {
    struct http_server *server = ctx;
    struct http_request *request = *context;
    *context = NULL;
    if (!request) return;
    struct http_conn *conn = request->conn;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(library, MHD_CONNECTION_INFO_HTTP_STATUS);
    bool done = code == MHD_REQUEST_TERMINATED_COMPLETED_OK && conn->phase != HTTP_PHASE_OVER;
    if (!request->end) request->end = done ? "done" : "gone";
    if (!done) atomic_fetch_add(&server->gone_all, 1);
    atomic_fetch_add(&server->bytes_out, request->bytes_out);
    write_log(request, info ? (int)info->http_status : 0);
    release_key(request);
    server->bodies -= request->body_room;
    request->body_room = 0;
    conn->request = NULL;
    http_request_detach(request);
    atomic_fetch_sub(&server->n_requests, 1);
    if (conn->phase == HTTP_PHASE_OVER) return;
    conn->phase = HTTP_PHASE_HEAD;
    int64_t idle = server->limits.idle_ms * HTTP_MS;
    if (conn->left && idle > HTTP_LEFT_NS) idle = HTTP_LEFT_NS;
    conn->deadline = clock_ns() + idle;
    http_loop_touch(server, conn->deadline);
    if (server->draining) http_loop_cut(conn, "stopped");
}

/* ---- starting ---- */

bool http_access_has_tls(void) { return MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES; }

bool http_access_start(struct http_server *server, struct jl_error *err) {
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, server->tls_cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, server->tls_key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    if (server->tls_cert) flags |= MHD_USE_TLS;
    server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_access, server,                 //
                                      MHD_OPTION_LISTEN_SOCKET, server->listen.fd,             //
                                      MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,     //
                                      MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,       //
                                      MHD_OPTION_URI_LOG_CALLBACK, on_line, server,            //
                                      MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL,       //
                                      MHD_OPTION_CONNECTION_LIMIT, server->limits.connections, //
                                      MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                      server->limits.header_bytes + POOL_BYTES,        //
                                      MHD_OPTION_STRICT_FOR_CLIENT, 1,                 //
                                      MHD_OPTION_CONNECTION_TIMEOUT, 0u,               //
                                      MHD_OPTION_ARRAY, server->tls_cert ? tls : none, //
                                      MHD_OPTION_END);
    if (server->daemon) return true;
    jl_fail(err, JL_ERR_IO,
            server->tls_cert ? "the HTTP server does not start: are the certificate and its "
                               "key in PEM, and do they belong together?"
                             : "the HTTP server does not start");
    return false;
}
