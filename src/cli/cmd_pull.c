/* pull: a model from a hub. */
#include <jansson.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "cli/cli.h"
#include "cli/hub.h"
#include "hub/pull.h"
#include "hub/remote.h"

struct pull_run {
    const char *text, *from;
    bool verify, json;
    struct hub_name name;
    struct hub_pull pull;
    struct hub_line line;
    /* the progress line */
    char file[256];
    double started, drawn; // seconds
    int64_t first;         // bytes that were there when the file began
    bool terminal, visible;
};

static atomic_bool interrupted;

/* The first signal ends the transfer in good order, a second one the program. */
static void on_signal(int number) {
    (void)number;
    atomic_store(&interrupted, true);
}

static void catch_signals(void) {
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (!sigaction(numbers[i], NULL, &before) && before.sa_handler != SIG_IGN) // nohup
            sigaction(numbers[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN); // of connections
    signal(SIGXFSZ, SIG_IGN); // a limit of file sizes is an error of a write
}

/* ---- what is said meanwhile ---- */

static void clear_line(struct pull_run *run) {
    if (run->visible) fprintf(stderr, "\r\033[K");
    run->visible = false;
}

static void on_say(void *ctx, const char *line) {
    struct pull_run *run = ctx;
    struct jl_error clean; // the text quotes servers: jl_fail makes it fit for a terminal
    jl_fail(&clean, JL_OK, "%s", line);
    clear_line(run);
    fprintf(stderr, "jinlin pull: %s\n", clean.message);
}

static void draw(struct pull_run *run, int64_t done, int64_t total, double now) {
    double seconds = now - run->started, gained = (double)(done - run->first);
    double speed = seconds > 0.5 ? gained / seconds : 0;
    fprintf(stderr, "\r%s  %.1f of %.1f MB", run->file, (double)done / 1e6, (double)total / 1e6);
    if (speed > 0) {
        int left = (int)((double)(total - done) / speed);
        fprintf(stderr, "  %.1f MB/s", speed / 1e6);
        if (left < 360000)
            fprintf(stderr, "  %d:%02d:%02d left", left / 3600, left / 60 % 60, left % 60);
    }
    fprintf(stderr, "\033[K");
    fflush(stderr);
    run->drawn = now;
    run->visible = true;
}

static void on_progress(void *ctx, const char *file, int64_t done, int64_t total) {
    struct pull_run *run = ctx;
    double now = clock_seconds();
    if (strcmp(run->file, file) || done < run->first) {
        snprintf(run->file, sizeof run->file, "%s", file);
        run->started = now;
        run->first = done;
    }
    if (run->terminal && now - run->drawn >= 0.2) draw(run, done, total, now);
    if (done < total || !strncmp(file, "checking ", 9)) return;
    clear_line(run);
    fprintf(stderr, "%s  %.1f MB\n", file, (double)total / 1e6);
}

/* ---- from where ---- */

static enum jl_status read_count(enum env_id id, int low, int high, int *out,
                                 struct jl_error *err) {
    const char *text = env_get(id);
    char *end;
    if (!text) return JL_OK;
    long value = strtol(text, &end, 10);
    if (*end || value < low || value > high)
        return jl_fail(err, JL_ERR_USAGE, "%s must be a whole number from %d to %d, not '%s'",
                       env_name(id), low, high, text);
    *out = (int)value;
    return JL_OK;
}

/* A token goes into a header line: nothing in it may end that line. */
static enum jl_status read_token(enum env_id id, const char **out, struct jl_error *err) {
    *out = env_get(id);
    for (const char *c = *out; c && *c; c++)
        if (*c <= ' ' || *c > '~' || *c == ';' || *c == ',')
            return jl_fail(err, JL_ERR_USAGE, "%s holds characters that no token has",
                           env_name(id));
    return JL_OK;
}

/* `text` without slashes at its end and fragment. */
static enum jl_status set_endpoint(struct pull_run *run, const char *text, const char *what,
                                   struct arena *arena, struct jl_error *err) {
    struct hub_url url;
    JL_TRY(hub_url_parse(text, what, arena, &url, err));
    if (strchr(url.path, '?')) return jl_fail(err, JL_ERR_USAGE, "%s must not have a '?'", what);
    char *copy = arena_strdup(arena, text);
    if (!copy) return jl_fail(err, JL_ERR_MEMORY, "out of memory for an address");
    copy[strcspn(copy, "#")] = 0;
    for (size_t len = strlen(copy); len && copy[len - 1] == '/'; len--)
        copy[len - 1] = 0;
    run->pull.endpoint = copy;
    return JL_OK;
}

static bool is_official(const struct hub_url *url) {
    return url->secure && url->port == 443 &&
           (!strcmp(url->host, "huggingface.co") || !strcmp(url->host, "modelscope.cn") ||
            !strcmp(url->host, "www.modelscope.cn"));
}

static enum jl_status choose_source(struct pull_run *run, struct arena *arena,
                                    struct jl_error *err) {
    struct hub_name *name = &run->name;
    const char *from = run->from;
    bool hf = from && !strcmp(from, "hf"), ms = from && !strcmp(from, "ms");
    if (from && (name->source == HUB_URL || name->endpoint))
        return jl_fail(err, JL_ERR_USAGE, "an address says where it is: it takes no --from");
    if ((hf || ms) && name->source_given && (name->source == HUB_MS) != ms)
        return jl_fail(err, JL_ERR_USAGE, "'%s' and --from %s contradict each other", run->text,
                       from);
    if (from && !hf && !ms && !strstr(from, "://"))
        return jl_fail(err, JL_ERR_USAGE,
                       "--from takes hf, ms or the address of a mirror, not '%s'", from);
    if (ms) name->source = HUB_MS;
    bool is_ms = name->source == HUB_MS;
    enum env_id variable = is_ms ? ENV_MS_ENDPOINT : ENV_HF_ENDPOINT;
    const char *usual = env_get(variable), *what = env_name(variable);
    if (!usual) what = usual = is_ms ? HUB_MS_ENDPOINT : HUB_HF_ENDPOINT;
    JL_TRY(set_endpoint(run, usual, what, arena, err));
    struct hub_url own, asked;
    JL_TRY(hub_url_parse(usual, what, arena, &own, err));
    if (from && !hf && !ms) JL_TRY(set_endpoint(run, from, "--from", arena, err));
    if (name->endpoint) JL_TRY(set_endpoint(run, name->endpoint, name->endpoint, arena, err));
    JL_TRY(read_token(is_ms ? ENV_MS_TOKEN : ENV_HF_TOKEN, &run->pull.token, err));
    JL_TRY(hub_url_parse(run->pull.endpoint, what, arena, &asked, err));
    /* A pasted address may be that of a mirror, which the token was not made for. */
    if (name->endpoint && !hub_url_same_origin(&own, &asked) && !is_official(&asked))
        run->pull.token = NULL;
    return JL_OK;
}

/* ---- the command ---- */

static enum jl_status print_result(const struct pull_run *run, const struct hub_pulled *pulled,
                                   struct arena *arena, struct jl_error *err) {
    const struct hub_model *model = &pulled->model;
    const char *label = hub_model_label(model, arena), *path = hub_model_path(model, arena);
    if (!label || !path) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a name");
    if (run->json) {
        json_t *line = json_pack(
            "{s:s, s:s, s:s, s:I, s:I, s:I}", "name", label, "path", path, "commit", model->commit,
            "bytes", (json_int_t)hub_model_bytes(model), "files_fetched",
            (json_int_t)pulled->n_fetched, "bytes_fetched", (json_int_t)pulled->bytes_fetched);
        bool failed = !line || json_dumpf(line, stdout, JSON_COMPACT) || printf("\n") < 0;
        json_decref(line);
        return failed ? jl_fail(err, JL_ERR_IO, "cannot print the result") : JL_OK;
    }
    printf("%s: %s, %zu files, %.1f MB", label, pulled->n_fetched ? "pulled" : "up to date",
           model->n, (double)hub_model_bytes(model) / 1e6);
    if (model->commit[0]) printf(", commit %.12s", model->commit);
    printf("\n%s\n", path);
    return JL_OK;
}

static enum jl_status pull(struct pull_run *run, struct arena *arena, struct jl_error *err) {
    struct hub_http_options http = {
        .stall_s = 30, .ca_file = env_get(ENV_CA_FILE), .cancel = &interrupted};
    struct hub_pulled pulled;
    run->line = (struct hub_line){.cancel = &interrupted, .wait_ms = 1000};
    run->line.watch = (struct hub_watch){on_progress, on_say, run};
    JL_TRY(cli_hub_name(run->text, arena, &run->name, err));
    JL_TRY(choose_source(run, arena, err));
    JL_TRY(cli_hub_home(arena, &run->pull.home, err));
    JL_TRY(read_count(ENV_PULL_STALL, 1, 3600, &http.stall_s, err));
    JL_TRY(read_count(ENV_PULL_WAIT, 0, 60000, &run->line.wait_ms, err));
    run->pull.name = &run->name;
    run->pull.shown = run->text;
    run->pull.verify = run->verify;
    JL_TRY(hub_http_create(&http, &run->line.http, err));
    enum jl_status status = hub_pull(&run->line, &run->pull, arena, &pulled, err);
    clear_line(run);
    if (status == JL_OK) status = print_result(run, &pulled, arena, err);
    return status;
}

int cmd_pull(int argc, char **argv) {
    struct pull_run run = {.terminal = isatty(STDERR_FILENO)};
    struct arena arena = {.block_size = 65536};
    bool done;
    const struct cli_option options[] = {
        {"--from", NULL, CLI_TEXT, &run.from, "hf|ms|URL",
         "Hugging Face (default), ModelScope, or a mirror's address", 0, 0},
        {"--verify", NULL, CLI_FLAG, &run.verify, NULL, "hash again what is there already", 0, 0},
        {"--json", NULL, CLI_FLAG, &run.json, NULL, "the result as one JSON line", 0, 0},
    };
    const struct cli_spec spec = {.name = "pull",
                                  .arguments = "[hf:|ms:]ORG/REPO[@REVISION][:TYPE|:FILE] | URL",
                                  .summary = "get a model, or what changed of it",
                                  .example = "jinlin pull Qwen/Qwen3-0.6B-GGUF:Q8_0",
                                  .options = options,
                                  .n_option = sizeof options / sizeof options[0],
                                  .min_args = 1,
                                  .max_args = 1};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, &run.text, &done, &err);
    if (done) return 0;
    if (status == JL_OK) status = hub_http_start(&err); // no thread has started yet
    if (status == JL_OK) {
        catch_signals();
        status = pull(&run, &arena, &err);
        hub_http_free(run.line.http);
        hub_http_stop();
    }
    arena_free(&arena);
    return cli_finish(&spec, status, &err);
}
