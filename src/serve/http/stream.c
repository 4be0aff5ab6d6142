#include <string.h>

#include "base/clock.h"
#include "serve/http/self.h"

#define FIRST_PING_NS (1000 * HTTP_MS)

static const char *type_of(const struct http_stream_head *head) {
    if (head->kind == HTTP_STREAM_SSE) return "text/event-stream; charset=utf-8";
    if (head->kind == HTTP_STREAM_NDJSON) return "application/x-ndjson";
    return head->type ? head->type : "application/octet-stream";
}

/* Under the lock. */
static void become_stream(struct http_request *request, const struct http_stream_head *head) {
    request->answer = HTTP_ANSWER_STREAM;
    request->ended = false;
    request->kind = head->kind;
    request->ping_at = HTTP_NEVER;
    if (head->kind == HTTP_STREAM_SSE) {
        strcpy(request->ping, head->ping ? head->ping : ": waiting\n\n");
        int64_t first = request->ping_ns < FIRST_PING_NS ? request->ping_ns : FIRST_PING_NS;
        request->ping_at = clock_ns() + first;
    }
}

enum http_result http_stream_begin(struct http_request *request,
                                   const struct http_stream_head *head) {
    if (head->ping && strlen(head->ping) > HTTP_PING_BYTES) return HTTP_REFUSED;
    pthread_mutex_lock(&request->lock);
    enum http_result result =
        http_request_head(request, head->status, type_of(head), head->headers, head->n_headers);
    if (result == HTTP_DONE) {
        become_stream(request, head);
        http_request_wake(request);
    }
    pthread_mutex_unlock(&request->lock);
    return result;
}

/* Several pieces as one, all or none. */
struct piece {
    const char *bytes;
    size_t n;
};

/* Under the lock. */
static enum http_result may_write(const struct http_request *request, size_t n) {
    if (request->answer != HTTP_ANSWER_STREAM || request->ended) {
        if (!request->attached) return HTTP_GONE;
        return HTTP_REFUSED;
    }
    if (!request->attached || atomic_load(&request->gone)) return HTTP_GONE;
    if (n > request->stream_bytes) return HTTP_REFUSED;
    return request->out.len + n > request->stream_bytes ? HTTP_FULL : HTTP_DONE;
}

static enum http_result write_pieces(struct http_request *request, const struct piece *pieces,
                                     size_t n_pieces) {
    size_t n = 0;
    for (size_t i = 0; i < n_pieces; i++)
        if (!size_add(n, pieces[i].n, &n)) return HTTP_REFUSED;
    pthread_mutex_lock(&request->lock);
    enum http_result result = may_write(request, n);
    size_t before = request->out.len;
    for (size_t i = 0; result == HTTP_DONE && i < n_pieces; i++)
        if (!http_buffer_add(&request->out, pieces[i].bytes, pieces[i].n)) {
            request->out.len = before;
            result = HTTP_NO_MEMORY;
        }
    if (result == HTTP_DONE && n) {
        int64_t now = clock_ns();
        if (!before) request->pending_since = now;
        if (request->kind == HTTP_STREAM_SSE) request->ping_at = now + request->ping_ns;
        http_request_wake(request);
    }
    pthread_mutex_unlock(&request->lock);
    return result;
}

enum http_result http_stream_write(struct http_request *request, const char *bytes, size_t n) {
    return write_pieces(request, &(struct piece){bytes, n}, 1);
}

enum http_result http_stream_end(struct http_request *request) {
    pthread_mutex_lock(&request->lock);
    enum http_result result = may_write(request, 0);
    if (result == HTTP_DONE || result == HTTP_FULL) {
        request->ended = true;
        if (!request->out.len) request->pending_since = clock_ns();
        http_request_wake(request);
        result = HTTP_DONE;
    }
    pthread_mutex_unlock(&request->lock);
    return result;
}

/* ---- shapes of text ---- */

#define LINES 62 // of an event's data

static bool one_line(const char *text, size_t n) {
    return !memchr(text, '\n', n) && !memchr(text, '\r', n);
}

enum http_result http_stream_event(struct http_request *request, const char *event,
                                   const char *data, size_t n) {
    struct piece pieces[4 + 3 * LINES];
    size_t count = 0, lines = 0;
    if (request->kind != HTTP_STREAM_SSE) return HTTP_REFUSED;
    if (event) {
        if (!one_line(event, strlen(event))) return HTTP_REFUSED;
        pieces[count++] = (struct piece){"event: ", 7};
        pieces[count++] = (struct piece){event, strlen(event)};
        pieces[count++] = (struct piece){"\n", 1};
    }
    /* A carriage return ends a line too: it would cut JSON's text, where it is written \r. */
    if (n && memchr(data, '\r', n)) return HTTP_REFUSED;
    for (size_t at = 0; at <= n; lines++) {
        const char *newline = n > at ? memchr(data + at, '\n', n - at) : NULL;
        size_t len = newline ? (size_t)(newline - data) - at : n - at;
        if (lines == LINES) return HTTP_REFUSED;
        pieces[count++] = (struct piece){"data: ", 6};
        pieces[count++] = (struct piece){data + at, len};
        pieces[count++] = (struct piece){"\n", 1};
        at += len + 1;
    }
    pieces[count++] = (struct piece){"\n", 1};
    return write_pieces(request, pieces, count);
}

enum http_result http_stream_comment(struct http_request *request, const char *text) {
    size_t n = strlen(text);
    if (request->kind != HTTP_STREAM_SSE || !one_line(text, n)) return HTTP_REFUSED;
    const struct piece pieces[] = {{": ", 2}, {text, n}, {"\n\n", 2}};
    return write_pieces(request, pieces, 3);
}

enum http_result http_stream_line(struct http_request *request, const char *json, size_t n) {
    if (!one_line(json, n)) return HTTP_REFUSED;
    const struct piece pieces[] = {{json, n}, {"\n", 1}};
    return write_pieces(request, pieces, 2);
}
