/* serve: models behind HTTP, for many at once. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/chat/past.h"
#include "cli/serve_model.h"
#include "cli/serve_runs.h"
#include "serve/chats/routes.h"
#include "serve/http/keys.h"
#include "serve/page.h"
#include "serve/routes.h"
#include "text/utf8.h"

enum { MOST_MODELS = 4, PORT = 8080, DRAIN_SECONDS = 10 };

struct serve {
    const char *models[MOST_MODELS];
    const char *ids[MOST_MODELS];
    char named[MOST_MODELS][128];
    int n_model;
    struct cli_list names, aliases;
    const char *host, *cert, *key, *keys, *make_key, *log;
    int port, most_n, connections;
    bool no_keys, no_runs, admin;
    struct cli_list hosts, origins;
    struct serve_model_options model;
    struct routes_context context;
    const char *chats; // the file of them; NULL: where it usually is, "none"
    struct chats_context page;
    const char *words;
    FILE *log_file, *words_file;
};

/* ---- keys ---- */

static enum jl_status make_key(const struct serve *serve, struct jl_error *err) {
    struct http_key key = {.admin = serve->admin};
    char text[HTTP_KEY_TEXT];
    if (!serve->keys) return jl_fail(err, JL_ERR_USAGE, "--make-key wants --keys FILE");
    if (strlen(serve->make_key) >= sizeof key.name)
        return jl_fail(err, JL_ERR_USAGE, "a key's name has at most %zu bytes",
                       sizeof key.name - 1);
    strcpy(key.name, serve->make_key);
    JL_TRY(http_keys_add(serve->keys, &key, text, err));
    printf("%s\n", text);
    fprintf(stderr, "the key of %s: it is shown this once; %s has its hash\n", key.name,
            serve->keys);
    return JL_OK;
}

/* ---- models ---- */

static enum jl_status name_models(struct serve *serve, struct jl_error *err) {
    if (serve->names.n > serve->n_model)
        return jl_fail(err, JL_ERR_USAGE, "--name is given %d times, and there are %d models",
                       serve->names.n, serve->n_model);
    for (int i = 0; i < serve->n_model; i++) {
        serve->ids[i] = serve->named[i];
        if (i < serve->names.n)
            snprintf(serve->named[i], sizeof serve->named[i], "%s", serve->names.items[i]);
        else
            serve_model_id(serve->models[i], serve->named[i], sizeof serve->named[i]);
        size_t n = strlen(serve->ids[i]);
        if (n == 0 || utf8_valid_length(serve->ids[i], n) != n)
            return jl_fail(err, JL_ERR_USAGE, "give model %d a --name of UTF-8 text", i + 1);
        for (int k = 0; k < i; k++)
            if (!strcmp(serve->ids[i], serve->ids[k]))
                return jl_fail(err, JL_ERR_USAGE,
                               "two models would be called %s: give each its --name",
                               serve->ids[i]);
    }
    return JL_OK;
}

static enum jl_status open_model(struct serve *serve, int i, struct jl_error *err) {
    struct served *served;
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    JL_TRY(serve_model_open(serve->models[i], serve->ids[i], &serve->model, &served, err));
    clock_gettime(CLOCK_MONOTONIC, &ended);
    double seconds =
        (double)(ended.tv_sec - began.tv_sec) + 1e-9 * (double)(ended.tv_nsec - began.tv_nsec);
    struct scheduler_stats stats;
    scheduler_stats(served_scheduler(served), &stats);
    fprintf(stderr, "%s: %s, context of %d tokens, cache of %d pages for all; opened in %.1f s\n",
            serve->ids[i], served_class(served), served_n_ctx(served), stats.n_page, seconds);
    enum jl_status status = serving_put(serve->context.serving, served, err);
    if (status != JL_OK) served_drop(served);
    return status;
}

/* What works with the old ones goes on with them. */
static void reload_models(struct serve *serve) {
    for (int i = 0; i < serve->n_model; i++) {
        struct jl_error err = {0};
        if (open_model(serve, i, &err) != JL_OK)
            fprintf(stderr, "jinlin serve: %s stays as it is: %s\n", serve->ids[i], err.message);
    }
}

/* ---- running ---- */

