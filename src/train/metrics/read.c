#include "train/metrics/read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/process.h"
#include "train/metrics/file.h"

#define READ_WAIT 2000 // milliseconds for a lock

struct metrics_db {
    sqlite3 *file;
    char *path;
};

enum jl_status metrics_db_open(const char *path, struct metrics_db **out, struct jl_error *err) {
    *out = NULL;
    if (!file_exists(path))
        return jl_fail(err, JL_ERR_IO, "%s: no run has been recorded yet", path);
    struct metrics_db *db = calloc(1, sizeof *db);
    if (!db || !(db->path = strdup(path))) {
        free(db);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for %s", path);
    }
    enum jl_status status = metrics_file_open(path, false, &db->file, err);
    if (status == JL_OK)
        sqlite3_busy_timeout(db->file, READ_WAIT);
    else
        metrics_db_close(db);
    if (status == JL_OK) *out = db;
    return status;
}

void metrics_db_close(struct metrics_db *db) {
    if (!db) return;
    sqlite3_close(db->file);
    free(db->path);
    free(db);
}

/* ---- lists ---- */

struct query {
    const char *sql; // ?1 is the run
    size_t size;     // of an element
    void (*read)(struct query *query, sqlite3_stmt *s, void *out);
    struct arena *arena;
    bool failed; // out of memory
};

static const char *text_at(struct query *q, sqlite3_stmt *s, int column) {
    const char *text = (const char *)sqlite3_column_text(s, column);
    const char *copy = arena_strdup(q->arena, text ? text : "");
    if (!copy) q->failed = true;
    return copy ? copy : "";
}

static double real_at(sqlite3_stmt *s, int column) {
    if (sqlite3_column_type(s, column) == SQLITE_NULL) return (double)NAN;
    return sqlite3_column_double(s, column);
}

static enum jl_status list(struct metrics_db *db, struct query *q, int64_t id, void **out,
                           size_t *n, struct jl_error *err) {
    sqlite3_stmt *s = NULL;
    size_t cap = 0;
    char *items = NULL;
    *out = NULL;
    *n = 0;
    int code = sqlite3_prepare_v2(db->file, q->sql, -1, &s, NULL);
    if (code == SQLITE_OK) sqlite3_bind_int64(s, 1, id);
    while (code == SQLITE_OK && !q->failed && (code = sqlite3_step(s)) == SQLITE_ROW) {
        if (*n == cap) {
            cap = cap ? 2 * cap : 64;
            char *more = realloc(items, cap * q->size);
            if (!more) q->failed = true;
            if (more) items = more;
        }
        if (!q->failed) q->read(q, s, items + (*n)++ * q->size);
        code = SQLITE_OK;
    }
    enum jl_status status =
        code == SQLITE_DONE || q->failed ? JL_OK : metrics_file_fault(db->file, db->path, err);
    sqlite3_finalize(s);
    if (status == JL_OK) {
        *out = q->failed ? NULL : arena_calloc(q->arena, *n + 1, q->size);
        if (*out && *n) memcpy(*out, items, *n * q->size);
        if (!*out) status = jl_fail(err, JL_ERR_MEMORY, "out of memory reading %s", db->path);
    }
    free(items);
    return status;
}

/* ---- runs ---- */

/* Columns in the order of the table, then what is summed up over the steps. */
#define RUN_SQL                                                                                    \
    "SELECT runs.*, (SELECT max(step) FROM steps WHERE run = id),"                                 \
    " (SELECT loss FROM steps WHERE run = id ORDER BY step DESC LIMIT 1),"                         \
    " (SELECT loss FROM held_out WHERE run = id ORDER BY step DESC LIMIT 1),"                      \
    " (SELECT sum(rows) / sum(seconds) FROM (SELECT rows, seconds FROM steps WHERE run = id"       \
    "   ORDER BY step DESC LIMIT " RECENT ")),"                                                    \
    " (SELECT avg(share) FROM (SELECT share FROM steps WHERE run = id ORDER BY step DESC "         \
    "LIMIT " RECENT ")), (SELECT sum(seconds) FROM steps WHERE run = id),"                         \
    " (SELECT sum(rows) FROM steps WHERE run = id)"                                                \
    " FROM runs WHERE id = ?1 OR ?1 = 0 ORDER BY coalesce(changed, started) DESC, id DESC"
#define TEXT_OF_(x) #x
#define TEXT_OF(x) TEXT_OF_(x)
#define RECENT TEXT_OF(METRICS_RECENT)

static void read_run(struct query *q, sqlite3_stmt *s, void *out) {
    struct metrics_summary *r = out;
    int c = 0;
    *r = (struct metrics_summary){0};
    r->id = sqlite3_column_int64(s, c++);
    r->folder = text_at(q, s, c++);
    r->mark = text_at(q, s, c++);
    r->name = text_at(q, s, c++);
    r->recipe = text_at(q, s, c++);
    r->family = text_at(q, s, c++);
    r->class = text_at(q, s, c++);
    r->n_param = sqlite3_column_int64(s, c++);
    r->n_active = sqlite3_column_int64(s, c++);
    r->n_step = sqlite3_column_int64(s, c++);
    r->threads = sqlite3_column_int64(s, c++);
    r->level = text_at(q, s, c++);
    r->cpu = text_at(q, s, c++);
    r->version = text_at(q, s, c++);
    r->peak = real_at(s, c++);
    r->peak_form = text_at(q, s, c++);
    const char *process = text_at(q, s, c++);
    r->started = real_at(s, c++);
    r->changed = real_at(s, c++);
    r->state = text_at(q, s, c++);
    r->error = text_at(q, s, c++);
    r->step = sqlite3_column_int64(s, c++);
    r->loss = real_at(s, c++);
    r->held_out = real_at(s, c++);
    r->speed = real_at(s, c++);
    r->share = real_at(s, c++);
    r->seconds = sqlite3_column_double(s, c++);
    r->tokens = sqlite3_column_int64(s, c++);
    if (!strcmp(r->state, "running") && !process_is_alive(process)) r->state = "killed";
}

