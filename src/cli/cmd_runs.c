/* runs: what trainings have told of themselves. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/runs.h"
#include "cli/train_record.h"

struct runs_command {
    const char *id_text, *csv, *svg;
    struct cli_list metrics;
    int compare, rm; // 0: not asked for
    bool json, log;
    int64_t id; // 0: all
    enum runs_metric metric[CLI_LIST_MAX];
    int n_metric;
    struct arena arena;
    struct metrics_db *db;
};

/* ---- reading ---- */

enum jl_status runs_read(struct metrics_db *db, int64_t id, struct arena *arena,
                         struct runs_data *out, struct jl_error *err) {
    struct metrics_summary *run;
    size_t n;
    *out = (struct runs_data){0};
    JL_TRY(metrics_runs(db, id, arena, &run, &n, err));
    if (n == 0)
        return jl_fail(err, JL_ERR_USAGE, "there is no run %" PRId64 "; `jinlin runs` lists them",
                       id);
    out->run = *run;
    JL_TRY(metrics_steps(db, id, arena, &out->steps, &out->n_step, err));
    JL_TRY(metrics_held(db, id, arena, &out->held, &out->n_held, err));
    JL_TRY(metrics_samples(db, id, arena, &out->samples, &out->n_sample, err));
    return metrics_events(db, id, arena, &out->events, &out->n_event, err);
}

static enum jl_status check(struct runs_command *c, struct jl_error *err) {
    char *end;
    if (c->id_text) {
        errno = 0;
        c->id = strtoll(c->id_text, &end, 10);
        if (*end || errno || c->id < 1)
            return jl_fail(err, JL_ERR_USAGE, "a run's ID is a whole number, not '%s'", c->id_text);
    }
    if (c->rm && (c->id || c->compare || c->csv || c->svg || c->json || c->metrics.n))
        return jl_fail(err, JL_ERR_USAGE, "--rm ID goes with nothing else");
    if (!c->id && (c->compare || c->csv || c->svg || c->metrics.n || c->log))
        return jl_fail(err, JL_ERR_USAGE,
                       "--compare, --csv, --svg, --metric and --log want the ID of a run");
    if (c->json && (c->compare || c->csv || c->svg || c->metrics.n || c->log))
        return jl_fail(err, JL_ERR_USAGE, "--json goes with an ID and nothing else");
    for (int i = 0; i < c->metrics.n; i++)
        JL_TRY(runs_metric_find(c->metrics.items[i], &c->metric[i], err));
    c->n_metric = c->metrics.n;
    return JL_OK;
}

/* *none: nothing has been recorded at all. */
static enum jl_status open_db(struct runs_command *c, bool *none, struct jl_error *err) {
    char *path = train_record_path();
    *none = false;
    if (!path)
        return jl_fail(err, JL_ERR_USAGE,
                       "no file of runs is known: JINLIN_RUNS is `none`, or HOME is not set");
    *none = !c->id && !c->rm && !file_exists(path);
    if (*none && !c->json) fprintf(stderr, "no runs in %s yet; try: jinlin train RECIPE\n", path);
    enum jl_status status = *none ? JL_OK : metrics_db_open(path, &c->db, err);
    free(path);
    return status;
}

/* ---- files ---- */

struct output {
    const char *path; // "-": standard output
    struct file_writer writer;
};

static enum jl_status open_output(struct output *o, FILE **out, struct jl_error *err) {
    *out = stdout;
    if (!strcmp(o->path, "-")) return JL_OK;
    JL_TRY(file_writer_open(o->path, &o->writer, err));
    *out = o->writer.stream;
    return JL_OK;
}

static enum jl_status close_output(struct output *o, struct jl_error *err) {
    return o->writer.stream ? file_writer_commit(&o->writer, err) : JL_OK;
}

static enum jl_status write_csv(const char *path, const struct runs_data *data,
                                struct jl_error *err) {
    struct output o = {.path = path};
    FILE *out;
    JL_TRY(open_output(&o, &out, err));
    runs_csv_write(data, out);
    return close_output(&o, err);
}

static enum jl_status write_svg(const char *path, const struct runs_chart *charts, int n,
                                struct jl_error *err) {
    struct output o = {.path = path};
    FILE *out;
    JL_TRY(open_output(&o, &out, err));
    runs_svg_write(charts, n, out);
    return close_output(&o, err);
}

/* ---- the forms ---- */

static int terminal_columns(void) {
    struct winsize size = {0};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    return size.ws_col ? size.ws_col : 80;
}