static enum jl_status start(struct serve *serve, struct http_route *routes, struct jl_error *err) {
    struct http_server_options options = {
        .address = serve->host,
        .port = serve->port,
        .tls_cert_file = serve->cert,
        .tls_key_file = serve->key,
        .keys_file = serve->keys,
        .insecure_no_keys = serve->no_keys,
        .allow_hosts = serve->hosts.items,
        .n_allow_hosts = (size_t)serve->hosts.n,
        .allow_origins = serve->origins.items,
        .n_allow_origins = (size_t)serve->origins.n,
        .limits = {.stream_bytes = 8 << 20, .connections = (unsigned)serve->connections},
        .routes = routes,
        .n_routes = routes_fill(&serve->context, routes),
        .shapes = routes_shapes,
        .n_shapes = routes_n_shape,
    };
    if (serve->log) {
        bool standard = !strcmp(serve->log, "-");
        serve->log_file = standard ? stdout : fopen(serve->log, "ae");
        if (!serve->log_file)
            return jl_fail(err, JL_ERR_IO, "%s cannot be opened for the log", serve->log);
        options.log = http_log_to_stream;
        options.log_ctx = serve->log_file;
    }
    options.n_routes += page_routes(routes + options.n_routes);
    if (serve->page.live) options.n_routes += chats_routes(&serve->page, routes + options.n_routes);
    if (!serve->no_runs)
        options.n_routes +=
            serve_runs_routes(serving_workers(serve->context.serving), routes + options.n_routes);
    struct http_server *server;
    JL_TRY(http_server_start(&options, &server, err));
    serve->context.server = server;
    return JL_OK;
}

/* What was said, for whoever wants it: a file of the user's alone. */
static enum jl_status open_words(struct serve *serve, struct serving_options *options,
                                 struct jl_error *err) {
    if (!serve->words) return JL_OK;
    mode_t mask = umask(0077);
    serve->words_file = fopen(serve->words, "ae");
    umask(mask);
    if (!serve->words_file)
        return jl_fail(err, JL_ERR_IO, "%s cannot be opened for words", serve->words);
    options->words = http_log_to_stream;
    options->words_ctx = serve->words_file;
    return JL_OK;
}

/* The page's chats, in the user's folder for what programs remember unless a file is named. */
static enum jl_status open_chats(struct serve *serve, struct jl_error *err) {
    char *usual = NULL;
    const char *path = serve->chats;
    if (path && !strcmp(path, "none")) return JL_OK;
    if (!path && !(usual = past_file("chats.db")))
        return jl_fail(err, JL_ERR_USAGE,
                       "no folder for chats is known (HOME is not set): give --chats FILE or none");
    enum jl_status status = store_open(path ? path : usual, &serve->page.store, err);
    free(usual);
    serve->page.serving = serve->context.serving;
    if (status != JL_OK) return status;
    return live_create(serve->context.serving, serve->page.store, &serve->page.live, err);
}

static void reload_keys(struct serve *serve) {
    struct jl_error err = {0};
    if (serve->keys && http_server_reload_keys(serve->context.server, &err) != JL_OK)
        fprintf(stderr, "jinlin serve: the old keys stay: %s\n", err.message);
}

/* Until somebody says stop, or the front's library gives up. */
static enum jl_status wait_for_end(struct serve *serve, const sigset_t *signals,
                                   struct jl_error *err) {
    const struct timespec second = {1, 0};
    while (http_server_running(serve->context.server)) {
        int number = sigtimedwait(signals, NULL, &second);
        serving_reap(serve->context.serving);
        if (number == SIGHUP) reload_keys(serve);
        if (number == SIGUSR1) reload_models(serve);
        if (number == SIGINT || number == SIGTERM) return JL_OK;
    }
    return jl_fail(err, JL_ERR_IO, "the HTTP server has stopped");
}

static enum jl_status serve_all(struct serve *serve, struct jl_error *err) {
    struct http_route
        routes[ROUTES_MOST + PAGE_MOST_ROUTES + CHATS_MOST_ROUTES + SERVE_RUNS_ROUTES];
    struct serving_options options = {.most_n = serve->most_n,
                                      .aliases = serve->aliases.items,
                                      .n_alias = (size_t)serve->aliases.n};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); // of all threads that follow
    signal(SIGPIPE, SIG_IGN);
    JL_TRY(name_models(serve, err));
    JL_TRY(open_words(serve, &options, err));
    JL_TRY(serving_create(&options, &serve->context.serving, err));
    serve->context.version = JINLIN_VERSION;
    serve->context.keys_file = serve->keys;
    enum jl_status status = JL_OK;
    for (int i = 0; i < serve->n_model && status == JL_OK; i++)
        status = open_model(serve, i, err);
    if (status == JL_OK) status = open_chats(serve, err);
    if (status == JL_OK) status = start(serve, routes, err);
    if (status == JL_OK) {
        fprintf(stderr, "serving at %s (OpenAI's API below /v1)\n",
                http_server_url(serve->context.server));
        status = wait_for_end(serve, &signals, err);
        fprintf(stderr, "stopping: requests have %d seconds to end\n", DRAIN_SECONDS);
    }
    if (serve->context.server) http_server_stop(serve->context.server, DRAIN_SECONDS * 1000);
    serving_free(serve->context.serving, 0);
    live_free(serve->page.live);
    store_close(serve->page.store);
    http_server_free(serve->context.server);
    if (serve->log_file && serve->log_file != stdout) fclose(serve->log_file);
    if (serve->words_file) fclose(serve->words_file);
    return status;
}

