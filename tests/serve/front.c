/* A server to be tested from outside: a few routes, and threads of their own that answer.
 *
 *     front [NAME=VALUE...]
 *
 * Prints "url ..." when it listens, then what its commands (one a line on stdin) give:
 * stats | reload | stop MS | fail N | break | quit. Lines of the log go to stdout after "log ", and
 * "gone
 * ..." tells of answers whose client left before they were whole. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/http/server.h"

static atomic_uint n_workers;

/* ---- memory that fails: the linker sends the project's calls here (--wrap) ---- */

static atomic_long until_failure = -1; // calls that still succeed; below 0: all

static bool fails(void) {
    long left = atomic_load(&until_failure);
    while (left >= 0 && !atomic_compare_exchange_weak(&until_failure, &left, left - 1))
        ;
    return left == 0;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n) {
    return fails() ? NULL : __real_aligned_alloc(align, n);
}
void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *old, size_t n) { return fails() ? NULL : __real_realloc(old, n); }

/* ---- ---- */

static void rest(int ms) { usleep((unsigned)ms * 1000); }

static int number(const struct http_request *request, const char *name, int otherwise) {
    const char *text = http_request_query(request, name);
    return text && text[0] ? atoi(text) : otherwise;
}

static void say(const char *what, const struct http_request *request, long long value) {
    flockfile(stdout);
    printf("%s %s %s %lld %lld\n", what, http_request_id(request), http_request_path(request),
           value, (long long)clock_ns());
    fflush(stdout);
    funlockfile(stdout);
}

static void text_reply(struct http_request *request, const char *text) {
    http_reply(request, &(struct http_reply){.body = text, .len = strlen(text)});
}

/* ---- answers at once ---- */

static void on_health(void *ctx, struct http_request *request) {
    (void)ctx;
    text_reply(request, "{\"status\":\"ok\"}");
}

static void on_echo(void *ctx, struct http_request *request) {
    const char *type = http_request_header(request, "content-type");
    struct http_reply reply = {.type = type ? type : "text/plain"};
    (void)ctx;
    reply.body = http_request_body(request, &reply.len);
    http_reply(request, &reply);
}

static void on_parts(void *ctx, struct http_request *request) {
    char text[4096];
    const char *query = http_request_query(request, "q");
    (void)ctx;
    snprintf(text, sizeof text, "%s|%s|%s", http_request_part(request, "a"),
             http_request_part(request, "rest"), query ? query : "(none)");
    text_reply(request, text);
}

static void on_who(void *ctx, struct http_request *request) {
    char text[256];
    struct http_client client = http_request_client(request);
    (void)ctx;
    snprintf(text, sizeof text, "%s %u %u %u", client.name ? client.name : "nobody", client.at_once,
             client.per_minute, client.tokens_per_minute);
    text_reply(request, text);
}

static void on_large(void *ctx, struct http_request *request) {
    size_t n = (size_t)number(request, "n", 1 << 20);
    char *text = malloc(n + 1);
    (void)ctx;
    for (size_t i = 0; text && i < n; i++)
        text[i] = (char)('a' + i % 26);
    if (text) http_reply(request, &(struct http_reply){.body = text, .len = n});
    free(text);
}

static void on_lost(void *ctx, struct http_request *request) { (void)ctx, (void)request; }

static void on_twice(void *ctx, struct http_request *request) {
    (void)ctx;
    text_reply(request, "first");
    if (http_reply(request, &(struct http_reply){.status = 500}) != HTTP_REFUSED)
        say("error", request, 0);
    if (http_stream_write(request, "x", 1) != HTTP_REFUSED) say("error", request, 1);
    http_reply_error(request, 500, "internal", "not this");
}

static void on_problem(void *ctx, struct http_request *request) {
    (void)ctx;
    http_reply_error(request, 418, "teapot", "short and \"stout\"");
}

/* ---- answers from other threads ---- */

static void start(struct http_request *request, void *(*body)(void *)) {
    pthread_t thread;
    pthread_attr_t attr;
    http_request_hold(request);
    atomic_fetch_add(&n_workers, 1);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 << 10);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, body, request)) {
        atomic_fetch_sub(&n_workers, 1);
        http_request_drop(request);
    }
    pthread_attr_destroy(&attr);
}

