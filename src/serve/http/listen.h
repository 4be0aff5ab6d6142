/* The socket that a server listens on, and what its address means. */
#ifndef JL_SERVE_HTTP_LISTEN_H
#define JL_SERVE_HTTP_LISTEN_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/status.h"

struct http_listen {
    int fd;
    int port;         // 0: a Unix socket
    bool local;       // nobody outside this machine reaches it
    char address[64]; // numeric; "": a Unix socket
    char url[160];    // "http://[::1]:8080", "unix:PATH"
    char *path;       // of the socket, owned; NULL: TCP
    struct stat info; // of the socket's file
};

/* Is the address this machine's own? JL_ERR_USAGE: it is no address. Nothing is opened. */
enum jl_status http_listen_is_local(const char *address, bool *local, struct jl_error *err);

/* `address` as in http_server_options. A Unix socket has mode 0600; a file in its place is refused
 * unless it is a socket that nobody answers on. */
enum jl_status http_listen_open(const char *address, int port, bool tls, struct http_listen *out,
                                struct jl_error *err);
void http_listen_close(struct http_listen *listen); // removes the file of a Unix socket

#endif
