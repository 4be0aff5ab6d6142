#include "train/metrics/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fmath.h"
#include "base/process.h"
#include "train/metrics/file.h"

#define FLUSH_SECONDS 2.0  // between two transactions
#define LOCKED_SECONDS 10. // and after one that found the file locked
#define MOST_ROWS 65536    // that wait
#define MOST_VALUES 14     // of a row, besides the run
#define LAST_WAIT 2000     // milliseconds for a lock when all has been done

/* id, statement: ?1 is the run. */
#define TABLE_LIST(X)                                                                              \
    X(TABLE_STEP, "INSERT OR REPLACE INTO steps VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")  \
    X(TABLE_REWARD,                                                                                \
      "INSERT OR REPLACE INTO rewards VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "            \
      "?11, ?12, ?13, ?14, ?15)")                                                                  \
    X(TABLE_LOAD, "INSERT OR REPLACE INTO loads VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")               \
    X(TABLE_HELD_OUT, "INSERT OR REPLACE INTO held_out VALUES(?1, ?2, ?3, ?4)")                    \
    X(TABLE_SAMPLE, "INSERT OR REPLACE INTO samples VALUES(?1, ?2, ?3, ?4)")                       \
    X(TABLE_EVENT, "INSERT INTO events(run, step, time, kind, text) VALUES(?1, ?2, ?3, ?4, ?5)")   \
    X(TABLE_STATE, "UPDATE runs SET state = ?2, error = ?3 WHERE id = ?1")

enum table {
#define X(id, sql) id,
    TABLE_LIST(X)
#undef X
        TABLE_COUNT
};

static const char *const statements[] = {
#define X(id, sql) sql,
    TABLE_LIST(X)
#undef X
};

struct value {
    enum { ABSENT, WHOLE, REAL, TEXT } kind;
    int64_t whole;
    double real;
    char *text; // heap
};
struct row {
    enum table table;
    struct value values[MOST_VALUES];
};

struct metrics {
    char *path;
    void (*tell)(void *ctx, const char *text);
    void *ctx;
    sqlite3 *db; // NULL: not open yet, or not any more
    sqlite3_stmt *insert[TABLE_COUNT];
    bool begun, off; // off: nothing is recorded any more
    struct arena arena;
    struct metrics_run run; // texts in the arena
    int64_t steps_done;
    int64_t id; // 0: not in the file yet
    struct row *rows;
    size_t n, cap;
    double next; // when to write again
};

struct metrics *metrics_create(const char *path, void (*tell)(void *ctx, const char *text),
                               void *ctx) {
    struct metrics *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->arena.block_size = 16384;
    m->tell = tell;
    m->ctx = ctx;
    m->path = strdup(path);
    if (m->path) return m;
    free(m);
    return NULL;
}

static void drop_rows(struct metrics *m) {
    for (size_t i = 0; i < m->n; i++)
        for (int k = 0; k < MOST_VALUES; k++)
            free(m->rows[i].values[k].text);
    m->n = 0;
}

static void close_file(struct metrics *m) {
    for (int i = 0; i < TABLE_COUNT; i++) {
        sqlite3_finalize(m->insert[i]);
        m->insert[i] = NULL;
    }
    sqlite3_close(m->db);
    m->db = NULL;
}

void metrics_free(struct metrics *m) {
    if (!m) return;
    drop_rows(m);
    close_file(m);
    free(m->rows);
    free(m->path);
    arena_free(&m->arena);
    free(m);
}

static void give_up(struct metrics *m, const char *why) {
    char text[sizeof((struct jl_error *)0)->message + 64];
    if (m->off) return;
    m->off = true;
    drop_rows(m);
    close_file(m);
    snprintf(text, sizeof text, "the run is no longer recorded: %s", why);
    if (m->tell) m->tell(m->ctx, text);
}

/* ---- rows that wait ---- */

static struct value whole(int64_t x) { return (struct value){.kind = WHOLE, .whole = x}; }
static struct value real(double x) { return (struct value){.kind = REAL, .real = x}; }
static struct value text(const char *x) {
    char *copy = x ? strdup(x) : NULL;
    return (struct value){.kind = copy ? TEXT : ABSENT, .text = copy};
}