static void *finish(struct http_request *request) {
    http_request_drop(request);
    atomic_fetch_sub(&n_workers, 1);
    return NULL;
}

/* Looks every millisecond whether the client is still there, as a scheduler does between chunks. */
static bool wait_for(struct http_request *request, int ms) {
    for (int64_t until = clock_ns() + ms * 1000000LL; clock_ns() < until; rest(1))
        if (http_request_gone(request)) {
            say("gone", request, 0);
            return false;
        }
    return true;
}

static void *later(void *ctx) {
    struct http_request *request = ctx;
    if (wait_for(request, number(request, "ms", 50))) text_reply(request, "later");
    return finish(request);
}

static void *dropped(void *ctx) {
    struct http_request *request = ctx;
    const char *begun = http_request_query(request, "begun");
    rest(20);
    if (begun) {
        http_stream_begin(request, &(struct http_stream_head){.kind = HTTP_STREAM_SSE});
        http_stream_event(request, NULL, "half", 4);
    }
    return finish(request);
}

static void *events(void *ctx) {
    struct http_request *request = ctx;
    int n = number(request, "n", 3), ms = number(request, "ms", 5);
    size_t len;
    const char *body = http_request_body(request, &len);
    enum http_result result = HTTP_DONE;
    rest(number(request, "before", 0));
    http_stream_begin(request,
                      &(struct http_stream_head){.kind = HTTP_STREAM_SSE,
                                                 .ping = http_request_query(request, "ping")});
    for (int i = 0; i < n && result == HTTP_DONE; i++) {
        if (!wait_for(request, ms)) return finish(request);
        result = http_stream_event(request, i % 2 ? "odd" : NULL, body, len);
    }
    if (result == HTTP_DONE) result = http_stream_end(request);
    if (result != HTTP_DONE) say("result", request, result);
    return finish(request);
}

static void *lines(void *ctx) {
    struct http_request *request = ctx;
    http_stream_begin(request, &(struct http_stream_head){.kind = HTTP_STREAM_NDJSON});
    for (int i = 0; i < number(request, "n", 3); i++) {
        rest(number(request, "ms", 5));
        if (http_stream_line(request, "{\"a\":1}", 7) != HTTP_DONE) break;
    }
    if (http_stream_line(request, "a\nb", 3) != HTTP_REFUSED) say("error", request, 2);
    http_stream_end(request);
    return finish(request);
}

/* As fast as it is taken; tells when it is full for the first time and how it ends. */
static void *flood(void *ctx) {
    struct http_request *request = ctx;
    static const char block[4096] = {[0 ... 4095] = 'x'};
    long long full = 0, sent = 0;
    enum http_result result;
    http_stream_begin(request, &(struct http_stream_head){.kind = HTTP_STREAM_BYTES});
    while ((result = http_stream_write(request, block, sizeof block)) == HTTP_DONE ||
           result == HTTP_FULL) {
        if (result == HTTP_DONE) sent += (long long)sizeof block;
        if (result == HTTP_FULL && !full++) say("full", request, sent);
        if (result == HTTP_FULL) rest(1);
    }
    say("gone", request, sent);
    return finish(request);
}

static void on_later(void *ctx, struct http_request *request) { (void)ctx, start(request, later); }
static void on_dropped(void *ctx, struct http_request *request) {
    (void)ctx, start(request, dropped);
}
static void on_events(void *ctx, struct http_request *request) {
    (void)ctx, start(request, events);
}
static void on_lines(void *ctx, struct http_request *request) { (void)ctx, start(request, lines); }
static void on_flood(void *ctx, struct http_request *request) { (void)ctx, start(request, flood); }

/* ---- streams that say nothing, all kept by one thread ---- */

#define MOST_IDLE 4096
static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static struct http_request *idle[MOST_IDLE];
static atomic_bool idle_ends;

