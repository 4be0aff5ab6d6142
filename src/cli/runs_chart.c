#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/chat/shown.h"
#include "cli/runs.h"
#include "text/utf8.h"

static const char *const names[] = {
#define X(id, name, title, value) name,
    RUNS_METRIC_LIST(X)
#undef X
};
static const char *const titles[] = {
#define X(id, name, title, value) title,
    RUNS_METRIC_LIST(X)
#undef X
};

const char *runs_metric_name(enum runs_metric metric) { return names[metric]; }

enum jl_status runs_metric_find(const char *name, enum runs_metric *out, struct jl_error *err) {
    for (int i = 0; i < RUNS_METRIC_COUNT; i++)
        if (!strcmp(name, names[i])) return *out = (enum runs_metric)i, JL_OK;
    char list[256] = "";
    size_t at = 0;
    for (int i = 0; i < RUNS_METRIC_COUNT && at < sizeof list; i++)
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", names[i]);
    return jl_fail(err, JL_ERR_USAGE, "--metric takes %s; not '%s'", list, name);
}

static double value_of(const struct metrics_step *s, enum runs_metric metric) {
    switch (metric) {
#define X(id, name, title, value)                                                                  \
    case id: return value;
        RUNS_METRIC_LIST(X)
#undef X
    case RUNS_METRIC_COUNT: break;
    }
    return (double)NAN;
}

static bool has_place(const struct runs_chart *chart, double y) {
    return isfinite(y) && (!chart->log || y > 0);
}

static void span(struct runs_chart *chart, const struct runs_point *points, size_t n) {
    for (size_t i = 0; i < n; i++) {
        chart->x0 = fmin(chart->x0, points[i].x);
        chart->x1 = fmax(chart->x1, points[i].x);
        chart->y0 = fmin(chart->y0, points[i].y);
        chart->y1 = fmax(chart->y1, points[i].y);
    }
}

/* "3 fry", fit for a terminal. */
static void name_series(const struct metrics_summary *run, char *out, size_t size) {
    struct byte_buffer text = {0};
    struct shown shown = {0};
    bool ok = shown_push(&shown, run->name, strlen(run->name), &text) && shown_end(&shown, &text);
    size_t n = ok ? utf8_valid_length(text.data, text.len < 60 ? text.len : 60) : 0;
    snprintf(out, size, "%" PRId64 " %.*s", run->id, (int)n, n ? text.data : "");
    for (char *c = out; *c; c++)
        if (*c == '\n' || *c == '\t') *c = ' ';
    buffer_free(&text);
}

static bool make_series(const struct runs_data *data, const struct runs_chart *chart,
                        struct arena *arena, struct runs_series *out) {
    bool held = chart->metric == RUNS_HELD_OUT;
    out->points = arena_calloc(arena, data->n_step + data->n_held + 1, sizeof *out->points);
    out->marks = arena_calloc(arena, data->n_held + 1, sizeof *out->marks);
    if (!out->points || !out->marks) return false;
    name_series(&data->run, out->name, sizeof out->name);
    for (size_t i = 0; i < data->n_step && !held; i++) {
        double y = value_of(&data->steps[i], chart->metric);
        if (has_place(chart, y))
            out->points[out->n++] = (struct runs_point){(double)data->steps[i].step, y};
    }
    for (size_t i = 0; i < data->n_held; i++) {
        const struct runs_point p = {(double)data->held[i].step, data->held[i].loss};
        if (!has_place(chart, p.y)) continue;
        if (held) out->points[out->n++] = p;
        if (held || chart->metric == RUNS_LOSS) out->marks[out->n_mark++] = p;
    }
    return true;
}

