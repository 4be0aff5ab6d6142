#include "cli/serve_runs.h"

#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "cli/runs.h"
#include "cli/train_record.h"
#include "serve/job.h"
#include "serve/openai/whole.h"

enum { MOST_POINTS = 600 }; // of a curve: more than a screen's columns show

/* One request, on a worker: SQLite may wait for the disk and for whoever trains. */
struct asked {
    struct job job;
    struct arena arena;
    json_t *out;
};

static enum jl_status read_list(struct asked *asked, struct metrics_db *db, struct jl_error *err) {
    struct metrics_summary *runs = NULL;
    size_t n = 0;
    if (db) JL_TRY(metrics_runs(db, 0, &asked->arena, &runs, &n, err));
    asked->out = json_pack("{s:o}", "runs", runs_json(runs, n));
    return asked->out ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for runs");
}

/* With its curves. JL_ERR_USAGE: there is no such run. */
static enum jl_status read_one(struct asked *asked, struct metrics_db *db, const char *text,
                               struct jl_error *err) {
    struct runs_data data;
    json_t *curves;
    char *end;
    errno = 0;
    int64_t id = strtoll(text, &end, 10);
    if (*end || errno || id < 1 || !db)
        return jl_fail(err, JL_ERR_USAGE, "there is no run %.40s", text);
    JL_TRY(runs_read(db, id, &asked->arena, &data, err));
    JL_TRY(runs_json_curves(&data, MOST_POINTS, &asked->arena, &curves, err));
    asked->out = runs_json_of(&data);
    if (!asked->out || json_object_set(asked->out, "curves", curves)) {
        json_decref(asked->out);
        asked->out = NULL;
    }
    json_decref(curves);
    return asked->out ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for a run");
}

/* No file of runs is a list of none. */
static enum jl_status read_runs(struct asked *asked, struct jl_error *err) {
    const char *id = http_request_part(asked->job.http, "id");
    struct metrics_db *db = NULL;
    char *path = train_record_path();
    enum jl_status status = JL_OK;
    if (path && file_exists(path)) status = metrics_db_open(path, &db, err);
    if (status == JL_OK) status = id ? read_one(asked, db, id, err) : read_list(asked, db, err);
    metrics_db_close(db);
    free(path);
    return status;
}

static void run(struct job *job) {
    struct asked *asked = (struct asked *)job;
    struct jl_error err = {0};
    enum jl_status status = read_runs(asked, &err);
    if (status == JL_OK)
        openai_reply_json(asked->job.http, asked->out, NULL, 0);
    else
        http_reply_error(asked->job.http, status == JL_ERR_USAGE ? 404 : 500,
                         status == JL_ERR_USAGE ? "not_found" : "internal", err.message);
    arena_free(&asked->arena);
}

static void begin(void *ctx, struct http_request *http) {
    struct asked *asked = calloc(1, sizeof *asked);
    if (!asked) return; // dropped without an answer: a 500
    *asked = (struct asked){.arena = {.block_size = 65536}};
    if (!job_begin(ctx, &asked->job, http, run))
        http_reply_error(http, 503, "overloaded", "too many requests wait: ask again later");
}

size_t serve_runs_routes(struct workers *workers, struct http_route out[SERVE_RUNS_ROUTES]) {
    out[0] = (struct http_route){"GET", "/api/runs", begin, workers, false};
    out[1] = (struct http_route){"GET", "/api/runs/{id}", begin, workers, false};
    return SERVE_RUNS_ROUTES;
}