static void on_idle(void *ctx, struct http_request *request) {
    (void)ctx;
    pthread_mutex_lock(&idle_lock);
    for (size_t i = 0; i < MOST_IDLE; i++)
        if (!idle[i]) {
            http_request_hold(idle[i] = request);
            http_stream_begin(request, &(struct http_stream_head){.kind = HTTP_STREAM_SSE});
            break;
        }
    pthread_mutex_unlock(&idle_lock);
}

static void *keep_idle(void *ctx) {
    (void)ctx;
    for (bool last = false; !last; rest(20)) {
        last = atomic_load(&idle_ends);
        pthread_mutex_lock(&idle_lock);
        for (size_t i = 0; i < MOST_IDLE; i++)
            if (idle[i] && (last || http_request_gone(idle[i]))) {
                http_request_drop(idle[i]);
                idle[i] = NULL;
            }
        pthread_mutex_unlock(&idle_lock);
    }
    return NULL;
}

/* ---- the program ---- */

static char *shape_b(const struct http_problem *problem) {
    char *text = NULL;
    return asprintf(&text, "{\"b\":%d,\"kind\":\"%s\"}", problem->status, problem->kind) < 0 ? NULL
                                                                                             : text;
}

static const struct http_route routes[] = {
    {"GET", "/health", on_health, NULL, true},
    {"GET", "/", on_health, NULL, true},
    {"POST", "/echo", on_echo, NULL, false},
    {"PUT", "/echo", on_echo, NULL, false},
    {"GET", "/parts/{a}/x/{rest...}", on_parts, NULL, false},
    {"GET", "/who", on_who, NULL, false},
    {"GET", "/large", on_large, NULL, false},
    {"GET", "/lost", on_lost, NULL, false},
    {"GET", "/twice", on_twice, NULL, false},
    {"GET", "/problem", on_problem, NULL, false},
    {"GET", "/b/problem", on_problem, NULL, false},
    {"POST", "/later", on_later, NULL, false},
    {"GET", "/later", on_later, NULL, false},
    {"GET", "/dropped", on_dropped, NULL, false},
    {"POST", "/events", on_events, NULL, false},
    {"GET", "/lines", on_lines, NULL, false},
    {"GET", "/flood", on_flood, NULL, false},
    {"GET", "/idle", on_idle, NULL, false},
};
static const struct http_shape shapes[] = {{"/b/", shape_b}};

static void write_log(void *ctx, const char *line, size_t len) {
    (void)ctx;
    flockfile(stdout);
    fputs("log ", stdout);
    http_log_to_stream(stdout, line, len);
    funlockfile(stdout);
}

static const char *hosts[8], *origins[8];

static bool option(struct http_server_options *options, const char *name, const char *value) {
    struct http_limits *limits = &options->limits;
    const struct {
        const char *name;
        const char **text;
        size_t *size;
        int *number;
        unsigned *count;
    } known[] = {
        {"address", .text = &options->address},
        {"port", .number = &options->port},
        {"cert", .text = &options->tls_cert_file},
        {"key", .text = &options->tls_key_file},
        {"keys", .text = &options->keys_file},
        {"host", .text = &hosts[options->n_allow_hosts]},
        {"origin", .text = &origins[options->n_allow_origins]},
        {"header_bytes", .size = &limits->header_bytes},
        {"body_bytes", .size = &limits->body_bytes},
        {"bodies_bytes", .size = &limits->bodies_bytes},
        {"refused_bytes", .size = &limits->refused_bytes},
        {"stream_bytes", .size = &limits->stream_bytes},
        {"head_ms", .number = &limits->head_ms},
        {"body_ms", .number = &limits->body_ms},
        {"body_rate", .number = &limits->body_rate},
        {"body_grace_ms", .number = &limits->body_grace_ms},
        {"idle_ms", .number = &limits->idle_ms},
        {"stall_ms", .number = &limits->stall_ms},
        {"ping_ms", .number = &limits->ping_ms},
        {"connections", .count = &limits->connections},
        {"per_address", .count = &limits->per_address},
        {"key_at_once", .count = &limits->key_at_once},
        {"key_per_minute", .count = &limits->key_per_minute},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].name, name)) continue;
        if (known[i].text) *known[i].text = value;
        if (known[i].size) *known[i].size = strtoul(value, NULL, 10);
        if (known[i].number) *known[i].number = atoi(value);
        if (known[i].count) *known[i].count = (unsigned)atoi(value);
        options->n_allow_hosts += !strcmp(name, "host");
        options->n_allow_origins += !strcmp(name, "origin");
        return true;
    }
    if (!strcmp(name, "insecure")) return options->insecure_no_keys = true;
    return false;
}

