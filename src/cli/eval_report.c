#include "cli/eval_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "text/json_print.h"

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the report");
}

/* ---- rows ---- */

struct row {
    const char *task, *group;    // group NULL: all of the task; task NULL: all
    int64_t n, n_judged, n_pass; // tasks; those with a verdict; those with a right answer
    double right;                // sum of the shares of right answers
    int64_t n_loss, n_loss_token, n_token;
    double nll;
};

struct rows {
    struct row *rows;
    int n, cap;
};

static struct row *find_row(struct rows *all, const char *task, const char *group) {
    for (int i = 0; i < all->n; i++) {
        struct row *row = &all->rows[i];
        bool same_task = row->task == task || (row->task && task && !strcmp(row->task, task));
        bool same_group =
            row->group == group || (row->group && group && !strcmp(row->group, group));
        if (same_task && same_group) return row;
    }
    if (all->n == all->cap) {
        int cap = all->cap ? 2 * all->cap : 16;
        struct row *grown = realloc(all->rows, (size_t)cap * sizeof *grown);
        if (!grown) return NULL;
        all->rows = grown;
        all->cap = cap;
    }
    all->rows[all->n] = (struct row){.task = task, .group = group};
    return &all->rows[all->n++];
}

static void add_to_row(struct row *row, const struct eval_line *line,
                       const struct eval_result *result) {
    row->n++;
    if (line->kind == EVAL_LOSS) {
        row->n_loss++;
        row->nll -= result->scores[0].logprob;
        row->n_loss_token += result->scores[0].n_token;
        return;
    }
    row->n_judged++;
    row->n_pass += result->n_right > 0;
    row->right += (double)result->n_right / result->n_sample;
    for (int k = 0; line->kind == EVAL_ANSWER && k < result->n_sample; k++)
        row->n_token += result->answers[k].n_token;
}

/* A row a task, with those of its groups behind it, and one of all. */
static enum jl_status make_rows(const struct eval_report *report, struct rows *out,
                                struct jl_error *err) {
    const struct eval_tasks *tasks = report->tasks;
    for (int f = 0; f < tasks->n_name; f++) {
        for (int grouped = 0; grouped < 2; grouped++)
            for (int64_t i = 0; i < tasks->n; i++) {
                const struct eval_task *task = &tasks->tasks[i];
                if (strcmp(task->name, tasks->names[f]) != 0 || (grouped && !task->line.group))
                    continue;
                struct row *row = find_row(out, task->name, grouped ? task->line.group : NULL);
                if (!row) return no_memory(err);
                add_to_row(row, &task->line, &report->results[i]);
            }
    }
    for (int64_t i = 0; i < tasks->n; i++) {
        struct row *row = find_row(out, NULL, NULL);
        if (!row) return no_memory(err);
        add_to_row(row, &tasks->tasks[i].line, &report->results[i]);
    }
    return JL_OK;
}

/* ---- the table ---- */

static int width_of(const struct rows *rows) {
    size_t most = 4;
    for (int i = 0; i < rows->n; i++) {
        const struct row *row = &rows->rows[i];
        size_t n = row->group ? strlen(row->group) + 2 : row->task ? strlen(row->task) : 3;
        if (n > most) most = n;
    }
    return most > 40 ? 40 : (int)most;
}

static void print_row(const struct row *row, int width, int n_sample, FILE *out) {
    const char *name = row->group ? row->group : row->task ? row->task : "all";
    const struct eval_interval in = eval_wilson(row->right, row->n_judged);
    int indent = row->group ? 2 : 0;
    fprintf(out, "%*s%-*.*s %6" PRId64, indent, "", width - indent, width - indent, name, row->n);
    if (row->n_judged) {
        char right[24];
        snprintf(right, sizeof right, n_sample > 1 ? "%.1f" : "%.0f", row->right);
        fprintf(out, " %8s %6.1f %%  %5.1f .. %5.1f", right,
                100 * row->right / (double)row->n_judged, 100 * in.low, 100 * in.high);
        if (n_sample > 1)
            fprintf(out, " %6.1f %%", 100 * (double)row->n_pass / (double)row->n_judged);
        fprintf(out, " %9" PRId64, row->n_token);
    }
    if (row->n_loss)
        fprintf(out, "  loss %.4f of %" PRId64 " tokens", row->nll / (double)row->n_loss_token,
                row->n_loss_token);
    fputc('\n', out);
}