static void add(struct metrics *m, enum table table, int n, const struct value *values) {
    if (m->n == m->cap && !m->off) {
        size_t cap = m->cap ? 2 * m->cap : 64;
        struct row *rows = cap > MOST_ROWS ? NULL : realloc(m->rows, cap * sizeof *rows);
        if (rows) m->rows = rows, m->cap = cap;
        if (!rows && cap > MOST_ROWS)
            give_up(m, "the file stays locked by another program");
        else if (!rows)
            give_up(m, "out of memory");
    }
    if (m->off) {
        for (int k = 0; k < n; k++)
            free(values[k].text);
        return;
    }
    struct row *row = &m->rows[m->n++];
    *row = (struct row){.table = table};
    memcpy(row->values, values, (size_t)n * sizeof *values);
}

#define ADD(m, table, ...)                                                                         \
    do {                                                                                           \
        const struct value add_values[] = {__VA_ARGS__};                                           \
        _Static_assert(sizeof add_values <= MOST_VALUES * sizeof *add_values, "room in a row");    \
        add(m, table, (int)(sizeof add_values / sizeof *add_values), add_values);                  \
    } while (0)

/* ---- writing ---- */

static bool is_fine(int code) { return code == SQLITE_OK || code == SQLITE_DONE; }

static int run_sql(struct metrics *m, const char *sql) {
    return sqlite3_exec(m->db, sql, NULL, NULL, NULL);
}

static void bind(sqlite3_stmt *s, int at, const struct value *v) {
    switch (v->kind) {
    case ABSENT: sqlite3_bind_null(s, at); break;
    case WHOLE: sqlite3_bind_int64(s, at, v->whole); break;
    case REAL: sqlite3_bind_double(s, at, v->real); break; // NAN is NULL
    case TEXT: sqlite3_bind_text(s, at, v->text, -1, SQLITE_STATIC); break;
    }
}

static int write_row(struct metrics *m, const struct row *row) {
    sqlite3_stmt **s = &m->insert[row->table];
    int code = SQLITE_OK;
    if (!*s) code = sqlite3_prepare_v2(m->db, statements[row->table], -1, s, NULL);
    if (code != SQLITE_OK) return code;
    int n = sqlite3_bind_parameter_count(*s);
    sqlite3_bind_int64(*s, 1, m->id);
    for (int k = 2; k <= n; k++)
        bind(*s, k, &row->values[k - 2]);
    code = sqlite3_step(*s);
    sqlite3_reset(*s);
    sqlite3_clear_bindings(*s);
    return code;
}

/* A statement of its own with whole numbers and texts; *out: the first column, if there is a row.
 */
static int once(struct metrics *m, const char *sql, int n, const struct value *values,
                int64_t *out) {
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(m->db, sql, -1, &s, NULL);
    for (int k = 0; code == SQLITE_OK && k < n; k++)
        bind(s, k + 1, &values[k]);
    if (code == SQLITE_OK) code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        if (out) *out = sqlite3_column_int64(s, 0);
        code = SQLITE_OK;
    }
    sqlite3_finalize(s);
    return is_fine(code) ? SQLITE_OK : code;
}

/* Values of `once` belong to somebody else. */
static struct value borrowed(const char *x) {
    return (struct value){.kind = x ? TEXT : ABSENT, .text = (char *)(uintptr_t)x};
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The run as it is known already, by the longest part of its recipe; 0: it is not. */
static int find_run(struct metrics *m) {
    int code = SQLITE_OK;
    for (int i = m->run.n_mark - 1; code == SQLITE_OK && !m->id && i >= 0; i--) {
        const struct value key[] = {borrowed(m->run.folder), borrowed(m->run.marks[i])};
        code = once(m, "SELECT id FROM runs WHERE folder = ?1 AND mark = ?2", 2, key, &m->id);
    }
    if (code != SQLITE_OK || m->id) return code;
    const struct value key[] = {borrowed(m->run.folder), borrowed(m->run.marks[m->run.n_mark - 1]),
                                real(now())};
    code = once(m, "INSERT INTO runs(folder, mark, started) VALUES(?1, ?2, ?3)", 3, key, NULL);
    if (code == SQLITE_OK) m->id = sqlite3_last_insert_rowid(m->db);
    return code;
}

static int drop_later_steps(struct metrics *m) {
    static const char *const sql[] = {"DELETE FROM steps WHERE run = ?1 AND step > ?2",
                                      "DELETE FROM loads WHERE run = ?1 AND step > ?2",
                                      "DELETE FROM held_out WHERE run = ?1 AND step > ?2",
                                      "DELETE FROM samples WHERE run = ?1 AND step > ?2",
                                      "DELETE FROM rewards WHERE run = ?1 AND step > ?2"};
    const struct value at[] = {whole(m->id), whole(m->steps_done)};
    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < sizeof sql / sizeof sql[0]; i++)
        code = once(m, sql[i], 2, at, NULL);
    return code;
}

