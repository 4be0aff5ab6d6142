#include "train/metrics/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

#define APPLICATION 0x4a4c524e // "JLRN": PRAGMA application_id of our files
#define VERSION 2              // PRAGMA user_version

static const char schema[] =
    "CREATE TABLE runs(id INTEGER PRIMARY KEY AUTOINCREMENT, folder TEXT NOT NULL,"
    " mark TEXT NOT NULL, name TEXT, recipe TEXT, family TEXT, class TEXT, n_param INTEGER,"
    " n_active INTEGER, n_step INTEGER, threads INTEGER, level TEXT, cpu TEXT, version TEXT,"
    " peak REAL, peak_form TEXT, process TEXT, started REAL, changed REAL, state TEXT, error TEXT,"
    " UNIQUE(folder, mark));"
    "CREATE TABLE steps(run INTEGER, step INTEGER, stage TEXT, loss REAL, mtp_loss REAL,"
    " norm REAL, rate REAL, rows INTEGER, seconds REAL, share REAL,"
    " PRIMARY KEY(run, step)) WITHOUT ROWID;"
    "CREATE TABLE loads(run INTEGER, step INTEGER, layer INTEGER, max REAL, evenness REAL,"
    " dead INTEGER, experts TEXT, PRIMARY KEY(run, step, layer)) WITHOUT ROWID;"
    "CREATE TABLE held_out(run INTEGER, step INTEGER, loss REAL, tokens INTEGER,"
    " PRIMARY KEY(run, step)) WITHOUT ROWID;"
    "CREATE TABLE samples(run INTEGER, step INTEGER, prompt TEXT, text TEXT,"
    " PRIMARY KEY(run, step)) WITHOUT ROWID;"
    "CREATE TABLE events(id INTEGER PRIMARY KEY, run INTEGER, step INTEGER, time REAL, kind TEXT,"
    " text TEXT);"
    "CREATE INDEX events_of_run ON events(run);"
    "PRAGMA application_id = 0x4a4c524e;";

/* Version 2 knows what steps by reward tell. */
static const char rewards[] =
    "CREATE TABLE rewards(run INTEGER, step INTEGER, reward REAL, deviation REAL, right REAL,"
    " alike REAL, length REAL, cut REAL, entropy REAL, kl REAL, clipped REAL, difference REAL,"
    " drawn REAL, learned REAL, parts TEXT, PRIMARY KEY(run, step)) WITHOUT ROWID;"
    "PRAGMA user_version = 2;";

enum jl_status metrics_file_fault(sqlite3 *db, const char *path, struct jl_error *err) {
    int code = sqlite3_extended_errcode(db);
    const char *why = sqlite3_errmsg(db);
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return jl_fail(err, JL_ERR_LIMIT, "%s is locked by another program", path);
    case SQLITE_NOMEM: return jl_fail(err, JL_ERR_MEMORY, "out of memory for %s", path);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s is damaged, or no database of runs (%s): move it away, or name another "
                       "file in JINLIN_RUNS",
                       path, why);
    default:
        return jl_fail(err, JL_ERR_IO, "%s: %s%s%s", path, why,
                       sqlite3_system_errno(db) ? ": " : "",
                       sqlite3_system_errno(db) ? strerror(sqlite3_system_errno(db)) : "");
    }
}

/* The folders above a file. One that cannot be made shows when the file is opened. */
static void make_folders(char *path) {
    for (char *slash = path; (slash = strchr(slash + 1, '/')) != NULL;) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
}

static enum jl_status number(sqlite3 *db, const char *path, const char *sql, int64_t *out,
                             struct jl_error *err) {
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(s);
    if (code == SQLITE_ROW) *out = sqlite3_column_int64(s, 0);
    enum jl_status status = code == SQLITE_ROW ? JL_OK : metrics_file_fault(db, path, err);
    sqlite3_finalize(s);
    return status;
}

/* *version: 0, nothing has been written into it yet. */
static enum jl_status check(sqlite3 *db, const char *path, int64_t *version, struct jl_error *err) {
    int64_t application = 0, n = 0;
    JL_TRY(number(db, path, "PRAGMA application_id", &application, err));
    JL_TRY(number(db, path, "PRAGMA user_version", version, err));
    JL_TRY(number(db, path, "SELECT count(*) FROM sqlite_master", &n, err));
    if (application == 0 && n == 0) return *version = 0, JL_OK;
    if (application != APPLICATION)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s is a database of another program: name another file in JINLIN_RUNS",
                       path);
    if (*version >= 1 && *version <= VERSION) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT,
                   "%s has version %lld of the tables of runs, this program knows version %d", path,
                   (long long)*version, VERSION);
}

static enum jl_status run_sql(sqlite3 *db, const char *path, const char *sql,
                              struct jl_error *err) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? JL_OK
                                                                : metrics_file_fault(db, path, err);
}

/* Readers and one writer at once, and a commit that waits for no disk. Somebody else may make the
 * tables at the same time, so it is looked at again under the lock. */
static enum jl_status prepare(sqlite3 *db, const char *path, struct jl_error *err) {
    int64_t version;
    JL_TRY(check(db, path, &version, err));
    JL_TRY(run_sql(db, path, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", err));
    if (version == VERSION) return JL_OK;
    JL_TRY(run_sql(db, path, "BEGIN IMMEDIATE", err));
    enum jl_status status = check(db, path, &version, err);
    if (status == JL_OK && version < 1) status = run_sql(db, path, schema, err);
    if (status == JL_OK && version < 2) status = run_sql(db, path, rewards, err);
    if (status == JL_OK) return run_sql(db, path, "COMMIT", err);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

enum jl_status metrics_file_open(const char *path, bool write, sqlite3 **out,
                                 struct jl_error *err) {
    char *copy = strdup(path);
    int64_t version = VERSION;
    *out = NULL;
    if (!copy) return jl_fail(err, JL_ERR_MEMORY, "out of memory for %s", path);
    if (write) make_folders(copy);
    free(copy);
    int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE;
    int code = sqlite3_open_v2(path, out, flags, NULL);
    enum jl_status status = code == SQLITE_OK ? JL_OK : metrics_file_fault(*out, path, err);
    if (status == JL_OK) {
        sqlite3_extended_result_codes(*out, 1);
        sqlite3_busy_timeout(*out, 50); // milliseconds that a step may lose to somebody's lock
        status = write ? prepare(*out, path, err) : check(*out, path, &version, err);
    }
    if (status == JL_OK && version < 1)
        status = jl_fail(err, JL_ERR_IO, "%s: no run has been recorded yet", path);
    if (status == JL_OK && version < VERSION) status = prepare(*out, path, err); // an older file
    if (status == JL_OK) return JL_OK;
    sqlite3_close(*out);
    *out = NULL;
    return status;
}
