#include "serve/http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve/http/place.h"

#define BACKLOG 512
#define UNIX_PREFIX "unix:"

static bool is_unix(const char *address) { return !strncmp(address, UNIX_PREFIX, 5); }

static enum jl_status look_up(const char *address, int port, struct addrinfo **out,
                              struct jl_error *err) {
    char service[16];
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    if (port < 0 || port > 65535)
        return jl_fail(err, JL_ERR_USAGE, "%d is no port: 0 to 65535", port);
    snprintf(service, sizeof service, "%d", port);
    if (!strcmp(address, "localhost")) address = "127.0.0.1";
    if (!strcmp(address, "*") || getaddrinfo(address, service, &hints, out)) // glibc: "*" is any
        return jl_fail(err, JL_ERR_USAGE,
                       "'%s' is no address to listen on: write an IP address (127.0.0.1, ::1, "
                       "0.0.0.0), localhost, or unix:PATH",
                       address);
    return JL_OK;
}

static enum jl_status numeric(const struct sockaddr *sockaddr, socklen_t len, char *out,
                              size_t size, int *port, struct jl_error *err) {
    char service[16];
    int code = getnameinfo(sockaddr, len, out, (socklen_t)size, service, sizeof service,
                           NI_NUMERICHOST | NI_NUMERICSERV);
    if (code) return jl_fail(err, JL_ERR_IO, "the address: %s", gai_strerror(code));
    *port = atoi(service);
    return JL_OK;
}

static bool loopback(const char *address) {
    struct http_place place = {.literal = true};
    snprintf(place.host, sizeof place.host, "%s", address);
    return http_place_loopback(&place);
}

enum jl_status http_listen_is_local(const char *address, bool *local, struct jl_error *err) {
    struct addrinfo *found;
    char text[64];
    int port;
    *local = is_unix(address);
    if (*local) return JL_OK;
    JL_TRY(look_up(address, 0, &found, err));
    enum jl_status status =
        numeric(found->ai_addr, found->ai_addrlen, text, sizeof text, &port, err);
    freeaddrinfo(found);
    *local = status == JL_OK && loopback(text);
    return status;
}

/* ---- TCP ---- */

static enum jl_status open_tcp(const char *address, int port, bool tls, struct http_listen *out,
                               struct jl_error *err) {
    struct addrinfo *found;
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    int on = 1, off = 0;
    JL_TRY(look_up(address, port, &found, err));
    bool six = found->ai_family == AF_INET6;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    out->fd = fd;
    bool ok = fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (ok && six) // "::" takes IPv4 too
        ok = !setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    ok = ok && !bind(fd, found->ai_addr, found->ai_addrlen) && !listen(fd, BACKLOG) &&
         !getsockname(fd, (struct sockaddr *)&bound, &len);
    int code = errno;
    freeaddrinfo(found);
    if (!ok)
        return jl_fail(err, JL_ERR_IO, "cannot listen on %s port %d: %s%s", address, port,
                       strerror(code),
                       code == EADDRINUSE ? " (is a server running? take another port)" : "");
    JL_TRY(numeric((struct sockaddr *)&bound, len, out->address, sizeof out->address, &out->port,
                   err));
    out->local = loopback(out->address);
    snprintf(out->url, sizeof out->url, "%s://%s%s%s:%d", tls ? "https" : "http", six ? "[" : "",
             out->address, six ? "]" : "", out->port);
    return JL_OK;
}

/* ---- Unix ---- */

/* A socket that its server left behind, when it was killed, stands in the way. */
static enum jl_status clear_way(const struct sockaddr_un *name, struct jl_error *err) {
    struct stat info;
    if (lstat(name->sun_path, &info)) return JL_OK;
    if (!S_ISSOCK(info.st_mode))
        return jl_fail(err, JL_ERR_IO, "%s: is there and no socket; refused", name->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return jl_fail(err, JL_ERR_IO, "a socket: %s", strerror(errno));
    bool dead = connect(fd, (const struct sockaddr *)name, sizeof *name) && errno == ECONNREFUSED;
    close(fd);
    if (!dead) return jl_fail(err, JL_ERR_IO, "%s: another server listens there", name->sun_path);
    unlink(name->sun_path);
    return JL_OK;
}

static enum jl_status open_unix(const char *path, struct http_listen *out, struct jl_error *err) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (!path[0] || strlen(path) >= sizeof name.sun_path)
        return jl_fail(err, JL_ERR_USAGE, "the path of a socket has 1 to %zu bytes",
                       sizeof name.sun_path - 1);
    strcpy(name.sun_path, path);
    JL_TRY(clear_way(&name, err));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    out->fd = fd;
    bool bound = fd >= 0 && !bind(fd, (const struct sockaddr *)&name, sizeof name);
    /* Nobody can connect before it listens. */
    if (bound && !chmod(path, 0600) && !listen(fd, BACKLOG) && !lstat(path, &out->info) &&
        (out->path = strdup(path))) {
        out->local = true;
        snprintf(out->url, sizeof out->url, UNIX_PREFIX "%s", path);
        return JL_OK;
    }
    int code = errno;
    if (bound) unlink(path);
    return jl_fail(err, JL_ERR_IO, "cannot listen on %s: %s", path, strerror(code));
}

enum jl_status http_listen_open(const char *address, int port, bool tls, struct http_listen *out,
                                struct jl_error *err) {
    *out = (struct http_listen){.fd = -1};
    enum jl_status status = is_unix(address) ? open_unix(address + 5, out, err)
                                             : open_tcp(address, port, tls, out, err);
    if (status != JL_OK) http_listen_close(out);
    return status;
}

void http_listen_close(struct http_listen *listen) {
    struct stat info;
    if (listen->fd >= 0) close(listen->fd);
    /* Another server may have taken the name since. */
    if (listen->path && !lstat(listen->path, &info) && info.st_ino == listen->info.st_ino &&
        info.st_dev == listen->info.st_dev)
        unlink(listen->path);
    free(listen->path);
    listen->path = NULL;
    listen->fd = -1;
}