int cmd_serve(int argc, char **argv) {
    struct serve serve = {.port = PORT};
    bool done;
    const struct cli_option options[] = {
        {"--host", NULL, CLI_TEXT, &serve.host, "ADDRESS",
         "an IP address, localhost, or unix:PATH (default: 127.0.0.1)", 0, 0},
        {"--port", "-p", CLI_INT, &serve.port, "N", "port (default 8080; 0: any free one)", 0,
         65535},
        {"--keys", NULL, CLI_TEXT, &serve.keys, "FILE",
         "who may ask: names and hashes of keys (see --make-key)", 0, 0},
        {"--make-key", NULL, CLI_TEXT, &serve.make_key, "NAME",
         "print a new key, append its hash to --keys FILE, and end", 0, 0},
        {"--admin", NULL, CLI_FLAG, &serve.admin, NULL,
         "with --make-key: who has it may make other keys, by the page", 0, 0},
        {"--insecure-no-keys", NULL, CLI_FLAG, &serve.no_keys, NULL,
         "serve another address than this machine's own to whoever reaches it", 0, 0},
        {"--tls-cert", NULL, CLI_TEXT, &serve.cert, "FILE", "certificate (PEM), with --tls-key", 0,
         0},
        {"--tls-key", NULL, CLI_TEXT, &serve.key, "FILE", "its key (PEM)", 0, 0},
        {"--allow-host", NULL, CLI_LIST, &serve.hosts, "NAME",
         "a name that requests may come under (box.lan, *.lan); may be repeated", 0, 0},
        {"--allow-origin", NULL, CLI_LIST, &serve.origins, "ORIGIN",
         "pages of https://app.example may ask, too; may be repeated", 0, 0},
        {"--name", NULL, CLI_LIST, &serve.names, "ID",
         "what clients call the model (default: its file's name); one for each MODEL", 0, 0},
        {"--alias", NULL, CLI_LIST, &serve.aliases, "ID",
         "another name of the first model (gpt-4o-mini, say); may be repeated", 0, 0},
        {"--parallel", NULL, CLI_INT, &serve.model.n_parallel, "N",
         "answers that share a pass (default 8)", 1, 256},
        {"--ctx", "-c", CLI_INT, &serve.model.n_ctx, "N",
         "tokens of a conversation (default: the model's context, or what fits)", 1, INT32_MAX},
        {"--cache", NULL, CLI_INT, &serve.model.cache_mb, "MB",
         "memory for all conversations (default: half of what is free)", 1, 1 << 24},
        {"--keep", NULL, CLI_TEXT, &serve.model.keep, "FOLDER",
         "keep what was read of the last conversations there, for the next start", 0, 0},
        {"--keep-mb", NULL, CLI_INT, &serve.model.keep_mb, "MB",
         "of each model's conversations in it (default 1024)", 1, 1 << 24},
        {"--queue", NULL, CLI_INT, &serve.model.n_waiting, "N",
         "requests that may wait (default 256)", 1, 1 << 16},
        {"--connections", NULL, CLI_INT, &serve.connections, "N",
         "connections at once (default 512)", 1, 1 << 20},
        {"--most-n", NULL, CLI_INT, &serve.most_n, "N", "answers to one request (default 16)", 1,
         128},
        {"--log", NULL, CLI_TEXT, &serve.log, "FILE",
         "a line of JSON a request, without its words; `-` is standard output", 0, 0},
        {"--chats", NULL, CLI_TEXT, &serve.chats, "FILE",
         "the page's chats (default: in ~/.local/state/jinlin); `none`: they are not kept", 0, 0},
        {"--no-runs", NULL, CLI_FLAG, &serve.no_runs, NULL,
         "the page does not show this user's trainings", 0, 0},
        {"--log-words", NULL, CLI_TEXT, &serve.words, "FILE",
         "a line of JSON a request with all that was asked and answered", 0, 0},
        SAMPLING_OPTIONS(serve.model.sampling) ENGINE_OPTIONS(serve.model.engine),
    };
    const struct cli_spec spec = {"serve",
                                  "[MODEL...] [options]",
                                  "serve models by the OpenAI API",
                                  "jinlin serve model.gguf --port 8080",
                                  options,
                                  sizeof options / sizeof options[0],
                                  0,
                                  MOST_MODELS,
                                  false}; // a key can be made without any
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, serve.models, &done, &err);
    if (done) return 0;
    if (status == JL_OK && serve.admin && !serve.make_key)
        status = jl_fail(&err, JL_ERR_USAGE, "--admin goes with --make-key");
    if (status == JL_OK && serve.make_key) {
        status = make_key(&serve, &err);
        return cli_finish(&spec, status, &err);
    }
    while (serve.n_model < MOST_MODELS && serve.models[serve.n_model])
        serve.n_model++;
    if (serve.n_model == 0) serve.n_model = 1; // the one that ships
    for (int i = 0; i < serve.n_model && status == JL_OK; i++)
        status = cli_model_path(&serve.models[i], &err);
    if (status == JL_OK) status = sampling_check(&serve.model.sampling, &err);
    if (status == JL_OK) status = serve_all(&serve, &err);
    return cli_finish(&spec, status, &err);
}
