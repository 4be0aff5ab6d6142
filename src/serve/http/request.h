/* A request, and its answer.
 *
 * A handler gets a request whose body has arrived. It answers before it returns, or holds the
 * request and answers later from any thread: all functions here may be called from any thread that
 * runs the handler or holds the request. Whatever of a request is read stays valid while it is
 * held. When the last holder drops a request without an answer the client gets a 500, and a stream
 * without its end is cut off, so that nobody takes it for whole.
 *
 * Nothing here waits for the client. */
#ifndef JL_SERVE_HTTP_REQUEST_H
#define JL_SERVE_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

struct http_request;

/* ---- what was asked ---- */

const char *http_request_id(const struct http_request *request); // also in x-request-id
const char *http_request_method(const struct http_request *request);
const char *http_request_path(const struct http_request *request); // as sent, without the query
/* Of the route's {name}, decoded: UTF-8 without NUL. NULL: the route has no such part. */
const char *http_request_part(const struct http_request *request, const char *name);
/* The first ?name=value, decoded; "" where it has no value, NULL where it is not there. */
const char *http_request_query(const struct http_request *request, const char *name);
const char *http_request_header(const struct http_request *request, const char *name); // or NULL
/* NUL-terminated behind its *len bytes. */
const char *http_request_body(const struct http_request *request, size_t *len);

struct http_client {
    const char *name; // of its key; NULL: nobody is asked for keys, or the route is open
    unsigned at_once, per_minute, tokens_per_minute; // of its key; 0: no limit
    bool admin;                                      // its key may make others
};
struct http_client http_request_client(const struct http_request *request);

/* Nobody waits for the answer any more: the client has gone, or has been served, or the server
 * stops. Costs one read of memory. */
bool http_request_gone(const struct http_request *request);

void http_request_hold(struct http_request *request);
void http_request_drop(struct http_request *request); // NULL is fine

/* ---- the answer ---- */

enum http_result {
    HTTP_DONE,
    HTTP_FULL,     // too much waits to be sent: nothing was taken, try again later
    HTTP_GONE,     // nobody waits for it
    HTTP_REFUSED,  // not now (answered already, no stream, ended), or not this (a newline, too much
                   // for any stream): the caller's mistake
    HTTP_NO_MEMORY // nothing was taken
};

struct http_header {
    const char *name, *value;
};

/* An answer that is known as a whole. All of it is copied. */
struct http_reply {
    int status;       // 0: 200
    const char *type; // content-type; NULL: application/json
    const char *body;
    size_t len;
    const struct http_header *headers; // besides those
    size_t n_headers;
};
enum http_result http_reply(struct http_request *request, const struct http_reply *reply);

/* In the shape of the request's path. */
enum http_result http_reply_error(struct http_request *request, int status, const char *kind,
                                  const char *message);

/* An answer that comes bit by bit. */
enum http_stream_kind { HTTP_STREAM_SSE, HTTP_STREAM_NDJSON, HTTP_STREAM_BYTES };

struct http_stream_head {
    enum http_stream_kind kind;
    int status;       // 0: 200
    const char *type; // of HTTP_STREAM_BYTES; NULL: application/octet-stream
    /* SSE: what is sent when the stream is silent for long: a comment or an event, whole, at most
     * 128 bytes. NULL: ": waiting\n\n". The front's own clock sends it. */
    const char *ping;
    const struct http_header *headers;
    size_t n_headers;
};
enum http_result http_stream_begin(struct http_request *request,
                                   const struct http_stream_head *head);

/* All n bytes or none. Of an SSE stream: whole events, since a ping may follow. */
enum http_result http_stream_write(struct http_request *request, const char *bytes, size_t n);
enum http_result http_stream_end(struct http_request *request);

/* One event. `event` may be NULL; each line of `data` (at most 62, without \r) becomes a data:
 * line. */
enum http_result http_stream_event(struct http_request *request, const char *event,
                                   const char *data, size_t n);
enum http_result http_stream_comment(struct http_request *request, const char *text);
/* One line of NDJSON; `json` must have no newline. */
enum http_result http_stream_line(struct http_request *request, const char *json, size_t n);

#endif
