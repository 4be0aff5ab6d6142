#include "serve/http/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "serve/http/self.h"

#define PEM_BYTES (1 << 20)
#define OTHER_FILES 128 // descriptors that are not connections; half of them may linger

/* ---- options ---- */

static enum jl_status check_limits(const struct http_limits *limits, struct jl_error *err) {
    struct rlimit files;
    if (limits->head_ms < 0 || limits->body_ms < 0 || limits->body_rate < 0 ||
        limits->body_grace_ms < 0 || limits->idle_ms < 0 || limits->stall_ms < 0 ||
        limits->ping_ms < 0 || limits->header_bytes < 256 || limits->header_bytes > 16u << 20)
        return jl_fail(err, JL_ERR_USAGE,
                       "a limit of the server is negative, or header_bytes is not 256 to 16 MiB");
    if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur != RLIM_INFINITY &&
        files.rlim_cur < (rlim_t)limits->connections + OTHER_FILES)
        return jl_fail(err, JL_ERR_LIMIT,
                       "%u connections need %u open files, and this process may have %llu: allow "
                       "more (ulimit -n) or fewer connections",
                       limits->connections, limits->connections + OTHER_FILES,
                       (unsigned long long)files.rlim_cur);
    return JL_OK;
}

static enum jl_status copy_list(struct arena *arena, const char *const *list, size_t n,
                                const char *const **out, struct jl_error *err) {
    const char **copy = arena_calloc(arena, n + 1, sizeof *copy);
    *out = copy;
    for (size_t i = 0; copy && i < n; i++)
        if (!(copy[i] = arena_strdup(arena, list[i]))) copy = NULL;
    return copy ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for the server");
}

static enum jl_status take_places(struct http_server *server,
                                  const struct http_server_options *options, struct jl_error *err) {
    struct http_places *places = &server->places;
    for (size_t i = 0; i < options->n_allow_hosts; i++)
        if (!http_place_host_entry(options->allow_hosts[i]))
            return jl_fail(err, JL_ERR_USAGE,
                           "'%s' is no host to allow: write a name without port (box.lan), "
                           "*.NAME, an IP address, or *",
                           options->allow_hosts[i]);
    for (size_t i = 0; i < options->n_allow_origins; i++)
        if (!http_place_origin_entry(options->allow_origins[i]))
            return jl_fail(err, JL_ERR_USAGE,
                           "'%s' is no origin to allow: write https://NAME[:PORT], or *",
                           options->allow_origins[i]);
    places->n_hosts = options->n_allow_hosts;
    places->n_origins = options->n_allow_origins;
    JL_TRY(copy_list(&server->arena, options->allow_hosts, places->n_hosts, &places->hosts, err));
    return copy_list(&server->arena, options->allow_origins, places->n_origins, &places->origins,
                     err);
}

/* A private key that everybody can read is none. */
static enum jl_status read_tls(struct http_server *server,
                               const struct http_server_options *options, struct jl_error *err) {
    struct stat info;
    if (!options->tls_cert_file && !options->tls_key_file) return JL_OK;
    if (!options->tls_cert_file || !options->tls_key_file)
        return jl_fail(err, JL_ERR_USAGE, "TLS needs a certificate and its key");
    if (!http_access_has_tls())
        return jl_fail(err, JL_ERR_UNSUPPORTED, "this libmicrohttpd was built without TLS");
    JL_TRY(file_read(options->tls_cert_file, PEM_BYTES, &server->tls_cert, NULL, err));
    JL_TRY(file_read(options->tls_key_file, PEM_BYTES, &server->tls_key, NULL, err));
    if (stat(options->tls_key_file, &info) == 0 && (info.st_mode & 006))
        return jl_fail(err, JL_ERR_IO, "%s: everybody can read or change this key; chmod 600 it",
                       options->tls_key_file);
    return JL_OK;
}

static enum jl_status take_keys(struct http_server *server,
                                const struct http_server_options *options, struct jl_error *err) {
    const char *address = options->address ? options->address : "127.0.0.1";
    bool local;
    JL_TRY(http_listen_is_local(address, &local, err));
    if (!local && !options->keys_file && !options->insecure_no_keys)
        return jl_fail(
            err, JL_ERR_USAGE,
            "%s can be reached from other machines, and nobody would be asked for a "
            "key: make one with `--keys FILE --make-key NAME` and give --keys FILE (or say "
            "--insecure-no-keys: whoever reaches the address may then use the server)",
            address);
    if (!options->keys_file) return JL_OK;
    server->keys_path = arena_strdup(&server->arena, options->keys_file);
    if (!server->keys_path) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the server");
    return http_keys_read(server->keys_path, &server->keys, err);
}

static enum jl_status configure(struct http_server *server,
                                const struct http_server_options *options, struct jl_error *err) {
    server->limits = http_limits_filled(&options->limits);
    server->count_loopback = options->limits.per_address != 0;
    server->routes = options->routes;
    server->n_routes = options->n_routes;
    server->shapes = options->shapes;
    server->n_shapes = options->n_shapes;
    server->log = options->log;
    server->log_ctx = options->log_ctx;
    JL_TRY(check_limits(&server->limits, err));
    JL_TRY(http_route_check(options->routes, options->n_routes, err));
    JL_TRY(take_places(server, options, err));
    JL_TRY(read_tls(server, options, err));
    return take_keys(server, options, err);
}