static int write_run(struct metrics *m) {
    char process[PROCESS_MARK_BYTES];
    const struct metrics_run *r = &m->run;
    process_mark(process);
    int code = find_run(m);
    if (code == SQLITE_OK) code = drop_later_steps(m);
    const struct value values[] = {
        whole(m->id),           borrowed(r->marks[r->n_mark - 1]),
        borrowed(r->name),      borrowed(r->recipe),
        borrowed(r->family),    borrowed(r->class),
        whole(r->n_param),      whole(r->n_active),
        whole(r->n_step),       whole(r->threads),
        borrowed(r->level),     borrowed(r->cpu),
        borrowed(r->version),   real(r->peak),
        borrowed(r->peak_form), borrowed(process),
    };
    if (code == SQLITE_OK)
        code = once(m,
                    "UPDATE runs SET mark = ?2, name = ?3, recipe = ?4, family = ?5, class = ?6,"
                    " n_param = ?7, n_active = ?8, n_step = ?9, threads = ?10, level = ?11,"
                    " cpu = ?12, version = ?13, peak = ?14, peak_form = ?15, process = ?16,"
                    " state = 'running', error = NULL WHERE id = ?1",
                    (int)(sizeof values / sizeof *values), values, NULL);
    return code;
}

static int write_all(struct metrics *m) {
    bool is_new = !m->id;
    int code = run_sql(m, "BEGIN IMMEDIATE");
    if (code != SQLITE_OK) return code;
    if (is_new) code = write_run(m);
    for (size_t i = 0; is_fine(code) && i < m->n; i++)
        code = write_row(m, &m->rows[i]);
    const struct value changed[] = {whole(m->id), real(now())};
    if (is_fine(code))
        code = once(m, "UPDATE runs SET changed = ?2 WHERE id = ?1", 2, changed, NULL);
    if (code == SQLITE_OK) code = run_sql(m, "COMMIT");
    if (code == SQLITE_OK) return code;
    if (is_new) m->id = 0;
    return code;
}

/* false: somebody else has locked the file. */
static bool flush(struct metrics *m) {
    struct jl_error err = {0};
    enum jl_status status = JL_OK;
    if (!m->db) status = metrics_file_open(m->path, true, &m->db, &err);
    if (status == JL_OK && write_all(m) != SQLITE_OK) {
        status = metrics_file_fault(m->db, m->path, &err);
        if (!sqlite3_get_autocommit(m->db)) run_sql(m, "ROLLBACK");
    }
    if (status == JL_OK)
        drop_rows(m);
    else if (status != JL_ERR_LIMIT)
        give_up(m, err.message);
    return status != JL_ERR_LIMIT;
}

void metrics_flush(struct metrics *m) {
    if (!m->begun || m->off) return;
    m->next = clock_seconds() + (flush(m) ? FLUSH_SECONDS : LOCKED_SECONDS);
}

static void flush_when_due(struct metrics *m) {
    if (clock_seconds() >= m->next) metrics_flush(m);
}

/* ---- what is told ---- */

static bool copy_texts(struct metrics *m, const struct metrics_run *run) {
    const char **const texts[] = {&m->run.folder, &m->run.name,    &m->run.recipe,
                                  &m->run.family, &m->run.class,   &m->run.level,
                                  &m->run.cpu,    &m->run.version, &m->run.peak_form};
    const char **marks = arena_calloc(&m->arena, (size_t)run->n_mark, sizeof *marks);
    bool ok = marks != NULL;
    m->run = *run;
    for (size_t i = 0; ok && i < sizeof texts / sizeof texts[0]; i++)
        if (*texts[i]) ok = (*texts[i] = arena_strdup(&m->arena, *texts[i])) != NULL;
    for (int i = 0; ok && i < run->n_mark; i++)
        ok = (marks[i] = arena_strdup(&m->arena, run->marks[i])) != NULL;
    m->run.marks = marks;
    return ok;
}

