#include "serve/http/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/clock.h"
#include "serve/http/problem.h"
#include "serve/http/self.h"

/* ---- what was asked ---- */

const char *http_request_id(const struct http_request *request) { return request->id; }
const char *http_request_method(const struct http_request *request) { return request->method; }
const char *http_request_path(const struct http_request *request) { return request->path; }

const char *http_request_part(const struct http_request *request, const char *name) {
    for (size_t i = 0; i < request->match.n_values; i++)
        if (!strcmp(request->match.values[i].name, name)) return request->match.values[i].value;
    return NULL;
}

const char *http_request_query(const struct http_request *request, const char *name) {
    for (size_t i = 0; i < request->target.n_pairs; i++)
        if (!strcmp(request->target.pairs[i].name, name)) return request->target.pairs[i].value;
    return NULL;
}

const char *http_request_header(const struct http_request *request, const char *name) {
    for (size_t i = 0; i < request->n_headers; i++)
        if (!strcasecmp(request->headers[i].name, name)) return request->headers[i].value;
    return NULL;
}

const char *http_request_body(const struct http_request *request, size_t *len) {
    *len = request->body_len;
    return request->body ? request->body : "";
}

struct http_client http_request_client(const struct http_request *request) {
    return request->client;
}

bool http_request_gone(const struct http_request *request) { return atomic_load(&request->gone); }

/* ---- its life ---- */

static bool make_id(char out[HTTP_ID_TEXT]) {
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) return false;
    char *at = stpcpy(out, "req_");
    for (size_t i = 0; i < sizeof bytes; i++)
        at += sprintf(at, "%02x", bytes[i]);
    return true;
}

struct http_request *http_request_create(struct http_server *server, struct http_conn *conn,
                                         const char *raw) {
    struct timespec now;
    struct http_request *request = calloc(1, sizeof *request);
    if (!request) return NULL;
    request->arena.block_size = 2048;
    request->raw = arena_strdup(&request->arena, raw);
    if (request->raw) request->path = arena_strndup(&request->arena, raw, strcspn(raw, "?"));
    request->method = "";
    if (!request->path || !make_id(request->id) || pthread_mutex_init(&request->lock, NULL)) {
        arena_free(&request->arena);
        free(request);
        return NULL;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    request->time_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    request->started_ns = clock_ns();
    request->stream_bytes = server->limits.stream_bytes;
    request->ping_ns = server->limits.ping_ms * HTTP_MS;
    request->attached = true;
    request->server = server;
    request->conn = conn;
    request->declared = -1;
    return request;
}

static void destroy(struct http_request *request) {
    pthread_mutex_destroy(&request->lock);
    http_buffer_free(&request->out);
    free(request->body);
    arena_free(&request->arena);
    free(request);
}

void http_request_hold(struct http_request *request) {
    pthread_mutex_lock(&request->lock);
    request->holders++;
    pthread_mutex_unlock(&request->lock);
}

void http_request_drop(struct http_request *request) {
    if (!request) return;
    pthread_mutex_lock(&request->lock);
    bool last = --request->holders == 0;
    if (last && request->attached) { // nobody is left who could answer, or go on
        if (request->answer == HTTP_ANSWER_STREAM && !request->ended) request->cut = true;
        http_request_wake(request);
    }
    last = last && !request->attached;
    pthread_mutex_unlock(&request->lock);
    if (last) destroy(request);
}

static void unlink_ready(struct http_request *request) {
    struct http_server *server = request->server;
    if (!request->queued) return;
    if (request->ready_prev)
        request->ready_prev->ready_next = request->ready_next;
    else
        server->ready_head = request->ready_next;
    if (request->ready_next)
        request->ready_next->ready_prev = request->ready_prev;
    else
        server->ready_tail = request->ready_prev;
    request->queued = false;
}

void http_request_detach(struct http_request *request) {
    struct http_server *server = request->server;
    atomic_store(&request->gone, true);
    pthread_mutex_lock(&request->lock);
    request->attached = request->waiting = false;
    pthread_mutex_lock(&server->ready_lock);
    unlink_ready(request);
    pthread_mutex_unlock(&server->ready_lock);
    http_buffer_free(&request->out);
    request->server = NULL;
    request->conn = NULL;
    bool last = request->holders == 0;
    pthread_mutex_unlock(&request->lock);
    if (last) destroy(request);
}

void http_request_wake(struct http_request *request) {
    struct http_server *server = request->server;
    if (!request->attached || !request->waiting) return;
    request->waiting = false;
    pthread_mutex_lock(&server->ready_lock);
    bool first = !server->ready_head;
    if (!request->queued) {
        request->queued = true;
        request->ready_next = NULL;
        request->ready_prev = server->ready_tail;
        if (server->ready_tail)
            server->ready_tail->ready_next = request;
        else
            server->ready_head = request;
        server->ready_tail = request;
    }
    pthread_mutex_unlock(&server->ready_lock);
    if (first) http_loop_wake(server);
}

/* ---- answers ---- */

enum http_result http_request_head(struct http_request *request, int status, const char *type,
                                   const struct http_header *headers, size_t n) {
    if (!request->attached || atomic_load(&request->gone)) return HTTP_GONE;
    if (request->answer != HTTP_ANSWER_NONE) return HTTP_REFUSED;
    struct http_header *copy = arena_calloc(&request->arena, n + 1, sizeof *copy);
    request->type = arena_strdup(&request->arena, type);
    if (!copy || !request->type) return HTTP_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        copy[i].name = arena_strdup(&request->arena, headers[i].name);
        copy[i].value = arena_strdup(&request->arena, headers[i].value);
        if (!copy[i].name || !copy[i].value) return HTTP_NO_MEMORY;
    }
    request->reply_headers = copy;
    request->n_reply_headers = n;
    request->status = status ? status : 200;
    return HTTP_DONE;
}

enum http_result http_reply(struct http_request *request, const struct http_reply *reply) {
    pthread_mutex_lock(&request->lock);
    enum http_result result =
        http_request_head(request, reply->status, reply->type ? reply->type : "application/json",
                          reply->headers, reply->n_headers);
    if (result == HTTP_DONE && !http_buffer_add(&request->out, reply->body, reply->len))
        result = HTTP_NO_MEMORY;
    if (result == HTTP_DONE) {
        request->answer = HTTP_ANSWER_WHOLE;
        request->ended = true;
        http_request_wake(request);
    }
    pthread_mutex_unlock(&request->lock);
    return result;
}

enum http_result http_request_refuse(struct http_request *request, int status, const char *kind,
                                     const char *message, const struct http_header *headers,
                                     size_t n_headers) {
    const struct http_problem problem = {
        .status = status, .kind = kind, .message = message, .path = request->path};
    pthread_mutex_lock(&request->lock); // the server is there while the request is attached
    const struct http_shape *shapes = request->attached ? request->server->shapes : NULL;
    size_t n_shapes = request->attached ? request->server->n_shapes : 0;
    pthread_mutex_unlock(&request->lock);
    char *body = http_problem_body(shapes, n_shapes, &problem);
    const struct http_reply reply = {.status = status,
                                     .body = body ? body : "",
                                     .len = body ? strlen(body) : 0,
                                     .headers = headers,
                                     .n_headers = n_headers};
    enum http_result result = http_reply(request, &reply);
    free(body);
    return result;
}

enum http_result http_reply_error(struct http_request *request, int status, const char *kind,
                                  const char *message) {
    return http_request_refuse(request, status, kind, message, NULL, 0);
}
