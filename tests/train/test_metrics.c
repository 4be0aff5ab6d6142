/* The database of runs: what is told comes back, and no trouble with the file reaches the run. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/file.h"
#include "support/scratch.h"
#include "train/metrics/read.h"

/* What was told about the record itself. */
struct told {
    int n;
    char last[1200];
};

static void on_tell(void *ctx, const char *text) {
    struct told *told = ctx;
    told->n++;
    snprintf(told->last, sizeof told->last, "%s", text);
}

static const char *const marks[] = {"aa", "bb"};

static struct metrics_run some_run(const char *folder, int n_mark) {
    return (struct metrics_run){.folder = folder,
                                .name = "fry",
                                .marks = marks,
                                .n_mark = n_mark,
                                .recipe = "[run]\n",
                                .family = "qwen3",
                                .class = "act=f32",
                                .n_param = 1000,
                                .n_active = 900,
                                .n_step = 100,
                                .threads = 2,
                                .level = "avx2",
                                .cpu = "a CPU",
                                .version = "1",
                                .peak = 1e9,
                                .peak_form = "f32"};
}

static struct metrics *begin(const char *path, const char *folder, int64_t steps_done,
                             struct told *told) {
    const struct metrics_run run = some_run(folder, 1);
    struct metrics *m = metrics_create(path, on_tell, told);
    assert_non_null(m);
    metrics_begin(m, &run, steps_done);
    return m;
}

static void tell_steps(struct metrics *m, int64_t from, int64_t to, double loss) {
    static const int64_t load[] = {3, 0, 1};
    for (int64_t step = from; step <= to; step++) {
        const struct metrics_step row = {.step = step,
                                         .rows = 64,
                                         .stage = "pre",
                                         .loss = loss + (double)step,
                                         .mtp_loss = (double)NAN,
                                         .norm = 2,
                                         .rate = 1e-3,
                                         .seconds = 0.5,
                                         .share = 0.25};
        metrics_load(m, step, 1, load, 3);
        metrics_step(m, &row);
    }
}

static struct metrics_db *reopen(const char *path) {
    struct metrics_db *db;
    struct jl_error err;
    if (metrics_db_open(path, &db, &err) != JL_OK) fail_msg("%s", err.message);
    return db;
}

