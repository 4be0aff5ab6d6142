/* Runs for programs. */
#include <math.h>
#include <string.h>

#include "cli/runs.h"
#include "text/buffer.h"
#include "text/utf8.h"

/* JSON is UTF-8, what folders are called need not be: U+FFFD for each byte that is none. */
static json_t *text_json(const char *text) {
    struct byte_buffer out = {0};
    size_t len = strlen(text);
    bool ok = buffer_reserve(&out, len + 1);
    while (ok && len > 0) {
        uint32_t code;
        int n = utf8_step(text, len, &code);
        ok = code < UTF8_CODE_END ? buffer_append(&out, text, (size_t)n)
                                  : buffer_append(&out, UTF8_REPLACEMENT, 3);
        text += n;
        len -= (size_t)n;
    }
    json_t *value = ok ? json_stringn(out.data, out.len) : NULL;
    buffer_free(&out);
    return value;
}

static json_t *real_json(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static json_t *run_json(const struct metrics_summary *r) {
    return json_pack(
        "{s:I, s:o, s:s, s:o, s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:o, s:s, s:o, s:s,"
        " s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:I}",
        "id", (json_int_t)r->id, "name", text_json(r->name), "state", r->state, "error",
        *r->error ? text_json(r->error) : json_null(), "folder", text_json(r->folder), "mark",
        r->mark, "family", r->family, "class", r->class, "parameters", (json_int_t)r->n_param,
        "active", (json_int_t)r->n_active, "step", (json_int_t)r->step, "steps",
        (json_int_t)r->n_step, "threads", (json_int_t)r->threads, "level", r->level, "cpu",
        text_json(r->cpu), "version", r->version, "peak", real_json(r->peak), "peak_form",
        r->peak_form, "started", real_json(r->started), "changed", real_json(r->changed), "loss",
        real_json(r->loss), "held_out", real_json(r->held_out), "tokens_per_second",
        real_json(r->speed), "share_of_peak", real_json(r->share), "seconds", r->seconds, "tokens",
        (json_int_t)r->tokens);
}

/* The value if it is whole; takes it. */
static json_t *whole_or_none(json_t *value, bool whole) {
    if (whole) return value;
    json_decref(value);
    return NULL;
}

json_t *runs_json(const struct metrics_summary *runs, size_t n) {
    json_t *list = json_array();
    bool whole = list != NULL;
    for (size_t i = 0; i < n; i++)
        whole = whole && json_array_append_new(list, run_json(&runs[i])) == 0;
    return whole_or_none(list, whole);
}

json_t *runs_json_of(const struct runs_data *data) {
    json_t *all = run_json(&data->run), *held = json_array(), *samples = json_array(),
           *events = json_array();
    bool whole = all && held && samples && events;
    for (size_t i = 0; i < data->n_held; i++) {
        const struct metrics_held *h = &data->held[i];
        whole = whole && !json_array_append_new(
                             held, json_pack("{s:I, s:o, s:I}", "step", (json_int_t)h->step, "loss",
                                             real_json(h->loss), "tokens", (json_int_t)h->tokens));
    }
    for (size_t i = 0; i < data->n_sample; i++) {
        const struct metrics_said *s = &data->samples[i];
        whole = whole &&
                !json_array_append_new(
                    samples, json_pack("{s:I, s:o, s:o}", "step", (json_int_t)s->step, "prompt",
                                       text_json(s->prompt), "text", text_json(s->text)));
    }
    for (size_t i = 0; i < data->n_event; i++) {
        const struct metrics_said *e = &data->events[i];
        whole = whole && !json_array_append_new(
                             events, json_pack("{s:I, s:o, s:s, s:o}", "step", (json_int_t)e->step,
                                               "time", real_json(e->time), "kind", e->kind, "text",
                                               text_json(e->text)));
    }
    whole = whole && !json_object_set_new(all, "recipe", text_json(data->run.recipe)) &&
            !json_object_set(all, "held_out_losses", held) &&
            !json_object_set(all, "samples", samples) && !json_object_set(all, "events", events);
    json_decref(held);
    json_decref(samples);
    json_decref(events);
    return whole_or_none(all, whole);
}

/* One metric's points, thinned to the means of neighbours; a step without a value is in none. */
static json_t *points_json(const struct runs_series *series, size_t most) {
    json_t *list = json_array();
    bool whole = list != NULL;
    size_t n = series->n < most ? series->n : most;
    for (size_t i = 0; i < n; i++) {
        size_t from = i * series->n / n, to = (i + 1) * series->n / n;
        double sum = 0;
        for (size_t k = from; k < to; k++)
            sum += series->points[k].y;
        whole =
            whole && !json_array_append_new(list, json_pack("[f, o]", series->points[to - 1].x,
                                                            real_json(sum / (double)(to - from))));
    }
    return whole_or_none(list, whole);
}

enum jl_status runs_json_curves(const struct runs_data *data, size_t most, struct arena *arena,
                                json_t **out, struct jl_error *err) {
    struct runs_chart chart;
    *out = json_object();
    for (int i = 0; i < RUNS_METRIC_COUNT; i++) {
        enum jl_status status =
            runs_chart_make(data, 1, (enum runs_metric)i, false, arena, &chart, err);
        if (status == JL_OK && json_object_set_new(*out, runs_metric_name((enum runs_metric)i),
                                                   points_json(&chart.series[0], most)))
            status = jl_fail(err, JL_ERR_MEMORY, "out of memory for the curves of a run");
        if (status == JL_OK) continue;
        json_decref(*out);
        return status;
    }
    return JL_OK;
}

static enum jl_status print(json_t *value, struct jl_error *err) {
    bool failed = !value || json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) ||
                  printf("\n") < 0;
    json_decref(value);
    return failed ? jl_fail(err, JL_ERR_IO, "cannot print the runs") : JL_OK;
}

enum jl_status runs_print_json(const struct metrics_summary *runs, size_t n, struct jl_error *err) {
    return print(runs_json(runs, n), err);
}

enum jl_status runs_print_json_of(const struct runs_data *data, struct jl_error *err) {
    return print(runs_json_of(data), err);
}
