/* What was won and lost against the lines of an earlier call. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/fmath.h"
#include "cli/eval_report.h"
#include "train/data/line.h"

#define MOST_BYTES ((size_t)1 << 32)
#define SHOWN 10 // places of lost and of won tasks

enum { RIGHT, JUDGED, NLL, TOKENS, N_SUM };

/* ---- reading ---- */

static enum jl_status add(json_t *tasks, const char *id, const double by[N_SUM],
                          struct jl_error *err) {
    json_t *sums = json_object_get(tasks, id);
    if (!sums) {
        sums = json_pack("[f,f,f,f]", by[0], by[1], by[2], by[3]);
        return json_object_set_new(tasks, id, sums)
                   ? jl_fail(err, JL_ERR_MEMORY, "out of memory for a baseline")
                   : JL_OK;
    }
    for (size_t i = 0; i < N_SUM; i++) {
        json_t *sum = json_array_get(sums, i);
        json_real_set(sum, json_real_value(sum) + by[i]);
    }
    return JL_OK;
}

static enum jl_status read_line(json_t *tasks, const char *bytes, size_t n, struct jl_error *err) {
    json_t *line;
    JL_TRY(data_line_json(bytes, n, &line, err));
    const json_t *id = json_object_get(line, "id"), *right = json_object_get(line, "right"),
                 *nll = json_object_get(line, "nll"), *tokens = json_object_get(line, "tokens");
    enum jl_status status = JL_OK;
    if (!json_object_get(line, "eval")) { // not the head
        bool scored = json_is_number(nll) && json_is_integer(tokens);
        const double by[N_SUM] = {json_is_true(right), right != NULL, json_number_value(nll),
                                  scored ? (double)json_integer_value(tokens) : 0};
        status = json_is_string(id) && (json_is_boolean(right) || scored)
                     ? add(tasks, json_string_value(id), by, err)
                     : jl_fail(err, JL_ERR_FORMAT, "no line that `eval --out` has written");
    }
    json_decref(line);
    return status;
}

enum jl_status eval_baseline_read(const char *path, struct eval_baseline *out,
                                  struct jl_error *err) {
    struct jl_error inner = {0};
    char *text;
    size_t len, number = 0;
    *out = (struct eval_baseline){.path = path, .tasks = json_object()};
    if (!out->tasks) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a baseline");
    enum jl_status status = file_read(path, MOST_BYTES, &text, &len, err);
    if (status != JL_OK) return eval_baseline_free(out), status;
    for (const char *at = text, *end = text + len; at < end && status == JL_OK;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((newline ? newline : end) - at);
        number++;
        if (!data_line_is_blank(at, n)) status = read_line(out->tasks, at, n, &inner);
        at += n + (newline != NULL);
    }
    free(text);
    if (status == JL_OK) return JL_OK;
    eval_baseline_free(out);
    return jl_fail(err, status, "%s, line %zu: %s", path, number, inner.message);
}

void eval_baseline_free(struct eval_baseline *baseline) {
    json_decref(baseline->tasks);
    *baseline = (struct eval_baseline){0};
}

/* ---- comparing ---- */

struct comparison {
    int64_t n_won, n_lost, n_same, n_new, n_loss;
    double nll[2];
    int64_t tokens[2]; // before, now
};

/* 1: won, -1: lost, 0: neither. */
static int compare_task(const json_t *before, const struct eval_task *task,
                        const struct eval_result *result, struct comparison *c) {
    double judged = json_number_value(json_array_get(before, JUDGED));
    double tokens = json_number_value(json_array_get(before, TOKENS));
    if (task->line.kind == EVAL_LOSS) {
        if (!(tokens > 0)) return 0;
        c->n_loss++;
        c->nll[0] += json_number_value(json_array_get(before, NLL));
        c->nll[1] -= result->scores[0].logprob;
        c->tokens[0] += (int64_t)tokens;
        c->tokens[1] += result->scores[0].n_token;
        return 0;
    }
    if (!(judged > 0)) return 0;
    double was = json_number_value(json_array_get(before, RIGHT)) / judged;
    double is = (double)result->n_right / result->n_sample;
    c->n_won += is > was;
    c->n_lost += is < was;
    c->n_same += is == was;
    return (is > was) - (is < was);
}

/* How likely so uneven a split of won and lost tasks is where neither model is better. */
static double sign_test(int64_t won, int64_t lost) {
    int64_t n = won + lost, least = won < lost ? won : lost;
    double log_term = -(double)n * fmath_log64(2), sum = 0;
    for (int64_t k = 0; k <= least; k++) {
        sum += fmath_exp64(log_term);
        log_term += fmath_log64((double)(n - k)) - fmath_log64((double)(k + 1));
    }
    return 2 * sum < 1 ? 2 * sum : 1;
}

static void print_places(const struct eval_baseline *baseline, const struct eval_report *report,
                         int which, FILE *out) {
    int64_t shown = 0, all = 0;
    for (int64_t i = 0; i < report->tasks->n; i++) {
        const struct eval_task *task = &report->tasks->tasks[i];
        const json_t *before = json_object_get(baseline->tasks, task->id);
        struct comparison none = {0};
        if (!before || compare_task(before, task, &report->results[i], &none) != which) continue;
        if (all++ >= SHOWN) continue;
        fprintf(out, "%s%s:%" PRId64,
                shown++     ? ", "
                : which > 0 ? "  won: "
                            : "  lost: ",
                task->path, task->number);
    }
    if (all > shown) fprintf(out, " and %" PRId64 " more", all - shown);
    if (all) fputc('\n', out);
}

void eval_baseline_compare(const struct eval_baseline *baseline, const struct eval_report *report,
                           FILE *out) {
    struct comparison c = {0};
    for (int64_t i = 0; i < report->tasks->n; i++) {
        const struct eval_task *task = &report->tasks->tasks[i];
        const json_t *before = json_object_get(baseline->tasks, task->id);
        if (before)
            compare_task(before, task, &report->results[i], &c);
        else
            c.n_new++;
    }
    fprintf(out, "against %s: %" PRId64 " won, %" PRId64 " lost, %" PRId64 " as before",
            baseline->path, c.n_won, c.n_lost, c.n_same);
    if (c.n_won + c.n_lost) fprintf(out, " (chance alone: p = %.2g)", sign_test(c.n_won, c.n_lost));
    if (c.n_new) fprintf(out, "; %" PRId64 " tasks are not in it", c.n_new);
    fputc('\n', out);
    print_places(baseline, report, -1, out);
    print_places(baseline, report, 1, out);
    if (c.n_loss)
        fprintf(out, "  loss %.4f, was %.4f\n", c.nll[1] / (double)c.tokens[1],
                c.nll[0] / (double)c.tokens[0]);
}