/* Resident memory, bytes. */
static long long resident(void) {
    long long pages = 0, unused;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%lld %lld", &unused, &pages) != 2) pages = 0;
    if (file) fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

/* Closes the library's epoll descriptor, the last one made, behind its back: it will give up. */
static void break_library(void) {
    char path[64], name[64];
    for (int fd = 1023; fd > 2; fd--) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, name, sizeof name - 1);
        name[n > 0 ? n : 0] = 0;
        if (strcmp(name, "anon_inode:[eventpoll]")) continue;
        syscall(SYS_close, fd); // not `close`: the sanitizer would rightly call it a race
        return;
    }
}

static void command(struct http_server *server, const char *line) {
    struct jl_error err = {0};
    int ms;
    if (!strncmp(line, "stats", 5)) {
        struct http_stats stats = http_server_stats(server);
        struct timespec cpu;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
        printf("stats {\"connections\":%u,\"requests\":%u,\"all\":%llu,\"refused\":%llu,"
               "\"gone\":%llu,\"running\":%d,\"rss\":%lld,\"cpu_ms\":%.3f,\"workers\":%u}\n",
               stats.connections, stats.requests, (unsigned long long)stats.requests_all,
               (unsigned long long)stats.refused_all, (unsigned long long)stats.gone_all,
               http_server_running(server), resident(),
               (double)cpu.tv_sec * 1e3 + (double)cpu.tv_nsec * 1e-6, atomic_load(&n_workers));
    } else if (!strncmp(line, "reload", 6)) {
        enum jl_status status = http_server_reload_keys(server, &err);
        printf("reload %d %s\n", status, err.message);
    } else if (sscanf(line, "fail %d", &ms) == 1) {
        printf("left %ld\n", atomic_exchange(&until_failure, ms));
    } else if (!strncmp(line, "break", 5)) {
        break_library();
        http_server_stop(server, 100); // takes the listening socket out of what is no more
        printf("stopped -\n");
    } else if (sscanf(line, "stop %d", &ms) == 1) {
        int64_t from = clock_ns();
        http_server_stop(server, ms);
        printf("stopped %lld\n", (long long)(clock_ns() - from) / 1000000);
    }
    fflush(stdout);
}

int main(int argc, char **argv) {
    struct http_server_options options = {.routes = routes,
                                          .n_routes = sizeof routes / sizeof routes[0],
                                          .shapes = shapes,
                                          .n_shapes = 1,
                                          .allow_hosts = hosts,
                                          .allow_origins = origins,
                                          .log = write_log};
    struct http_server *server;
    struct jl_error err = {0};
    struct rlimit files = {4096, 4096};
    pthread_t keeper;
    char line[256];
    setrlimit(RLIMIT_NOFILE, &files);
    for (int i = 1; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals) *equals = 0;
        if (!option(&options, argv[i], equals ? equals + 1 : "")) {
            fprintf(stderr, "front: no option '%s'\n", argv[i]);
            return 2;
        }
    }
    enum jl_status status = http_server_start(&options, &server, &err);
    if (status != JL_OK) {
        fprintf(stderr, "front: %s\n", err.message);
        return jl_status_exit_code(status);
    }
    pthread_create(&keeper, NULL, keep_idle, NULL);
    printf("url %s %d\n", http_server_url(server), http_server_port(server));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) && strncmp(line, "quit", 4))
        command(server, line);
    http_server_stop(server, 0);
    atomic_store(&idle_ends, true);
    pthread_join(keeper, NULL);
    for (int i = 0; i < 5000 && atomic_load(&n_workers); i++)
        rest(1);
    http_server_free(server); // requests that are held must not need it
    printf("ended %u\n", atomic_load(&n_workers));
    return 0;
}