static size_t count_steps(const char *path, int64_t id, struct metrics_step *last) {
    struct arena arena = {.block_size = 4096};
    struct metrics_step *steps;
    size_t n;
    struct metrics_db *db = reopen(path);
    assert_int_equal(metrics_steps(db, id, &arena, &steps, &n, NULL), JL_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(steps[i].step, (int64_t)i + 1); // none is missing, none is there twice
    if (n && last) *last = steps[n - 1];
    metrics_db_close(db);
    arena_free(&arena);
    return n;
}

static void what_is_told_comes_back(void **state) {
    const char *path = scratch_path("a/new/folder/runs.db");
    struct arena arena = {.block_size = 4096};
    struct told told = {0};
    struct metrics_summary *runs;
    struct metrics_step *steps;
    struct metrics_held *held;
    struct metrics_said *said;
    size_t n;
    (void)state;
    struct metrics *m = metrics_create(path, on_tell, &told);
    metrics_event(m, 0, "note", "before it begins"); // waits for the run
    const struct metrics_run run = some_run("/x/fry.run", 1);
    metrics_begin(m, &run, 0);
    tell_steps(m, 1, 60, 1);
    metrics_held_out(m, 60, 1.5, 700);
    metrics_sample(m, 60, "Once", " upon \"a\" time\n\xff");
    struct metrics_db *db = reopen(path); // while the other one still writes
    assert_int_equal(metrics_runs(db, 0, &arena, &runs, &n, NULL), JL_OK);
    assert_int_equal(n, 1);
    assert_string_equal(runs[0].state, "running");
    metrics_end(m, "failed", "no luck");
    metrics_free(m);

    assert_int_equal(metrics_runs(db, 1, &arena, &runs, &n, NULL), JL_OK);
    assert_int_equal(n, 1);
    assert_string_equal(runs->name, "fry");
    assert_string_equal(runs->folder, "/x/fry.run");
    assert_string_equal(runs->mark, "aa");
    assert_string_equal(runs->recipe, "[run]\n");
    assert_string_equal(runs->state, "failed");
    assert_string_equal(runs->error, "no luck");
    assert_int_equal(runs->n_param, 1000);
    assert_int_equal(runs->n_step, 100);
    assert_int_equal(runs->step, 60);
    assert_int_equal(runs->tokens, 60 * 64);
    assert_true(runs->loss == 61 && runs->held_out == 1.5 && runs->speed == 128);
    assert_true(runs->seconds == 30 && runs->share == 0.25 && runs->peak == 1e9);
    assert_true(runs->started > 1e9 && runs->changed >= runs->started);

    assert_int_equal(metrics_steps(db, 1, &arena, &steps, &n, NULL), JL_OK);
    assert_int_equal(n, 60);
    assert_string_equal(steps[9].stage, "pre");
    assert_true(steps[9].loss == 11 && isnan(steps[9].mtp_loss) && steps[9].norm == 2);
    assert_true(steps[9].load == 2.25);
    assert_int_equal(metrics_held(db, 1, &arena, &held, &n, NULL), JL_OK);
    assert_true(n == 1 && held->step == 60 && held->loss == 1.5 && held->tokens == 700);
    assert_int_equal(metrics_samples(db, 1, &arena, &said, &n, NULL), JL_OK);
    assert_int_equal(n, 1);
    assert_string_equal(said->text, " upon \"a\" time\n\xff");
    assert_int_equal(metrics_events(db, 1, &arena, &said, &n, NULL), JL_OK);
    assert_int_equal(n, 2);
    assert_string_equal(said[0].text, "before it begins");
    assert_string_equal(said[1].text, "begins");

    assert_int_equal(metrics_remove(db, 1, NULL), JL_OK);
    assert_int_equal(metrics_runs(db, 0, &arena, &runs, &n, NULL), JL_OK);
    assert_int_equal(n, 0);
    assert_int_equal(metrics_steps(db, 1, &arena, &steps, &n, NULL), JL_OK);
    assert_int_equal(n, 0);
    metrics_db_close(db);
    arena_free(&arena);
    assert_int_equal(told.n, 0);
}

/* The whole vector of loads only now and then. */
static void loads(void **state) {
    const char *path = scratch_path("loads.db");
    static const int64_t even[] = {5, 5, 5, 5}, one[] = {0, 8, 0, 0}, none[] = {0, 0};
    struct told told = {0};
    sqlite3 *db;
    sqlite3_stmt *s;
    (void)state;
    struct metrics_load l = metrics_load_of(even, 4);
    assert_true(l.max == 1 && fabs(l.evenness - 1) < 1e-12 && l.dead == 0);
    l = metrics_load_of(one, 4);
    assert_true(l.max == 4 && l.evenness == 0 && l.dead == 3);
    l = metrics_load_of(none, 2);
    assert_true(l.max == 0 && l.evenness == 0 && l.dead == 0);
    struct metrics *m = begin(path, "/x/loads", 0, &told);
    tell_steps(m, 1, 100, 0);
    metrics_end(m, "done", NULL);
    metrics_free(m);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_prepare_v2(db, "SELECT count(*), count(experts), max(experts), sum(dead) FROM loads",
                       -1, &s, NULL);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(s, 0), 100);
    assert_int_equal(sqlite3_column_int(s, 1), 100 / METRICS_VECTOR_EVERY);
    assert_string_equal((const char *)sqlite3_column_text(s, 2), "[3,0,1]");
    assert_int_equal(sqlite3_column_int(s, 3), 100);
    sqlite3_finalize(s);
    sqlite3_close(db);
}

/* After the checkpoint of step 10 a run told of steps up to 15 and was gone. */
static void going_on_replaces_what_came_later(void **state) {
    const char *path = scratch_path("resume.db");
    struct told told = {0};
    struct metrics_step last;
    (void)state;
    struct metrics *m = begin(path, "/x/run", 0, &told);
    tell_steps(m, 1, 15, 0);
    metrics_flush(m);
    metrics_free(m); // without a last word
    m = begin(path, "/x/other", 0, &told);
    tell_steps(m, 1, 12, 0);
    metrics_end(m, "done", NULL);
    metrics_free(m);
    assert_int_equal(count_steps(path, 1, &last), 15);
    m = begin(path, "/x/run", 10, &told);
    assert_int_equal(count_steps(path, 1, &last), 10);
    tell_steps(m, 11, 12, 100);
    metrics_end(m, "done", NULL);
    metrics_free(m);
    assert_int_equal(count_steps(path, 1, &last), 12);
    assert_true(last.loss == 112);
    assert_int_equal(count_steps(path, 2, &last), 12); // another folder's
    assert_true(last.loss == 12);
    assert_int_equal(told.n, 0);
}

