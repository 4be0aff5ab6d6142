/* From an answer to the HTTP library's. All bodies are read by callback, so that the front sees how
 * fast a client takes them. */
#include <microhttpd.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "serve/http/self.h"

#define BLOCK 16384
#define STREAM_BLOCK 1024 // only HTTP/1.0 uses it; chunks are read into the connection's buffer

/* Takes up to `max` bytes of what waits; of a stream, what comes next when there is none. */
static ssize_t take(struct http_request *request, char *out, size_t max, bool *wait) {
    ssize_t result;
    *wait = false;
    pthread_mutex_lock(&request->lock);
    size_t n = http_buffer_take(&request->out, out, max);
    if (n) {
        result = (ssize_t)n;
    } else if (request->answer == HTTP_ANSWER_WHOLE || request->ended) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (request->cut || atomic_load(&request->gone)) {
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    } else {
        result = 0;
        *wait = request->waiting = true;
    }
    pthread_mutex_unlock(&request->lock);
    return result;
}

static ssize_t on_read(void *ctx, uint64_t at, char *out, size_t max) {
    struct http_request *request = ctx;
    bool wait;
    (void)at;
    ssize_t n = take(request, out, max, &wait);
    struct http_conn *conn = request->conn;
    conn->progress = clock_ns();
    if (n > 0) {
        request->bytes_out += (uint64_t)n;
        http_loop_touch(conn->server, conn->progress + conn->server->limits.stall_ms * HTTP_MS);
    }
    if (wait) http_loop_suspend(conn);
    return n;
}

static bool add(struct MHD_Response *response, const char *name, const char *value) {
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool has(const struct http_request *request, const char *name) {
    for (size_t i = 0; i < request->n_reply_headers; i++)
        if (!strcasecmp(request->reply_headers[i].name, name)) return true;
    return false;
}

static bool add_headers(struct MHD_Response *response, const struct http_request *request) {
    const struct http_server *server = request->server;
    bool ok = add(response, "x-request-id", request->id);
    if (request->type[0]) {
        ok = ok && add(response, "content-type", request->type);
        ok = ok && add(response, "x-content-type-options", "nosniff");
    }
    if (!has(request, "cache-control")) ok = ok && add(response, "cache-control", "no-store");
    if (request->answer == HTTP_ANSWER_STREAM) // proxies that would collect it
        ok = ok && add(response, "x-accel-buffering", "no");
    if (request->cors_origin) {
        ok = ok && add(response, "access-control-allow-origin", request->cors_origin);
        ok = ok && add(response, "access-control-expose-headers",
                       "x-request-id, retry-after, x-ignored-fields, x-relaxed-tools");
    }
    if (server->places.n_origins) ok = ok && add(response, "vary", "origin");
    if (server->draining || request->must_close) ok = ok && add(response, "connection", "close");
    for (size_t i = 0; i < request->n_reply_headers; i++)
        ok = ok && add(response, request->reply_headers[i].name, request->reply_headers[i].value);
    return ok;
}

bool http_respond(struct http_request *request) {
    struct http_conn *conn = request->conn;
    struct MHD_Response *response;
    pthread_mutex_lock(&request->lock); // what the answering thread wrote
    bool stream = request->answer == HTTP_ANSWER_STREAM;
    uint64_t len = request->out.len;
    pthread_mutex_unlock(&request->lock);
    bool head = !strcmp(request->method, "HEAD");
    if (!stream && !len)
        response = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    else
        response = MHD_create_response_from_callback(stream ? MHD_SIZE_UNKNOWN : len,
                                                     stream        ? STREAM_BLOCK
                                                     : len > BLOCK ? BLOCK
                                                                   : (size_t)len,
                                                     on_read, request, NULL);
    if (!response) return false;
    /* 0.9.75 ends a chunked answer to HEAD with the last chunk, which would begin the next answer:
     * without chunks the connection ends instead. */
    if (stream && head)
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    bool ok = add_headers(response, request) &&
              MHD_queue_response(conn->library, (unsigned)request->status, response) == MHD_YES;
    MHD_destroy_response(response);
    if (!ok) return false;
    conn->phase = HTTP_PHASE_ANSWER;
    conn->progress = clock_ns();
    http_loop_touch(conn->server, conn->progress); // what may come due is seen by a scan
    return true;
}
