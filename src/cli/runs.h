/* What `jinlin runs` shows: a run's rows, charts of them in the terminal and as SVG, and JSON. */
#ifndef JL_CLI_RUNS_H
#define JL_CLI_RUNS_H

#include <jansson.h>
#include <stdio.h>

#include "train/metrics/read.h"

/* All that is known of a run. Lists live in the arena that they were read into. */
struct runs_data {
    struct metrics_summary run;
    struct metrics_step *steps;
    struct metrics_held *held;
    struct metrics_said *samples, *events;
    size_t n_step, n_held, n_sample, n_event;
};
/* JL_ERR_USAGE where there is no such run. */
enum jl_status runs_read(struct metrics_db *db, int64_t id, struct arena *arena,
                         struct runs_data *out, struct jl_error *err);

/* ---- charts ---- */

/* id, name as an option says it, what stands above the chart, of a step `s` */
#define RUNS_METRIC_LIST(X)                                                                        \
    X(RUNS_LOSS, "loss", "loss", s->loss)                                                          \
    X(RUNS_NORM, "norm", "norm of the gradient", s->norm)                                          \
    X(RUNS_RATE, "rate", "learning rate", s->rate)                                                 \
    X(RUNS_TOKENS, "tokens", "tokens/s", (double)s->rows / s->seconds)                             \
    X(RUNS_SHARE, "share", "share of peak, %", 100 * s->share)                                     \
    X(RUNS_LOAD, "load", "most loaded expert over the mean", s->load)                              \
    X(RUNS_HELD_OUT, "held_out", "loss on held-out documents", (double)NAN)                        \
    X(RUNS_REWARD, "reward", "reward", s->by.reward)                                               \
    X(RUNS_RIGHT, "right", "right by the tasks' own checks, %", 100 * s->by.right)                 \
    X(RUNS_LENGTH, "length", "tokens of an answer", s->by.length)                                  \
    X(RUNS_ALIKE, "alike", "groups that teach nothing, %", 100 * s->by.alike)                      \
    X(RUNS_CUT, "cut", "answers that were cut off, %", 100 * s->by.cut)                            \
    X(RUNS_ENTROPY, "entropy", "entropy, nats a token", s->by.entropy)                             \
    X(RUNS_KL, "kl", "distance from the model as it began, nats a token", s->by.kl)                \
    X(RUNS_CLIPPED, "clipped", "tokens whose ratio was clipped, %", 100 * s->by.clipped)           \
    X(RUNS_DRAWN, "drawn", "tokens drawn/s", s->by.drawn)                                          \
    X(RUNS_LEARNED, "learned", "tokens learned/s", s->by.learned)
enum runs_metric {
#define X(id, ...) id,
    RUNS_METRIC_LIST(X)
#undef X
        RUNS_METRIC_COUNT
};
const char *runs_metric_name(enum runs_metric metric); // as an option says it
enum jl_status runs_metric_find(const char *name, enum runs_metric *out, struct jl_error *err);

struct runs_point {
    double x, y; // step, value
};
struct runs_series {
    char name[80];
    struct runs_point *points; // by x; those without a value, or below zero on a log axis, left out
    size_t n;
    struct runs_point *marks; // held-out losses beside the loss
    size_t n_mark;
};
#define RUNS_MOST_SERIES 2
struct runs_chart {
    enum runs_metric metric;
    const char *title;
    bool log;
    struct runs_series series[RUNS_MOST_SERIES];
    int n_series;
    double x0, x1, y0, y1; // what it spans; x0 < x1, y0 < y1
};
enum jl_status runs_chart_make(const struct runs_data *data, int n_data, enum runs_metric metric,
                               bool log, struct arena *arena, struct runs_chart *out,
                               struct jl_error *err);
bool runs_chart_is_empty(const struct runs_chart *chart);
double runs_chart_y(const struct runs_chart *chart, double y); // 0 at the bottom, 1 at the top
double runs_chart_x(const struct runs_chart *chart, double x); // 0 at the left, 1 at the right

/* Round numbers within a span, at most about `wanted`. */
#define RUNS_MOST_TICKS 24
int runs_ticks(double from, double to, bool log, int wanted, double out[RUNS_MOST_TICKS]);
#define RUNS_TICK_BYTES 24
void runs_tick_text(double tick, char out[RUNS_TICK_BYTES]);

/* The first series as a line of dots, the second as `+`. columns: of the terminal. */
enum jl_status runs_plot_print(const struct runs_chart *chart, int columns, FILE *out,
                               struct jl_error *err);
void runs_svg_write(const struct runs_chart *charts, int n, FILE *out);

/* ---- text ---- */

void runs_print_table(const struct metrics_summary *runs, size_t n);
void runs_print_summary(const struct metrics_summary *run);
void runs_print_last(const struct runs_data *data); // events and samples
void runs_csv_write(const struct runs_data *data, FILE *out);
enum jl_status runs_print_json(const struct metrics_summary *runs, size_t n, struct jl_error *err);
enum jl_status runs_print_json_of(const struct runs_data *data, struct jl_error *err);

/* ---- JSON: the caller's; NULL: out of memory ---- */

json_t *runs_json(const struct metrics_summary *runs, size_t n);
json_t *runs_json_of(const struct runs_data *data); // without its steps
/* {METRIC: [[step, value], ...]} of all metrics, each with at most `most` points. */
enum jl_status runs_json_curves(const struct runs_data *data, size_t most, struct arena *arena,
                                json_t **out, struct jl_error *err);

#endif