/* A recipe that got one stage more goes on as the same run; one that was changed does not. */
static void a_run_is_known_by_folder_and_mark(void **state) {
    static const char *const changed[] = {"cc"};
    const char *path = scratch_path("marks.db");
    struct arena arena = {.block_size = 4096};
    struct told told = {0};
    struct metrics_summary *runs;
    size_t n;
    (void)state;
    struct metrics_run run = some_run("/x/run", 1);
    for (int round = 0; round < 3; round++) {
        struct metrics *m = metrics_create(path, on_tell, &told);
        if (round == 1) run.n_mark = 2, run.n_step = 200;
        if (round == 2) run.n_mark = 1, run.marks = changed;
        metrics_begin(m, &run, 0);
        metrics_end(m, "done", NULL);
        metrics_free(m);
    }
    struct metrics_db *db = reopen(path);
    assert_int_equal(metrics_runs(db, 0, &arena, &runs, &n, NULL), JL_OK);
    assert_int_equal(n, 2);
    assert_int_equal(runs[0].id, 2); // the newest first
    assert_string_equal(runs[0].mark, "cc");
    assert_string_equal(runs[1].mark, "bb");
    assert_int_equal(runs[1].n_step, 200);
    metrics_db_close(db);
    arena_free(&arena);
}

static sqlite3 *lock(const char *path) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void rows_wait_for_a_lock(void **state) {
    const char *path = scratch_path("locked.db");
    struct told told = {0};
    (void)state;
    struct metrics *m = begin(path, "/x/first", 0, &told);
    metrics_end(m, "done", NULL);
    metrics_free(m);
    sqlite3 *other = lock(path);
    m = begin(path, "/x/second", 0, &told);
    tell_steps(m, 1, 30, 0);
    metrics_flush(m);
    assert_int_equal(count_steps(path, 2, NULL), 0);
    assert_int_equal(told.n, 0); // it may end yet
    sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
    metrics_flush(m);
    assert_int_equal(count_steps(path, 2, NULL), 30);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    tell_steps(m, 31, 32, 0);
    metrics_end(m, "done", NULL); // and it never does
    metrics_free(m);
    sqlite3_close(other);
    assert_int_equal(count_steps(path, 2, NULL), 30);
    assert_int_equal(told.n, 1);
    assert_non_null(strstr(told.last, "locked"));
}

/* More rows than may wait: told once, and nothing more is taken. */
static void a_lock_without_end(void **state) {
    const char *path = scratch_path("endless.db");
    struct told told = {0};
    (void)state;
    metrics_free(begin(path, "/x/first", 0, &told));
    sqlite3 *other = lock(path);
    struct metrics *m = begin(path, "/x/second", 0, &told);
    tell_steps(m, 1, 70000, 0);
    metrics_end(m, "done", NULL);
    metrics_free(m);
    sqlite3_close(other);
    assert_int_equal(told.n, 1);
    assert_non_null(strstr(told.last, "locked"));
}

/* All of a run's calls on a file that does not work: one message, and it names the file. */
static void goes_without(const char *path, const char *why) {
    struct told told = {0};
    struct metrics *m = begin(path, "/x/run", 0, &told);
    tell_steps(m, 1, 20, 0);
    metrics_held_out(m, 20, 1, 1);
    metrics_sample(m, 20, "a", "b");
    metrics_event(m, 20, "checkpoint", "there");
    metrics_flush(m);
    metrics_end(m, "done", NULL);
    metrics_free(m);
    assert_int_equal(told.n, 1);
    if (!strstr(told.last, why) || !strstr(told.last, path))
        fail_msg("'%s' names neither %s nor '%s'", told.last, path, why);
}

static void files_that_cannot_be_written(void **state) {
    (void)state;
    scratch_text("plain", "text");
    goes_without(scratch_path("plain/runs.db"), "unable to open");
    goes_without(scratch_dir(), "unable to open"); // a folder
    if (geteuid() == 0) return;                    // whom no mode stops
    const char *path = scratch_path("readonly.db");
    struct told told = {0};
    metrics_free(begin(path, "/x/run", 0, &told));
    chmod(path, 0444);
    goes_without(path, "readonly");
}

