/* The front's thread: waits for sockets, other threads and time, and calls the HTTP library.
 *
 * The library's own epoll descriptor lies in ours. Deadlines are looked at in scans over all
 * connections, at most one in SCAN_NS. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/http/self.h"

#define EVENTS 64
#define SCAN_NS (25 * HTTP_MS)
#define LINGER_NS (2000 * HTTP_MS)
#define LINGER_BYTES (4u << 20)
#define MOST_LINGERING 64
#define LAST_TURNS 1000 // of the library, to close what was cut

void http_loop_touch(struct http_server *server, int64_t when_ns) {
    if (when_ns < server->next_scan) server->next_scan = when_ns;
}

void http_loop_wake(struct http_server *server) {
    uint64_t one = 1;
    while (write(server->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void http_loop_suspend(struct http_conn *conn) {
    if (conn->suspended) return;
    conn->suspended = true;
    MHD_suspend_connection(conn->library);
}

void http_loop_resume(struct http_conn *conn) {
    if (!conn->suspended) return;
    conn->suspended = false;
    MHD_resume_connection(conn->library);
}

void http_loop_cut(struct http_conn *conn, const char *why) {
    if (conn->phase == HTTP_PHASE_OVER) return;
    conn->phase = HTTP_PHASE_OVER;
    if (conn->request) {
        if (!conn->request->end) conn->request->end = why;
        atomic_store(&conn->request->gone, true);
    }
    shutdown(conn->fd, SHUT_RDWR);
    http_loop_resume(conn);
}

/* ---- sockets that are drained before they are closed ---- */

void http_loop_linger(struct http_conn *conn) {
    struct http_server *server = conn->server;
    if (server->n_lingering == MOST_LINGERING) return;
    struct http_linger *linger = calloc(1, sizeof *linger);
    int fd = linger ? fcntl(conn->fd, F_DUPFD_CLOEXEC, 0) : -1;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = linger};
    if (fd < 0 || epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event)) {
        if (fd >= 0) close(fd);
        free(linger);
        return;
    }
    shutdown(fd, SHUT_WR);
    *linger = (struct http_linger){.watch = HTTP_WATCH_LINGER,
                                   .next = server->lingering,
                                   .fd = fd,
                                   .left = LINGER_BYTES,
                                   .deadline = clock_ns() + LINGER_NS};
    server->lingering = linger;
    server->n_lingering++;
    http_loop_touch(server, linger->deadline);
}

