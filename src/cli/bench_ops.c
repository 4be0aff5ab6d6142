/* bench ops: runs the items of bench_items.c in interleaved rounds and reports medians.
 *
 * Rounds, not repeats: a core that is slow for a second then costs every item one sample, and the
 * median does not see it. */
#include "cli/bench_ops.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/env.h"
#include "cli/bench_items.h"
#include "cli/cli.h"
#include "kernel/fpenv.h"

#define ROUNDS 9
#define SAMPLE_SECONDS 0.02
#define BUDGET_SECONDS 50.0 // no further round is begun after this

struct run {
    struct kernel_table tables[LEVEL_COUNT];
    int n_table;
    struct bench_items items;
    int n_round;    // done
    double on_core; // share of the time in which this thread had a core
    double ceiling[LEVEL_COUNT][BENCH_NO_CEILING + 1]; // units a second; 0: none
    char cpu[CLI_CPU_NAME_BYTES];
};

/* ---- measuring ---- */

static enum jl_status choose_levels(struct run *run, struct jl_error *err) {
    const char *forced = env_get(ENV_CPU);
    run->n_table = 1;
    if (forced) return kernel_table_init(&run->tables[0], forced, err);
    run->n_table = 0;
    for (int level = LEVEL_REF + 1; level < LEVEL_COUNT; level++)
        if (kernel_level_available((enum kernel_level)level))
            JL_TRY(kernel_table_init(&run->tables[run->n_table++],
                                     kernel_level_name((enum kernel_level)level), err));
    if (run->n_table > 0) return JL_OK;
    run->n_table = 1;
    return kernel_table_init(&run->tables[0], NULL, err);
}

static void measure(struct run *run) {
    struct bench_items *items = &run->items;
    struct cli_progress progress;
    struct fpenv saved;
    double start = clock_seconds(), on_core = bench_seconds();
    cli_progress_start(&progress);
    fpenv_enter(&saved);
    for (int i = 0; i < items->n_item; i++)
        bench_item_calibrate(&items->items[i], SAMPLE_SECONDS);
    for (int round = 0; round < ROUNDS; round++) {
        if (round > 0 && clock_seconds() - start > BUDGET_SECONDS) break;
        for (int i = 0; i < items->n_item; i++)
            items->items[i].samples[round] = bench_item_sample(&items->items[i]);
        run->n_round = round + 1;
        cli_progress_step(&progress, "round", round + 1, ROUNDS);
    }
    run->on_core = (bench_seconds() - on_core) / (clock_seconds() - start);
    fpenv_leave(&saved);
    cli_progress_end(&progress);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Samples in order; then the ceilings. The two DRAM streams are two ways to read one memory: the
 * faster one counts, for every level. */
static void sum_up(struct run *run) {
    double dram = 0;
    for (int i = 0; i < run->items.n_item; i++) {
        struct bench_item *item = &run->items.items[i];
        qsort(item->samples, (size_t)run->n_round, sizeof *item->samples, by_value);
        if (strcmp(item->op, "ceiling") != 0) continue;
        double rate = item->samples[run->n_round / 2];
        if (item->ceiling == BENCH_DRAM)
            dram = rate > dram ? rate : dram;
        else
            run->ceiling[item->level][item->ceiling] = rate;
    }
    for (int level = 0; level < LEVEL_COUNT; level++)
        run->ceiling[level][BENCH_DRAM] = dram;
}

static double middle(const struct run *run, const struct bench_item *item) {
    return item->samples[run->n_round / 2];
}

static double best(const struct run *run, const struct bench_item *item) {
    return item->samples[run->n_round - 1];
}

/* 0 where there is no ceiling. */
static double share(const struct run *run, const struct bench_item *item) {
    double ceiling = run->ceiling[item->level][item->ceiling];
    return ceiling > 0 ? middle(run, item) / ceiling : 0;
}

static const char *ceiling_name(int ceiling) {
    static const char *const names[] = {
#define X(id, name, ...) name,
        PEAK_LIST(X)
#undef X
            "DRAM read",
        ""};
    return names[ceiling];
}

/* ---- reporting ---- */

static bool is_ceiling(const struct bench_item *item) { return !strcmp(item->op, "ceiling"); }

static void print_ceilings(FILE *out, const struct run *run) {
    static const struct {
        const char *name, *unit, *about;
    } peaks[] = {
#define X(id, name, unit, about) {name, unit, about},
        PEAK_LIST(X)
#undef X
    };
    fprintf(out, "\n%-26s", "ceilings");
    for (int t = 0; t < run->n_table; t++)
        fprintf(out, "%10s", kernel_level_name(run->tables[t].level));
    fprintf(out, "\n");
    for (int i = 0; i < PEAK_COUNT; i++) {
        fprintf(out, "  %-14s%-10s", peaks[i].name, peaks[i].unit);
        for (int t = 0; t < run->n_table; t++) {
            double rate = run->ceiling[run->tables[t].level][i];
            if (rate > 0)
                fprintf(out, "%10.1f", rate * 1e-9);
            else
                fprintf(out, "%10s", "-");
        }
        fprintf(out, "   %s\n", peaks[i].about);
    }
    for (int i = 0; i < run->items.n_item; i++) {
        const struct bench_item *item = &run->items.items[i];
        if (is_ceiling(item) && item->ceiling == BENCH_DRAM)
            fprintf(out, "  %-24s%10.1f   GB/s, one linear stream of %zu MiB\n", item->body,
                    middle(run, item) * 1e-9, BENCH_STREAM_BYTES >> 20);
    }
}

static void print_items(FILE *out, const struct run *run, enum kernel_level level) {
    fprintf(out, "\n%s\n  %-24s%6s%12s%20s\n", kernel_level_name(level), "body", "rows", "rate",
            "share");
    for (int i = 0; i < run->items.n_item; i++) {
        const struct bench_item *item = &run->items.items[i];
        if (is_ceiling(item) || item->level != level) continue;
        fprintf(out, "  %-24s%6d%10.1f %-8s", item->body, item->rows, middle(run, item) * 1e-9,
                item->unit);
        if (share(run, item) > 0)
            fprintf(out, "%6.0f %% of %s", 100 * share(run, item), ceiling_name(item->ceiling));
        if (!strcmp(item->op, "gemv L2")) fprintf(out, "  from the second cache");
        fprintf(out, "\n");
    }
    int n = 0;
    for (int i = 0; i < run->items.n_skip; i++) {
        const struct bench_skip *skip = &run->items.skips[i];
        if (skip->level != level) continue;
        fprintf(out, "%s %s", n++ ? "," : "  not timed, the reference's own body:", skip->body);
    }
    if (n) fprintf(out, "\n");
}

static void print_text(FILE *out, const struct run *run) {
    fprintf(out,
            "%s, one core (held %.0f %% of the time); medians of %d rounds; n_in = n_out = %d\n",
            run->cpu, 100 * run->on_core, run->n_round, BENCH_N);
    print_ceilings(out, run);
    for (int t = 0; t < run->n_table; t++)
        print_items(out, run, run->tables[t].level);
}

static json_t *item_json(const struct run *run, const struct bench_item *item) {
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:s, s:f, s:f}", "level", kernel_level_name(item->level), "op",
                  item->op, "body", item->body, "unit", item->unit, "rate",
                  middle(run, item) * 1e-9, "best", best(run, item) * 1e-9);
    if (!is_ceiling(item)) json_object_set_new(row, "rows", json_integer(item->rows));
    if (!is_ceiling(item) && share(run, item) > 0) {
        json_object_set_new(row, "ceiling", json_string(ceiling_name(item->ceiling)));
        json_object_set_new(row, "share", json_real(share(run, item)));
    }
    return row;
}