/* The disk is full from here on, as the limit on a file's size has it. */
static void a_full_disk(void **state) {
    const char *path = scratch_path("full.db");
    struct rlimit old, limit;
    struct told told = {0};
    (void)state;
    struct metrics *m = begin(path, "/x/run", 0, &told);
    tell_steps(m, 1, 10, 0);
    metrics_flush(m);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    limit = (struct rlimit){65536, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    tell_steps(m, 11, 5000, 0);
    metrics_end(m, "done", NULL);
    setrlimit(RLIMIT_FSIZE, &old);
    metrics_free(m);
    assert_int_equal(told.n, 1);
    assert_non_null(strstr(told.last, path));
    assert_int_equal(count_steps(path, 1, NULL), 10); // whole, as it was before
}

static void refused(const char *path, const char *why) {
    struct metrics_db *db;
    struct jl_error err;
    char *before = NULL, *after = NULL;
    size_t n, n_after;
    assert_int_equal(file_read(path, 1 << 20, &before, &n, NULL), JL_OK);
    assert_int_equal(metrics_db_open(path, &db, &err), JL_ERR_FORMAT);
    assert_null(db);
    if (!strstr(err.message, why)) fail_msg("'%s' is not '%s'", err.message, why);
    goes_without(path, why);
    assert_int_equal(file_read(path, 1 << 20, &after, &n_after, NULL), JL_OK);
    assert_int_equal(n, n_after); // left as it was
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
}

static void sql_file(const char *path, const char *sql) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void files_of_others(void **state) {
    struct told told = {0};
    struct metrics_db *db;
    (void)state;
    char *noise = calloc(1, 20000);
    memset(noise, 'x', 20000);
    scratch_write("noise.db", noise, 20000);
    refused(scratch_path("noise.db"), "damaged");
    free(noise);
    sql_file(scratch_path("foreign.db"), "CREATE TABLE steps(a); INSERT INTO steps VALUES(1)");
    refused(scratch_path("foreign.db"), "another program");
    const char *newer = scratch_path("newer.db");
    metrics_free(begin(newer, "/x/run", 0, &told));
    sql_file(newer, "PRAGMA user_version = 7");
    refused(newer, "version 7");
    scratch_text("empty.db", "");
    assert_int_equal(metrics_db_open(scratch_path("empty.db"), &db, NULL), JL_ERR_IO);
    assert_int_equal(metrics_db_open(scratch_path("absent.db"), &db, NULL), JL_ERR_IO);
}

/* A file of before rewards were known: it is read, and gets the table that it lacks. */
static void older_files(void **state) {
    const struct metrics_reward by = {
        .reward = 0.5, .right = 0.25, .kl = (double)NAN, .drawn = 900};
    const char *path = scratch_path("older.db");
    struct metrics_step last;
    struct told told = {0};
    (void)state;
    for (int reads_first = 0; reads_first < 2; reads_first++) {
        struct metrics *m = begin(path, "/x/run", 0, &told);
        tell_steps(m, 1, 3, 0);
        metrics_free(m);
        m = begin(path, "/x/run", 0, &told);
        tell_steps(m, 1, 3, 0);
        metrics_end(m, "stopped", NULL);
        metrics_free(m);
        sql_file(path, "DROP TABLE rewards; PRAGMA user_version = 1");
        if (reads_first) {
            assert_int_equal(count_steps(path, 1, &last), 3);
            assert_true(isnan(last.by.reward) && last.load > 0);
        }
        m = begin(path, "/x/run", 3, &told);
        tell_steps(m, 4, 5, 0);
        metrics_reward(m, 5, &by, "{\"correct\": 0.5}");
        metrics_end(m, "done", NULL);
        metrics_free(m);
        assert_int_equal(count_steps(path, 1, &last), 5);
        assert_true(last.by.reward == 0.5 && last.by.right == 0.25 && isnan(last.by.kl) &&
                    last.by.drawn == 900);
    }
    assert_int_equal(told.n, 0);
}

/* Pages behind the first are torn: found when they are read or written. */
static void torn_pages(void **state) {
    const char *path = scratch_path("torn.db");
    struct told told = {0};
    struct arena arena = {.block_size = 4096};
    struct metrics_step *steps;
    struct metrics_db *db;
    size_t n;
    (void)state;
    struct metrics *m = begin(path, "/x/run", 0, &told);
    tell_steps(m, 1, 3000, 0);
    metrics_end(m, "done", NULL);
    metrics_free(m);
    FILE *file = fopen(path, "r+b");
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    for (long at = 4096; at < size; at += 4096) {
        fseek(file, at, SEEK_SET);
        fputs("torn torn torn torn", file);
    }
    fclose(file);
    enum jl_status status = metrics_db_open(path, &db, NULL);
    if (status == JL_OK) status = metrics_steps(db, 1, &arena, &steps, &n, NULL);
    assert_int_equal(status, JL_ERR_FORMAT);
    metrics_db_close(db);
    arena_free(&arena);
    goes_without(path, "damaged");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_told_comes_back),
        cmocka_unit_test(loads),
        cmocka_unit_test(going_on_replaces_what_came_later),
        cmocka_unit_test(a_run_is_known_by_folder_and_mark),
        cmocka_unit_test(rows_wait_for_a_lock),
        cmocka_unit_test(a_lock_without_end),
        cmocka_unit_test(files_that_cannot_be_written),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(files_of_others),
        cmocka_unit_test(older_files),
        cmocka_unit_test(torn_pages),
    };
    int failed = cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
    scratch_remove();
    return failed;
}