static enum jl_status list_runs(struct runs_command *c, struct jl_error *err) {
    struct metrics_summary *runs = NULL;
    size_t n = 0;
    if (c->db) JL_TRY(metrics_runs(c->db, 0, &c->arena, &runs, &n, err));
    if (c->json) return runs_print_json(runs, n, err);
    if (c->db) runs_print_table(runs, n);
    return JL_OK;
}

static enum jl_status draw(const struct runs_chart *charts, int n, struct jl_error *err) {
    for (int i = 0; i < n; i++) {
        printf("\n");
        if (runs_chart_is_empty(&charts[i]))
            printf("%s: nothing has been recorded\n", charts[i].title);
        else
            JL_TRY(runs_plot_print(&charts[i], terminal_columns(), stdout, err));
    }
    return JL_OK;
}

static enum jl_status show_run(struct runs_command *c, struct jl_error *err) {
    struct runs_data data[RUNS_MOST_SERIES];
    struct runs_chart charts[CLI_LIST_MAX];
    int n_data = c->compare ? 2 : 1;
    JL_TRY(runs_read(c->db, c->id, &c->arena, &data[0], err));
    if (c->json) return runs_print_json_of(&data[0], err);
    if (c->compare) JL_TRY(runs_read(c->db, c->compare, &c->arena, &data[1], err));
    bool by_reward = data[0].n_step && isfinite(data[0].steps[data[0].n_step - 1].by.reward);
    if (!c->n_metric) c->metric[c->n_metric++] = by_reward ? RUNS_REWARD : RUNS_LOSS;
    for (int i = 0; i < c->n_metric; i++)
        JL_TRY(runs_chart_make(data, n_data, c->metric[i], c->log, &c->arena, &charts[i], err));
    if (c->csv) JL_TRY(write_csv(c->csv, &data[0], err));
    if (c->svg) JL_TRY(write_svg(c->svg, charts, c->n_metric, err));
    if (c->csv || c->svg) return JL_OK;
    for (int i = 0; i < n_data; i++)
        runs_print_summary(&data[i].run);
    JL_TRY(draw(charts, c->n_metric, err));
    if (!c->compare) runs_print_last(&data[0]);
    return JL_OK;
}

static enum jl_status remove_run(struct runs_command *c, struct jl_error *err) {
    struct metrics_summary *run;
    size_t n;
    JL_TRY(metrics_runs(c->db, c->rm, &c->arena, &run, &n, err));
    if (n == 0)
        return jl_fail(err, JL_ERR_USAGE, "there is no run %d; `jinlin runs` lists them", c->rm);
    if (!strcmp(run->state, "running"))
        return jl_fail(err, JL_ERR_USAGE, "run %d is at work: end it first", c->rm);
    JL_TRY(metrics_remove(c->db, c->rm, err));
    printf("removed run %d; its folder stays: %s\n", c->rm, run->folder);
    return JL_OK;
}

int cmd_runs(int argc, char **argv) {
    struct runs_command c = {.arena = {.block_size = 65536}};
    bool done, none = false;
    const struct cli_option options[] = {
        {"--metric", NULL, CLI_LIST, &c.metrics, "NAME",
         "loss, norm, rate, tokens, share, load or held_out; by reward also reward, right, length, "
         "alike, cut, entropy, kl, clipped, drawn, learned; repeatable (default: loss, or reward)",
         0, 0},
        {"--log", NULL, CLI_FLAG, &c.log, NULL, "a logarithmic axis", 0, 0},
        {"--compare", NULL, CLI_INT, &c.compare, "ID", "a second run in the same charts", 1,
         1 << 30},
        {"--csv", NULL, CLI_TEXT, &c.csv, "FILE", "write the steps; `-` is standard output", 0, 0},
        {"--svg", NULL, CLI_TEXT, &c.svg, "FILE", "write the charts; `-` is standard output", 0, 0},
        {"--json", NULL, CLI_FLAG, &c.json, NULL, "for programs", 0, 0},
        {"--rm", NULL, CLI_INT, &c.rm, "ID", "forget a run; its folder stays", 1, 1 << 30},
    };
    const struct cli_spec spec = {"runs",
                                  "[ID] [options]",
                                  "trainings: all of them, or the curves and samples of one",
                                  "jinlin runs 3 --compare 2 --metric loss --metric norm",
                                  options,
                                  sizeof options / sizeof options[0],
                                  0,
                                  1};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, &c.id_text, &done, &err);
    if (done) return 0;
    if (status == JL_OK) status = check(&c, &err);
    if (status == JL_OK) status = open_db(&c, &none, &err);
    if (status == JL_OK)
        status = c.rm ? remove_run(&c, &err) : c.id ? show_run(&c, &err) : list_runs(&c, &err);
    metrics_db_close(c.db);
    arena_free(&c.arena);
    return cli_finish(&spec, status, &err);
}