/* ---- starting ---- */

static enum jl_status open_watch(struct http_server *server, struct jl_error *err) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &server->watch_wake};
    server->watch_library = HTTP_WATCH_LIBRARY;
    server->watch_wake = HTTP_WATCH_WAKE;
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->epoll >= 0 && server->wake >= 0 &&
        !epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->wake, &event))
        return JL_OK;
    return jl_fail(err, JL_ERR_IO, "the server does not start: %s", strerror(errno));
}

/* All signals are for the program's other threads; SIGPIPE is for nobody. */
static enum jl_status start_thread(struct http_server *server, struct jl_error *err) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&server->thread, NULL, http_loop_thread, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code) return jl_fail(err, JL_ERR_IO, "the server does not start: %s", strerror(code));
    server->thread_made = true;
    pthread_mutex_lock(&server->state_lock);
    while (server->state == HTTP_STARTING)
        pthread_cond_wait(&server->state_changed, &server->state_lock);
    bool running = server->state == HTTP_RUNNING;
    pthread_mutex_unlock(&server->state_lock);
    if (running) return JL_OK;
    pthread_join(server->thread, NULL);
    server->thread_made = false;
    const char *why = server->start_error.message;
    return jl_fail(err, JL_ERR_IO, "%s", why[0] ? why : "the HTTP server does not start");
}

static enum jl_status start(struct http_server *server, const struct http_server_options *options,
                            struct jl_error *err) {
    const char *address = options->address ? options->address : "127.0.0.1";
    JL_TRY(configure(server, options, err));
    JL_TRY(open_watch(server, err));
    JL_TRY(http_listen_open(address, options->port, server->tls_cert, &server->listen, err));
    server->places.listen = server->listen.port ? server->listen.address : NULL;
    return start_thread(server, err);
}

enum jl_status http_server_start(const struct http_server_options *options,
                                 struct http_server **out, struct jl_error *err) {
    *out = NULL;
    struct http_server *server = calloc(1, sizeof *server);
    if (!server) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the server");
    server->epoll = server->wake = server->listen.fd = -1;
    pthread_mutex_init(&server->state_lock, NULL);
    pthread_mutex_init(&server->keys_lock, NULL);
    pthread_mutex_init(&server->ready_lock, NULL);
    pthread_cond_init(&server->state_changed, NULL);
    enum jl_status status = start(server, options, err);
    if (status == JL_OK)
        *out = server;
    else
        http_server_free(server);
    return status;
}

/* ---- while it runs ---- */

bool http_server_running(struct http_server *server) {
    pthread_mutex_lock(&server->state_lock);
    bool running = server->state == HTTP_RUNNING;
    pthread_mutex_unlock(&server->state_lock);
    return running;
}

int http_server_port(const struct http_server *server) { return server->listen.port; }
const char *http_server_url(const struct http_server *server) { return server->listen.url; }

enum jl_status http_server_reload_keys(struct http_server *server, struct jl_error *err) {
    struct http_keys keys, old;
    if (!server->keys_path)
        return jl_fail(err, JL_ERR_USAGE, "the server was started without a keys file");
    JL_TRY(http_keys_read(server->keys_path, &keys, err));
    pthread_mutex_lock(&server->keys_lock);
    for (size_t i = 0; i < keys.n; i++) {
        const struct http_key *was = http_keys_named(&server->keys, keys.rows[i].name);
        if (!was) continue;
        keys.rows[i].active = was->active;
        keys.rows[i].tat_ns = was->tat_ns;
    }
    old = server->keys;
    server->keys = keys;
    pthread_mutex_unlock(&server->keys_lock);
    http_keys_free(&old);
    return JL_OK;
}

struct http_stats http_server_stats(struct http_server *server) {
    return (struct http_stats){.connections = atomic_load(&server->n_conns),
                               .requests = atomic_load(&server->n_requests),
                               .requests_all = atomic_load(&server->requests_all),
                               .refused_all = atomic_load(&server->refused_all),
                               .bytes_in = atomic_load(&server->bytes_in),
                               .bytes_out = atomic_load(&server->bytes_out),
                               .gone_all = atomic_load(&server->gone_all)};
}

/* ---- the end ---- */

void http_server_stop(struct http_server *server, int drain_ms) {
    if (!server || !server->thread_made) return;
    atomic_store(&server->drain_ms, drain_ms > 0 ? drain_ms : 0);
    atomic_store(&server->stopping, true);
    http_loop_wake(server);
    pthread_join(server->thread, NULL);
    server->thread_made = false;
}

static void wipe(char *text) {
    if (text) explicit_bzero(text, strlen(text));
    free(text);
}

void http_server_free(struct http_server *server) {
    if (!server) return;
    http_server_stop(server, 0);
    http_listen_close(&server->listen);
    if (server->epoll >= 0) close(server->epoll);
    if (server->wake >= 0) close(server->wake);
    http_keys_free(&server->keys);
    wipe(server->tls_cert);
    wipe(server->tls_key);
    pthread_cond_destroy(&server->state_changed);
    pthread_mutex_destroy(&server->ready_lock);
    pthread_mutex_destroy(&server->keys_lock);
    pthread_mutex_destroy(&server->state_lock);
    arena_free(&server->arena);
    free(server);
}