static double speed(int64_t n, double seconds) { return seconds > 0 ? (double)n / seconds : 0; }

enum jl_status eval_report_table(const struct eval_report *report, FILE *out,
                                 struct jl_error *err) {
    const struct eval_totals *t = report->totals;
    struct rows rows = {0};
    enum jl_status status = make_rows(report, &rows, err);
    bool judged = false;
    int width = width_of(&rows);
    for (int i = 0; i < rows.n; i++)
        judged = judged || rows.rows[i].n_judged;
    if (status == JL_OK) {
        fprintf(out, "%-*s %6s", width, "task", "tasks");
        if (judged) fprintf(out, " %8s %8s  %-14s", "right", "share", "95 % interval");
        if (judged && report->n_sample > 1) fprintf(out, "  pass@%-2d", report->n_sample);
        fprintf(out, "%s\n", judged ? "    tokens" : "");
        for (int i = 0; i < rows.n; i++)
            if (rows.rows[i].task || report->tasks->n_name > 1)
                print_row(&rows.rows[i], width, report->n_sample, out);
    }
    free(rows.rows);
    if (status != JL_OK) return status;
    if (t->n_answer)
        fprintf(out,
                "%" PRId64 " tokens answered in %.1f s: %.0f tokens/s, up to %d at once; prompts "
                "of %" PRId64 " tokens, %" PRId64 " of them known\n",
                t->n_answer, t->answer_seconds, speed(t->n_answer, t->answer_seconds),
                t->n_parallel, t->n_prompt, t->n_reused);
    if (t->n_scored)
        fprintf(out, "%" PRId64 " tokens scored in %.1f s\n", t->n_scored, t->score_seconds);
    return JL_OK;
}

/* ---- JSON ---- */

static json_t *describe_row(const struct row *row) {
    json_t *out = json_pack("{s:s?, s:s?, s:I}", "task", row->task, "group", row->group, "tasks",
                            (json_int_t)row->n);
    if (row->n_judged) {
        const struct eval_interval in = eval_wilson(row->right, row->n_judged);
        json_t *more =
            json_pack("{s:I, s:f, s:f, s:[f,f], s:f, s:I}", "judged", (json_int_t)row->n_judged,
                      "right", row->right, "share", row->right / (double)row->n_judged, "interval",
                      in.low, in.high, "pass", (double)row->n_pass / (double)row->n_judged,
                      "tokens", (json_int_t)row->n_token);
        json_object_update(out, more);
        json_decref(more);
    }
    if (row->n_loss) {
        json_t *more = json_pack("{s:f, s:I}", "loss", row->nll / (double)row->n_loss_token,
                                 "loss_tokens", (json_int_t)row->n_loss_token);
        json_object_update(out, more);
        json_decref(more);
    }
    return out;
}

static json_t *settings(const struct eval_report *report) {
    char seed[24]; // JSON's whole numbers end at 2^63
    snprintf(seed, sizeof seed, "%" PRIu64, report->seed);
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:I}", "model", report->model, "class",
                     report->cls, "sampling", report->sampling, "seed", seed, "n", report->n_sample,
                     "limit", (json_int_t)report->limit, "left_out",
                     (json_int_t)report->tasks->n_left_out);
}

static enum jl_status print_json(json_t *value, int indent, FILE *out, struct jl_error *err) {
    const struct json_print_options options = {.indent = indent};
    struct byte_buffer text = {0};
    if (!value) return no_memory(err);
    enum jl_status status = json_print_value(value, &options, &text, err);
    if (status == JL_OK) {
        fwrite(text.data, 1, text.len, out);
        fputc('\n', out);
    }
    buffer_free(&text);
    json_decref(value);
    return status;
}