/* Marks it to be closed by the next scan when there is nothing more to wait for. */
static void drain(struct http_server *server, struct http_linger *linger) {
    char bytes[16384];
    ssize_t n = 1;
    while (linger->left && (n = recv(linger->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        linger->left -= (size_t)n < linger->left ? (size_t)n : linger->left;
    if (linger->left && n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    linger->deadline = 0;
    epoll_ctl(server->epoll, EPOLL_CTL_DEL, linger->fd, NULL);
    http_loop_touch(server, 0);
}

static int64_t scan_lingering(struct http_server *server, int64_t now) {
    int64_t earliest = HTTP_NEVER;
    for (struct http_linger **at = &server->lingering, *linger; (linger = *at);) {
        if (linger->deadline > now) {
            if (linger->deadline < earliest) earliest = linger->deadline;
            at = &linger->next;
            continue;
        }
        *at = linger->next;
        close(linger->fd);
        free(linger);
        server->n_lingering--;
    }
    return earliest;
}

/* ---- time ---- */

/* When something is due while an answer is sent; pings on the way. */
static int64_t scan_answer(struct http_conn *conn, int64_t now) {
    struct http_request *request = conn->request;
    int64_t stall = conn->server->limits.stall_ms * HTTP_MS, due = HTTP_NEVER;
    bool ping = false;
    pthread_mutex_lock(&request->lock);
    bool stream = request->answer == HTTP_ANSWER_STREAM && !request->ended;
    if (!stream) { // the last bytes are with the library, or on the way there
        due = conn->progress + stall;
        if (request->pending_since + stall > due) due = request->pending_since + stall;
    } else {
        if (!request->out.len && request->ping_at <= now) {
            ping = http_buffer_add(&request->out, request->ping, strlen(request->ping));
            request->pending_since = now;
            request->ping_at = now + request->ping_ns;
            request->waiting = false;
        }
        int64_t since = request->pending_since;
        if (request->out.len) due = (conn->progress > since ? conn->progress : since) + stall;
        int64_t next = request->ping_at > now ? request->ping_at : now + SCAN_NS;
        if (next < due && request->ping_at != HTTP_NEVER) due = next;
    }
    pthread_mutex_unlock(&request->lock);
    if (ping) http_loop_resume(conn);
    return due;
}

/* We see what the system takes from us, in steps of a megabyte and more. Before a client is called
 * asleep: does what the system keeps for it become less? */
static bool still_reads(struct http_conn *conn, int64_t now) {
    int queued = 0;
    if (ioctl(conn->fd, SIOCOUTQ, &queued) || queued == conn->queued) return false;
    conn->queued = queued;
    conn->progress = now;
    return true;
}

static void scan(struct http_server *server) {
    int64_t now = clock_ns(), earliest = scan_lingering(server, now);
    for (struct http_conn *conn = server->conns; conn; conn = conn->next) {
        int64_t due = HTTP_NEVER;
        const char *why = "slow";
        if (conn->phase == HTTP_PHASE_HEAD || conn->phase == HTTP_PHASE_BODY) {
            due = conn->deadline;
        } else if (conn->phase == HTTP_PHASE_ANSWER && conn->request) {
            due = scan_answer(conn, now);
            why = "stalled";
            if (due <= now && still_reads(conn, now)) due = scan_answer(conn, now);
        }
        if (due <= now)
            http_loop_cut(conn, why);
        else if (due < earliest)
            earliest = due;
    }
    if (server->draining && server->drain_until < earliest) earliest = server->drain_until;
    server->next_scan = earliest < now + SCAN_NS ? now + SCAN_NS : earliest;
}

static int wait_ms(struct http_server *server) {
    MHD_UNSIGNED_LONG_LONG library;
    int64_t ms = -1;
    if (server->again) return server->again = false, 0;
    if (server->next_scan != HTTP_NEVER) {
        int64_t left = server->next_scan - clock_ns();
        ms = left <= 0 ? 0 : (left + HTTP_MS - 1) / HTTP_MS;
    }
    if (MHD_get_timeout(server->daemon, &library) == MHD_YES && (ms < 0 || (int64_t)library < ms))
        ms = (int64_t)library;
    return ms > 60000 ? 60000 : (int)ms;
}

/* ---- what happened ---- */

/* The client has closed its side: it waits for nothing any more. An answer that is on its way as a
 * whole goes on, for whoever closes after the question. */
static void client_left(struct http_conn *conn) {
    struct http_request *request = conn->request;
    conn->left = true;
    if (!request) {
        int64_t soon = clock_ns() + HTTP_LEFT_NS;
        if (soon < conn->deadline) conn->deadline = soon;
        http_loop_touch(conn->server, conn->deadline);
    }
    if (!request || !request->dispatched) return;
    pthread_mutex_lock(&request->lock);
    bool whole = request->answer == HTTP_ANSWER_WHOLE;
    pthread_mutex_unlock(&request->lock);
    if (whole) return;
    if (!request->end) request->end = "gone";
    atomic_store(&request->gone, true);
    http_loop_resume(conn);
}

static void take_ready(struct http_server *server) {
    for (;;) {
        pthread_mutex_lock(&server->ready_lock);
        struct http_request *request = server->ready_head;
        if (request) {
            server->ready_head = request->ready_next;
            if (server->ready_head)
                server->ready_head->ready_prev = NULL;
            else
                server->ready_tail = NULL;
            request->queued = false;
        }
        pthread_mutex_unlock(&server->ready_lock);
        if (!request) return;
        http_loop_resume(request->conn); // attached: only this thread detaches
        http_loop_touch(server, clock_ns() + server->limits.stall_ms * HTTP_MS);
    }
}

static void handle(struct http_server *server, const struct epoll_event *event) {
    enum http_watch *watch = event->data.ptr;
    uint64_t count;
    switch (*watch) {
    case HTTP_WATCH_LIBRARY: break; // it is called every time
    case HTTP_WATCH_WAKE:
        while (read(server->wake, &count, sizeof count) < 0 && errno == EINTR)
            ;
        break;
    case HTTP_WATCH_CONN: client_left((struct http_conn *)(void *)watch); break;
    case HTTP_WATCH_LINGER: drain(server, (struct http_linger *)(void *)watch); break;
    }
}

/* ---- the end ---- */

static void begin_drain(struct http_server *server) {
    server->draining = true;
    server->drain_until = clock_ns() + atomic_load(&server->drain_ms) * HTTP_MS;
    http_loop_touch(server, server->drain_until);
    MHD_quiesce_daemon(server->daemon);
    http_listen_close(&server->listen);
    for (struct http_conn *conn = server->conns; conn; conn = conn->next)
        if (!conn->request) http_loop_cut(conn, "stopped");
}

/* The library must not be stopped while a connection is suspended: it would abort. False: one is,
 * and the library is left as it is. */
static bool end(struct http_server *server) {
    for (struct http_conn *conn = server->conns; conn; conn = conn->next)
        http_loop_cut(conn, "stopped");
    for (int i = 0; i < LAST_TURNS && server->conns; i++)
        MHD_run(server->daemon);
    bool suspended = false;
    for (struct http_conn *conn = server->conns; conn; conn = conn->next)
        suspended |= conn->suspended;
    if (!suspended) MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
    for (struct http_linger *linger = server->lingering; linger; linger = linger->next)
        linger->deadline = 0;
    scan_lingering(server, clock_ns());
    return !suspended;
}

static void set_state(struct http_server *server, int state) {
    pthread_mutex_lock(&server->state_lock);
    server->state = state;
    pthread_cond_broadcast(&server->state_changed);
    pthread_mutex_unlock(&server->state_lock);
}

/* In every case the last thing this thread does. */
static void thread_ends(void *ctx) {
    struct http_server *server = ctx;
    if (server->panicked) {
        /* What the library holds is lost; nobody may wait for it. */
        for (struct http_conn *conn; (conn = server->conns);) {
            shutdown(conn->fd, SHUT_RDWR);
            if (conn->request) http_request_detach(conn->request);
            server->conns = conn->next;
            free(conn);
        }
        http_listen_close(&server->listen);
    }
    set_state(server, HTTP_ENDED);
}

/* The library calls this where it would abort. It must not return, and the process must live: the
 * thread that called the library ends, and it is ours, always. */
static void on_panic(void *ctx, const char *file, unsigned line, const char *reason) {
    (void)ctx, (void)file, (void)line, (void)reason;
    pthread_exit(NULL);
}

static void run(struct http_server *server) {
    struct epoll_event events[EVENTS];
    while (!server->draining || (server->conns && clock_ns() < server->drain_until &&
                                 atomic_load(&server->n_requests))) {
        int n = epoll_wait(server->epoll, events, EVENTS, wait_ms(server));
        if (n < 0 && errno != EINTR) break;
        if (n < 0) n = 0;
        for (int i = 0; i < n; i++)
            handle(server, &events[i]);
        take_ready(server);
        if (clock_ns() >= server->next_scan) scan(server);
        if (atomic_load(&server->stopping) && !server->draining) begin_drain(server);
        if (MHD_run(server->daemon) != MHD_YES) break; // its epoll fails
    }
    if (!server->draining) begin_drain(server);
}

void *http_loop_thread(void *ctx) {
    struct http_server *server = ctx;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &server->watch_library};
    MHD_set_panic_func(on_panic, NULL);
    server->panicked = true; // unless we come to the end
    pthread_cleanup_push(thread_ends, server);
    server->next_scan = HTTP_NEVER;
    if (http_access_start(server, &server->start_error)) {
        const union MHD_DaemonInfo *info =
            MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        if (info && !epoll_ctl(server->epoll, EPOLL_CTL_ADD, info->epoll_fd, &event)) {
            set_state(server, HTTP_RUNNING);
            run(server);
        } else {
            jl_fail(&server->start_error, JL_ERR_IO, "the HTTP server does not start: %s",
                    strerror(errno));
            begin_drain(server);
        }
        server->panicked = !end(server);
    } else {
        server->panicked = false;
    }
    pthread_cleanup_pop(1);
    return NULL;
}
