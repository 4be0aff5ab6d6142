/* What the files of the front share. Three kinds of data, by who may touch them:
 *
 *     the front's thread   connections, the HTTP library, `front` of a request
 *     under a lock         the answer of a request, the list of requests to look at, the keys
 *     written once         what was asked: before the handler runs, read only after
 *
 * A request lives while somebody holds it or the front is attached to it. The front detaches when
 * the library says that the request is over; from then on nobody can reach the server through it.
 * Locks are taken in the order request, ready; the library is never called with one held. */
#ifndef JL_SERVE_HTTP_SELF_H
#define JL_SERVE_HTTP_SELF_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "serve/http/keys.h"
#include "serve/http/listen.h"
#include "serve/http/place.h"
#include "serve/http/request.h"
#include "serve/http/route.h"
#include "serve/http/server.h"
#include "serve/http/target.h"

#define HTTP_ID_TEXT 65 // a request id and its NUL
#define HTTP_PING_BYTES 128
#define HTTP_MS INT64_C(1000000) // nanoseconds
#define HTTP_NEVER INT64_MAX
/* The library overlooks the end of a connection that came with a request. Requests that came before
 * the end are in its buffer and need no longer. */
#define HTTP_LEFT_NS (200 * HTTP_MS)

struct MHD_Connection;
struct MHD_Daemon;

/* What an event of epoll is about. */
enum http_watch { HTTP_WATCH_LIBRARY, HTTP_WATCH_WAKE, HTTP_WATCH_CONN, HTTP_WATCH_LINGER };

/* ---- a connection: the front's thread alone ---- */

enum http_phase {
    HTTP_PHASE_HEAD,   // a request's line or headers are to come; between requests too
    HTTP_PHASE_BODY,   // its body
    HTTP_PHASE_WORK,   // an answer: no deadline of ours
    HTTP_PHASE_ANSWER, // the client's reading
    HTTP_PHASE_OVER    // cut off; the library will notice
};

struct http_conn {
    enum http_watch watch;
    struct http_server *server;
    struct MHD_Connection *library;
    struct http_conn *prev, *next;
    struct http_request *request; // under way; NULL: between two
    int fd;                       // the library's
    bool suspended;               // for the library it is not there until it is resumed
    bool left;                    // the client has closed its side
    bool linger;                  // it may still be sending when we close
    enum http_phase phase;
    int64_t deadline; // of HEAD and BODY
    int64_t progress; // ANSWER: when the client last took something
    int queued;       // ANSWER: bytes in the system's buffer when we last looked
    char address[48];
    unsigned char network[9]; // whom the client is counted with; [0] 0: with nobody
};

/* A socket whose answer is sent while the client is still sending: were it closed at once, the
 * client's system would throw the answer away. It is read, and dropped, for a moment. */
struct http_linger {
    enum http_watch watch;
    struct http_linger *next;
    int fd;
    size_t left; // bytes that are still read
    int64_t deadline;
};

/* ---- a request ---- */

struct http_buffer {
    char *data;
    size_t start, len, room; // `len` bytes from `start` on
};

enum http_answer { HTTP_ANSWER_NONE, HTTP_ANSWER_WHOLE, HTTP_ANSWER_STREAM };

struct http_request {
    /* what was asked */
    struct arena arena; // after the handler ran: under `lock`
    char id[HTTP_ID_TEXT];
    const char *method, *raw; // raw: target as sent
    const char *path;         // without the query
    bool is_11;
    struct http_target target;
    struct http_match match;
    struct http_header *headers;
    size_t n_headers;
    char *body; // NULL: none
    size_t body_len;
    char key[HTTP_KEY_NAME]; // "": none
    struct http_client client;
    const char *cors_origin; // what to allow; NULL: the page is ours, or there is no page

    /* the answer */
    pthread_mutex_t lock;
    unsigned holders;
    bool attached;
    bool waiting; // the front wants to know when there is something
    enum http_answer answer;
    enum http_stream_kind kind;
    int status;
    const char *type;
    struct http_header *reply_headers;
    size_t n_reply_headers;
    struct http_buffer out;
    size_t stream_bytes; // the most that `out` of a stream may hold
    bool ended;          // of a stream: nothing follows
    bool cut;            // of a stream: its writer was lost
    char ping[HTTP_PING_BYTES + 1];
    int64_t ping_at, ping_ns;
    int64_t pending_since; // when the first of `out` came
    atomic_bool gone;