static void print_json(FILE *out, const struct run *run) {
    json_t *ceilings = json_array(), *bodies = json_array(), *skipped = json_array();
    for (int i = 0; i < run->items.n_item; i++) {
        const struct bench_item *item = &run->items.items[i];
        json_t *row = item_json(run, item);
        if (is_ceiling(item) && item->ceiling == BENCH_DRAM) json_object_del(row, "level");
        json_array_append_new(is_ceiling(item) ? ceilings : bodies, row);
    }
    for (int i = 0; i < run->items.n_skip; i++) {
        const struct bench_skip *skip = &run->items.skips[i];
        json_array_append_new(skipped,
                              json_pack("{s:s, s:s, s:s}", "level", kernel_level_name(skip->level),
                                        "op", skip->op, "body", skip->body));
    }
    json_t *all =
        json_pack("{s:s, s:i, s:i, s:o, s:o, s:o}", "cpu", run->cpu, "rounds", run->n_round, "n",
                  BENCH_N, "ceilings", ceilings, "bodies", bodies, "skipped", skipped);
    json_dumpf(all, out, JSON_COMPACT | JSON_REAL_PRECISION(6));
    fputc('\n', out);
    json_decref(all);
}

enum jl_status bench_ops_run(FILE *out, bool json, struct jl_error *err) {
    struct run run = {0};
    JL_TRY(choose_levels(&run, err));
    JL_TRY(bench_items_create(run.tables, run.n_table, ROUNDS, &run.items, err));
    cli_cpu_name(run.cpu);
    measure(&run);
    sum_up(&run);
    if (json)
        print_json(out, &run);
    else
        print_text(out, &run);
    bench_items_free(&run.items);
    return JL_OK;
}