void metrics_begin(struct metrics *m, const struct metrics_run *run, int64_t steps_done) {
    char text[96];
    if (!copy_texts(m, run)) {
        give_up(m, "out of memory");
        return;
    }
    m->begun = true;
    m->steps_done = steps_done;
    snprintf(text, sizeof text, steps_done ? "goes on after step %" PRId64 : "begins", steps_done);
    metrics_event(m, steps_done, "begin", text);
}

void metrics_step(struct metrics *m, const struct metrics_step *s) {
    ADD(m, TABLE_STEP, whole(s->step), text(s->stage), real(s->loss), real(s->mtp_loss),
        real(s->norm), real(s->rate), whole(s->rows), real(s->seconds), real(s->share));
    flush_when_due(m);
}

void metrics_reward(struct metrics *m, int64_t step, const struct metrics_reward *r,
                    const char *parts) {
    ADD(m, TABLE_REWARD, whole(step), real(r->reward), real(r->deviation), real(r->right),
        real(r->alike), real(r->length), real(r->cut), real(r->entropy), real(r->kl),
        real(r->clipped), real(r->difference), real(r->drawn), real(r->learned), text(parts));
}

struct metrics_load metrics_load_of(const int64_t *load, int n) {
    struct metrics_load out = {0};
    double sum = 0, entropy = 0;
    int64_t most = 0;
    for (int i = 0; i < n; i++) {
        sum += (double)load[i];
        most = load[i] > most ? load[i] : most;
        out.dead += load[i] == 0;
    }
    if (!(sum > 0)) return (struct metrics_load){0};
    for (int i = 0; i < n; i++) {
        double p = (double)load[i] / sum;
        if (p > 0) entropy -= p * fmath_log64(p);
    }
    out.max = (double)most * n / sum;
    out.evenness = n > 1 ? entropy / fmath_log64(n) : 1;
    return out;
}

/* "[3,0,5]", on the heap. */
static char *list_of(const int64_t *load, int n) {
    size_t size = (size_t)n * 21 + 3, at = 0;
    char *out = malloc(size);
    for (int i = 0; out && i < n; i++)
        at += (size_t)snprintf(out + at, size - at, "%c%" PRId64, i ? ',' : '[', load[i]);
    if (out) snprintf(out + at, size - at, n ? "]" : "[]");
    return out;
}

void metrics_load(struct metrics *m, int64_t step, int layer, const int64_t *load, int n) {
    struct metrics_load l = metrics_load_of(load, n);
    char *list = step % METRICS_VECTOR_EVERY == 0 ? list_of(load, n) : NULL;
    const struct value experts = {.kind = list ? TEXT : ABSENT, .text = list};
    ADD(m, TABLE_LOAD, whole(step), whole(layer), real(l.max), real(l.evenness), whole(l.dead),
        experts);
}

void metrics_held_out(struct metrics *m, int64_t step, double loss, int64_t n_token) {
    ADD(m, TABLE_HELD_OUT, whole(step), real(loss), whole(n_token));
    metrics_flush(m);
}

void metrics_sample(struct metrics *m, int64_t step, const char *prompt, const char *said) {
    ADD(m, TABLE_SAMPLE, whole(step), text(prompt), text(said));
    metrics_flush(m);
}

void metrics_event(struct metrics *m, int64_t step, const char *kind, const char *what) {
    ADD(m, TABLE_EVENT, whole(step), real(now()), text(kind), text(what));
    metrics_flush(m);
}

void metrics_end(struct metrics *m, const char *state, const char *error) {
    if (!m->begun || m->off) return;
    ADD(m, TABLE_STATE, text(state), text(error));
    if (m->db) sqlite3_busy_timeout(m->db, LAST_WAIT);
    metrics_flush(m);
    if (m->n) give_up(m, "the file stays locked by another program");
    m->begun = false;
}