    /* under the server's ready_lock */
    bool queued;
    struct http_request *ready_prev, *ready_next;

    /* the front's thread */
    struct http_server *server;
    struct http_conn *conn;
    uintptr_t raw_end; // where the library has the end of the target; an address to compare
    bool head_read, dispatched, refused, key_counted, expects_continue, must_close;
    int64_t declared; // content-length; -1: not said
    bool chunked;
    size_t dropped, body_room;
    uint64_t bytes_in, bytes_out;
    int64_t started_ns, body_ns, time_ms;
    const char *end; // for the log
};

/* ---- the server ---- */

struct http_server {
    /* written once */
    struct arena arena;
    struct http_limits limits;
    bool count_loopback; // per_address was asked for: it holds for this machine's clients too
    struct http_places places;
    const struct http_route *routes;
    size_t n_routes;
    const struct http_shape *shapes;
    size_t n_shapes;
    void (*log)(void *ctx, const char *line, size_t len);
    void *log_ctx;
    struct http_listen listen;
    char *tls_cert, *tls_key; // PEM
    const char *keys_path;
    int epoll, wake;
    enum http_watch watch_library, watch_wake;

    pthread_t thread;
    bool thread_made;
    pthread_mutex_t state_lock;
    pthread_cond_t state_changed;
    enum { HTTP_STARTING, HTTP_RUNNING, HTTP_ENDED } state;
    struct jl_error start_error;

    pthread_mutex_t keys_lock;
    struct http_keys keys;

    pthread_mutex_t ready_lock;
    struct http_request *ready_head, *ready_tail;

    atomic_bool stopping;
    atomic_int drain_ms;

    atomic_uint n_conns, n_requests;
    atomic_ullong requests_all, refused_all, bytes_in, bytes_out, gone_all;

    /* the front's thread */
    struct MHD_Daemon *daemon;
    struct http_conn *conns;
    struct http_linger *lingering;
    unsigned n_lingering;
    size_t bodies; // bytes
    int64_t next_scan;
    bool draining, panicked;
    bool again; // a connection was closed: there may be room for one that waits
    int64_t drain_until;
};

/* loop.c */
void *http_loop_thread(void *server);
void http_loop_touch(struct http_server *server, int64_t when_ns); // look at deadlines by then
void http_loop_suspend(struct http_conn *conn);
void http_loop_resume(struct http_conn *conn);
void http_loop_cut(struct http_conn *conn, const char *why); // the client gets no more
void http_loop_linger(struct http_conn *conn);
void http_loop_wake(struct http_server *server);

/* conn.c. NULL: it gets no place, and is shut down. */
struct http_conn *http_conn_open(struct http_server *server, struct MHD_Connection *library);
void http_conn_close(struct http_conn *conn);

/* access.c: starts the library, and what it calls */
bool http_access_start(struct http_server *server, struct jl_error *err);
bool http_access_has_tls(void);

/* gate.c: may the route's handler have it? When not, it has an answer, or there was no memory for
 * one. */
bool http_gate_check(struct http_request *request);

/* request.c */
struct http_request *http_request_create(struct http_server *server, struct http_conn *conn,
                                         const char *raw);
/* The front is done with it; it may be freed. */
void http_request_detach(struct http_request *request);
enum http_result http_request_refuse(struct http_request *request, int status, const char *kind,
                                     const char *message, const struct http_header *headers,
                                     size_t n_headers);
/* Under `lock`: what an answer begins with, copied to the request's arena. */
enum http_result http_request_head(struct http_request *request, int status, const char *type,
                                   const struct http_header *headers, size_t n);
/* Under `lock`: tells the front, when it waits, that there is something to look at. */
void http_request_wake(struct http_request *request);

/* buffer.c */
bool http_buffer_add(struct http_buffer *buffer, const char *bytes, size_t n);
size_t http_buffer_take(struct http_buffer *buffer, char *out, size_t n);
void http_buffer_free(struct http_buffer *buffer);

/* respond.c */
bool http_respond(struct http_request *request); // queues the answer; false: close

#endif