enum jl_status metrics_runs(struct metrics_db *db, int64_t id, struct arena *arena,
                            struct metrics_summary **out, size_t *n, struct jl_error *err) {
    struct query q = {RUN_SQL, sizeof **out, read_run, arena, false};
    return list(db, &q, id, (void **)out, n, err);
}

/* ---- what they told ---- */

static void read_step(struct query *q, sqlite3_stmt *s, void *out) {
    struct metrics_step *step = out;
    *step = (struct metrics_step){.step = sqlite3_column_int64(s, 0),
                                  .stage = text_at(q, s, 1),
                                  .loss = real_at(s, 2),
                                  .mtp_loss = real_at(s, 3),
                                  .norm = real_at(s, 4),
                                  .rate = real_at(s, 5),
                                  .rows = sqlite3_column_int64(s, 6),
                                  .seconds = real_at(s, 7),
                                  .share = real_at(s, 8),
                                  .load = real_at(s, 9),
                                  .by = {.reward = real_at(s, 10),
                                         .deviation = real_at(s, 11),
                                         .right = real_at(s, 12),
                                         .alike = real_at(s, 13),
                                         .length = real_at(s, 14),
                                         .cut = real_at(s, 15),
                                         .entropy = real_at(s, 16),
                                         .kl = real_at(s, 17),
                                         .clipped = real_at(s, 18),
                                         .difference = real_at(s, 19),
                                         .drawn = real_at(s, 20),
                                         .learned = real_at(s, 21)}};
}

enum jl_status metrics_steps(struct metrics_db *db, int64_t id, struct arena *arena,
                             struct metrics_step **out, size_t *n, struct jl_error *err) {
    struct query q = {"SELECT steps.step, stage, loss, mtp_loss, norm, rate, rows, seconds, share,"
                      " (SELECT max(max) FROM loads WHERE run = ?1 AND loads.step = steps.step),"
                      " reward, deviation, right, alike, length, cut, entropy, kl, clipped,"
                      " difference, drawn, learned"
                      " FROM steps LEFT JOIN rewards ON rewards.run = ?1 AND"
                      " rewards.step = steps.step WHERE steps.run = ?1 ORDER BY steps.step",
                      sizeof **out, read_step, arena, false};
    return list(db, &q, id, (void **)out, n, err);
}

static void read_held(struct query *q, sqlite3_stmt *s, void *out) {
    (void)q;
    *(struct metrics_held *)out = (struct metrics_held){sqlite3_column_int64(s, 0),
                                                        sqlite3_column_int64(s, 2), real_at(s, 1)};
}

enum jl_status metrics_held(struct metrics_db *db, int64_t id, struct arena *arena,
                            struct metrics_held **out, size_t *n, struct jl_error *err) {
    struct query q = {"SELECT step, loss, tokens FROM held_out WHERE run = ?1 ORDER BY step",
                      sizeof **out, read_held, arena, false};
    return list(db, &q, id, (void **)out, n, err);
}

static void read_said(struct query *q, sqlite3_stmt *s, void *out) {
    *(struct metrics_said *)out = (struct metrics_said){.step = sqlite3_column_int64(s, 0),
                                                        .time = real_at(s, 1),
                                                        .kind = text_at(q, s, 2),
                                                        .prompt = text_at(q, s, 3),
                                                        .text = text_at(q, s, 4)};
}

enum jl_status metrics_samples(struct metrics_db *db, int64_t id, struct arena *arena,
                               struct metrics_said **out, size_t *n, struct jl_error *err) {
    struct query q = {"SELECT step, NULL, NULL, prompt, text FROM samples WHERE run = ?1"
                      " ORDER BY step",
                      sizeof **out, read_said, arena, false};
    return list(db, &q, id, (void **)out, n, err);
}

enum jl_status metrics_events(struct metrics_db *db, int64_t id, struct arena *arena,
                              struct metrics_said **out, size_t *n, struct jl_error *err) {
    struct query q = {"SELECT step, time, kind, NULL, text FROM events WHERE run = ?1 ORDER BY id",
                      sizeof **out, read_said, arena, false};
    return list(db, &q, id, (void **)out, n, err);
}

enum jl_status metrics_remove(struct metrics_db *db, int64_t id, struct jl_error *err) {
    static const char *const tables[] = {"steps",   "loads",  "held_out",
                                         "samples", "events", "rewards"};
    char sql[96];
    int code = sqlite3_exec(db->file, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (size_t i = 0; code == SQLITE_OK && i < sizeof tables / sizeof tables[0]; i++) {
        sqlite3_snprintf(sizeof sql, sql, "DELETE FROM %s WHERE run = %lld", tables[i],
                         (long long)id);
        code = sqlite3_exec(db->file, sql, NULL, NULL, NULL);
    }
    sqlite3_snprintf(sizeof sql, sql, "DELETE FROM runs WHERE id = %lld", (long long)id);
    if (code == SQLITE_OK) code = sqlite3_exec(db->file, sql, NULL, NULL, NULL);
    if (code == SQLITE_OK) code = sqlite3_exec(db->file, "COMMIT", NULL, NULL, NULL);
    if (code == SQLITE_OK) return JL_OK;
    enum jl_status status = metrics_file_fault(db->file, db->path, err);
    sqlite3_exec(db->file, "ROLLBACK", NULL, NULL, NULL);
    return status;
}