enum jl_status eval_report_json(const struct eval_report *report, FILE *out, struct jl_error *err) {
    const struct eval_totals *t = report->totals;
    struct rows rows = {0};
    json_t *list = json_array(), *all = settings(report), *total = NULL;
    enum jl_status status = list && all ? make_rows(report, &rows, err) : no_memory(err);
    for (int i = 0; status == JL_OK && i < rows.n; i++) {
        json_t *row = describe_row(&rows.rows[i]);
        if (rows.rows[i].task)
            json_array_append_new(list, row);
        else
            total = row;
    }
    free(rows.rows);
    if (status != JL_OK) {
        json_decref(list);
        json_decref(all);
        return status;
    }
    json_object_set_new(all, "results", list);
    json_object_set_new(all, "total", total);
    json_object_set_new(all, "answer_tokens", json_integer(t->n_answer));
    json_object_set_new(all, "answer_seconds", json_real(t->answer_seconds));
    json_object_set_new(all, "tokens_per_second", json_real(speed(t->n_answer, t->answer_seconds)));
    json_object_set_new(all, "prompt_tokens", json_integer(t->n_prompt));
    json_object_set_new(all, "prompt_tokens_known", json_integer(t->n_reused));
    return print_json(all, 1, out, err);
}

/* ---- every answer ---- */

static json_t *describe_task(const struct eval_task *task, int sample) {
    return json_pack("{s:s, s:s?, s:s, s:I, s:s, s:i, s:s, s:O}", "task", task->name, "group",
                     task->line.group, "file", task->path, "line", (json_int_t)task->number, "id",
                     task->id, "sample", sample, "check", task->line.check, "expect",
                     json_object_get(task->line.root, "expect"));
}

static json_t *describe_answer(const struct eval_task *task, const struct eval_answer *answer,
                               int sample) {
    static const char *const finishes[] = {"length", "end", "stop", "context", "cancel", "sink"};
    json_t *out = describe_task(task, sample);
    json_object_set_new(out, "right", json_boolean(answer->right));
    json_object_set_new(out, "answer", json_stringn(answer->text, answer->n_text));
    if (answer->thought)
        json_object_set_new(out, "thought", json_stringn(answer->thought, answer->n_thought));
    json_object_set_new(out, "finish", json_string(finishes[answer->finish]));
    json_object_set_new(out, "tokens", json_integer(answer->n_token));
    return out;
}

static json_t *describe_scores(const struct eval_task *task, const struct eval_result *result) {
    const struct eval_line *line = &task->line;
    json_t *out = describe_task(task, 0), *sums = json_array(), *bytes = json_array();
    if (line->kind == EVAL_LOSS) {
        json_object_set_new(out, "nll", json_real(-result->scores[0].logprob));
        json_object_set_new(out, "tokens", json_integer(result->scores[0].n_token));
        json_decref(sums);
        json_decref(bytes);
        return out;
    }
    for (int i = 0; i < line->n_choice; i++) {
        double sum = result->scores[i].logprob;
        json_array_append_new(sums, json_real(sum));
        json_array_append_new(bytes, json_real(sum / (double)line->choices[i].len));
    }
    json_object_set_new(out, "right", json_boolean(result->n_right));
    json_object_set_new(out, "chosen", json_integer(result->chosen));
    json_object_set_new(out, "score", json_string(line->per_byte ? "bytes" : "sum"));
    json_object_set_new(out, "sums", sums);
    json_object_set_new(out, "per_byte", bytes);
    return out;
}

static enum jl_status write_lines(const struct eval_report *report, FILE *out,
                                  struct jl_error *err) {
    json_t *head = json_object();
    if (json_object_set_new(head, "eval", settings(report))) return no_memory(err);
    JL_TRY(print_json(head, 0, out, err));
    for (int64_t i = 0; i < report->tasks->n; i++) {
        const struct eval_task *task = &report->tasks->tasks[i];
        const struct eval_result *result = &report->results[i];
        if (task->line.kind != EVAL_ANSWER)
            JL_TRY(print_json(describe_scores(task, result), 0, out, err));
        for (int k = 0; task->line.kind == EVAL_ANSWER && k < result->n_sample; k++)
            JL_TRY(print_json(describe_answer(task, &result->answers[k], k), 0, out, err));
    }
    return JL_OK;
}

enum jl_status eval_report_lines(const struct eval_report *report, const char *path,
                                 struct jl_error *err) {
    struct file_writer writer;
    JL_TRY(file_writer_open(path, &writer, err));
    enum jl_status status = write_lines(report, writer.stream, err);
    if (status == JL_OK) return file_writer_commit(&writer, err);
    file_writer_abort(&writer);
    return status;
}