/* Some room below and above, but none below zero; a chart of one value still needs a height. */
static void widen(struct runs_chart *chart) {
    bool above_zero = chart->y0 >= 0;
    if (!(chart->x0 < chart->x1)) chart->x0 -= 0.5, chart->x1 += 0.5;
    if (chart->log) {
        double by = chart->y0 < chart->y1 ? pow(chart->y1 / chart->y0, 0.03) : 1.05;
        chart->y0 /= by;
        chart->y1 *= by;
        return;
    }
    double by = chart->y0 < chart->y1 ? 0.03 * (chart->y1 - chart->y0)
                : chart->y0 != 0      ? 0.05 * fabs(chart->y0)
                                      : 0.5;
    chart->y0 = above_zero ? fmax(0, chart->y0 - by) : chart->y0 - by;
    chart->y1 += by;
}

enum jl_status runs_chart_make(const struct runs_data *data, int n_data, enum runs_metric metric,
                               bool log, struct arena *arena, struct runs_chart *out,
                               struct jl_error *err) {
    *out = (struct runs_chart){.metric = metric,
                               .title = titles[metric],
                               .log = log,
                               .n_series = n_data,
                               .x0 = (double)INFINITY,
                               .x1 = -(double)INFINITY,
                               .y0 = (double)INFINITY,
                               .y1 = -(double)INFINITY};
    for (int i = 0; i < n_data; i++) {
        struct runs_series *series = &out->series[i];
        if (!make_series(&data[i], out, arena, series))
            return jl_fail(err, JL_ERR_MEMORY, "out of memory for a chart");
        span(out, series->points, series->n);
        span(out, series->marks, series->n_mark);
    }
    if (!runs_chart_is_empty(out)) widen(out);
    return JL_OK;
}

bool runs_chart_is_empty(const struct runs_chart *chart) {
    size_t n = 0;
    for (int i = 0; i < chart->n_series; i++)
        n += chart->series[i].n + chart->series[i].n_mark;
    return n == 0;
}

double runs_chart_x(const struct runs_chart *chart, double x) {
    return (x - chart->x0) / (chart->x1 - chart->x0);
}

double runs_chart_y(const struct runs_chart *chart, double y) {
    if (chart->log) return log(y / chart->y0) / log(chart->y1 / chart->y0);
    return (y - chart->y0) / (chart->y1 - chart->y0);
}

/* ---- ticks ---- */

static int linear_ticks(double from, double to, int wanted, double *out) {
    double rough = (to - from) / wanted, unit = pow(10, floor(log10(rough)));
    double step = rough <= unit       ? unit
                  : rough <= 2 * unit ? 2 * unit
                  : rough <= 5 * unit ? 5 * unit
                                      : 10 * unit;
    int n = 0;
    for (double k = ceil(from / step - 1e-9); k * step <= to + 1e-9 * step; k++)
        if (n < RUNS_MOST_TICKS) out[n++] = k == 0 ? 0 : k * step;
    return n;
}

/* Over less than a decade the round numbers are those of a linear axis. */
int runs_ticks(double from, double to, bool log, int wanted, double out[RUNS_MOST_TICKS]) {
    static const double digits[] = {1, 2, 5};
    if (!log || to / from < 10) return linear_ticks(from, to, wanted, out);
    double decades = log10(to / from);
    bool between = 3 * decades <= 2 * wanted;
    int every = decades > wanted ? (int)ceil(decades / wanted) : 1, n = 0;
    for (int e = (int)floor(log10(from)); e <= (int)ceil(log10(to)); e++)
        for (int d = 0; d < (between ? 3 : 1); d++) {
            double tick = digits[d] * pow(10, e);
            if (e % every == 0 && tick >= from * (1 - 1e-9) && tick <= to * (1 + 1e-9) &&
                n < RUNS_MOST_TICKS)
                out[n++] = tick;
        }
    return n;
}

void runs_tick_text(double tick, char out[RUNS_TICK_BYTES]) {
    bool plain = fabs(tick) < 1e7 && fabs(tick) == floor(fabs(tick));
    snprintf(out, RUNS_TICK_BYTES, plain ? "%.0f" : "%.4g", tick);
}
