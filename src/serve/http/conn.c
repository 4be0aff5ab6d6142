/* A connection comes and goes: who is it, has it a place, how is its end noticed. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "serve/http/self.h"

static bool is_loopback(const struct http_conn *conn) {
    struct http_place place = {.literal = true};
    strcpy(place.host, conn->address);
    return http_place_loopback(&place);
}

/* An IPv4 address, also one that came as IPv6, or the first half of an IPv6 address: its owner has
 * all of the second half. */
static void set_network(struct http_conn *conn, const struct in6_addr *six, const void *four) {
    if (six && IN6_IS_ADDR_V4MAPPED(six)) four = &six->s6_addr[12];
    conn->network[0] = four ? 4 : 8;
    memcpy(conn->network + 1, four ? four : six, conn->network[0]);
}

static void set_address(struct http_conn *conn) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn->library, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    const void *four = address && address->sa_family == AF_INET
                           ? &((const struct sockaddr_in *)(const void *)address)->sin_addr
                           : NULL;
    const void *six = address && address->sa_family == AF_INET6
                          ? &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
                          : NULL;
    strcpy(conn->address, "unix");
    if (!four && !six) return;
    inet_ntop(four ? AF_INET : AF_INET6, four ? four : six, conn->address, sizeof conn->address);
    if (conn->server->count_loopback || !is_loopback(conn)) set_network(conn, six, four);
}

/* Is the client's share of connections used up? */
static bool too_many(const struct http_conn *conn) {
    unsigned n = 0;
    if (!conn->network[0]) return false;
    for (const struct http_conn *at = conn->server->conns; at; at = at->next)
        n += !memcmp(at->network, conn->network, sizeof at->network);
    return n >= conn->server->limits.per_address;
}

/* A client that has vanished without a word (no power, no network) is noticed too. */
static void watch_tcp(const struct http_server *server, int fd) {
    int on = 1, idle = 30, interval = 10, count = 3;
    unsigned stall = 2 * (unsigned)server->limits.stall_ms + 10000; // ours comes first
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stall, sizeof stall);
}

static bool conn_set_up(struct http_conn *conn) {
    /* The library does not look at the socket of a suspended connection: we do, for its end. */
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = conn};
    set_address(conn);
    if (too_many(conn)) return false;
    if (conn->server->listen.port) watch_tcp(conn->server, conn->fd);
    return !epoll_ctl(conn->server->epoll, EPOLL_CTL_ADD, conn->fd, &event);
}

struct http_conn *http_conn_open(struct http_server *server, struct MHD_Connection *library) {
    struct http_conn *conn = calloc(1, sizeof *conn);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(library, MHD_CONNECTION_INFO_CONNECTION_FD);
    int fd = info ? info->connect_fd : -1;
    if (conn)
        *conn = (struct http_conn){
            .watch = HTTP_WATCH_CONN, .server = server, .library = library, .fd = fd};
    if (!conn || !conn_set_up(conn)) {
        free(conn);
        shutdown(fd, SHUT_RDWR); // the library will see its end
        return NULL;
    }
    conn->deadline = clock_ns() + server->limits.head_ms * HTTP_MS;
    conn->next = server->conns;
    if (conn->next) conn->next->prev = conn;
    server->conns = conn;
    atomic_fetch_add(&server->n_conns, 1);
    http_loop_touch(server, conn->deadline);
    return conn;
}

void http_conn_close(struct http_conn *conn) {
    struct http_server *server = conn->server;
    if (conn->linger) http_loop_linger(conn);
    epoll_ctl(server->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        server->conns = conn->next;
    if (conn->next) conn->next->prev = conn->prev;
    atomic_fetch_sub(&server->n_conns, 1);
    server->again = true;
    free(conn);
}
