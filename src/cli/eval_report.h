/* What `eval` says: a table, the same as JSON, every answer as a line, and a comparison with the
 * lines of an earlier call. */
#ifndef JL_CLI_EVAL_REPORT_H
#define JL_CLI_EVAL_REPORT_H

#include <stdio.h>

#include "train/eval/eval.h"

struct eval_report {
    const struct eval_tasks *tasks;
    const struct eval_result *results; // (tasks->n)
    const struct eval_totals *totals;
    const char *model, *cls, *sampling; // its path, numeric class, settings
    uint64_t seed;
    int n_sample;
    int64_t limit; // 0: none
};

enum jl_status eval_report_table(const struct eval_report *report, FILE *out, struct jl_error *err);
enum jl_status eval_report_json(const struct eval_report *report, FILE *out, struct jl_error *err);
/* The file is whole or absent. */
enum jl_status eval_report_lines(const struct eval_report *report, const char *path,
                                 struct jl_error *err);

/* What lines of an earlier call say of tasks, by id. */
struct eval_baseline {
    const char *path;
    json_t *tasks; // id: [right, judged, nll, tokens], sums
};
enum jl_status eval_baseline_read(const char *path, struct eval_baseline *out,
                                  struct jl_error *err);
void eval_baseline_free(struct eval_baseline *baseline); // zeroed is fine
void eval_baseline_compare(const struct eval_baseline *baseline, const struct eval_report *report,
                           FILE *out);

#endif
