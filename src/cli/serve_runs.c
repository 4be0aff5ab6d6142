#include "cli/serve_runs.h"

#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "cli/runs.h"
#include "cli/train_record.h"
#include "serve/openai/whole.h"

enum { MOST_POINTS = 600 }; // of a curve: more than a screen's columns show

/* One request, on a worker: SQLite may wait for the disk and for whoever trains. */
struct job {
    struct work work;
    struct http_request *http;
    struct arena arena;
    json_t *out;
};

static enum jl_status read_list(struct job *job, struct metrics_db *db, struct jl_error *err) {
    struct metrics_summary *runs = NULL;
    size_t n = 0;
    if (db) JL_TRY(metrics_runs(db, 0, &job->arena, &runs, &n, err));
    job->out = json_pack("{s:o}", "runs", runs_json(runs, n));
    return job->out ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for runs");
}

/* With its curves. JL_ERR_USAGE: there is no such run. */
static enum jl_status read_one(struct job *job, struct metrics_db *db, const char *text,
                               struct jl_error *err) {
    struct runs_data data;
    json_t *curves;
    char *end;
    errno = 0;
    int64_t id = strtoll(text, &end, 10);
    if (*end || errno || id < 1 || !db)
        return jl_fail(err, JL_ERR_USAGE, "there is no run %.40s", text);
    JL_TRY(runs_read(db, id, &job->arena, &data, err));
    JL_TRY(runs_json_curves(&data, MOST_POINTS, &job->arena, &curves, err));
    job->out = runs_json_of(&data);
    if (!job->out || json_object_set(job->out, "curves", curves)) {
        json_decref(job->out);
        job->out = NULL;
    }
    json_decref(curves);
    return job->out ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for a run");
}

/* No file of runs is a list of none. */
static enum jl_status read_runs(struct job *job, struct jl_error *err) {
    const char *id = http_request_part(job->http, "id");
    struct metrics_db *db = NULL;
    char *path = train_record_path();
    enum jl_status status = JL_OK;
    if (path && file_exists(path)) status = metrics_db_open(path, &db, err);
    if (status == JL_OK) status = id ? read_one(job, db, id, err) : read_list(job, db, err);
    metrics_db_close(db);
    free(path);
    return status;
}

static void run(struct work *work) {
    struct job *job = (struct job *)work;
    struct jl_error err = {0};
    enum jl_status status = read_runs(job, &err);
    if (status == JL_OK)
        openai_reply_json(job->http, job->out, NULL, 0);
    else
        http_reply_error(job->http, status == JL_ERR_USAGE ? 404 : 500,
                         status == JL_ERR_USAGE ? "not_found" : "internal", err.message);
    arena_free(&job->arena);
    http_request_drop(job->http);
    free(job);
}

static void begin(void *ctx, struct http_request *http) {
    struct job *job = calloc(1, sizeof *job);
    if (!job) return; // dropped without an answer: a 500
    *job = (struct job){.work = {.run = run}, .http = http, .arena = {.block_size = 65536}};
    http_request_hold(http);
    if (workers_give(ctx, &job->work)) return;
    http_reply_error(http, 503, "overloaded", "too many requests wait: ask again later");
    http_request_drop(http);
    free(job);
}

size_t serve_runs_routes(struct workers *workers, struct http_route out[SERVE_RUNS_ROUTES]) {
    out[0] = (struct http_route){"GET", "/api/runs", begin, workers, false};
    out[1] = (struct http_route){"GET", "/api/runs/{id}", begin, workers, false};
    return SERVE_RUNS_ROUTES;
}
