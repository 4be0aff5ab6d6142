/* eval: what a model can do, by files of tasks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/engine.h"
#include "cli/eval_report.h"
#include "session/open_tokenizer.h"

#define MOST_FILES 64
#define MAX_PARALLEL 256
#define MAX_SAMPLES 4096

struct eval_command {
    const char *args[1 + MOST_FILES];
    struct engine_options engine_options;
    const char *value[SAMPLE_PARAM_COUNT]; // NULL: not said
    const char *seed, *json, *out, *baseline, *data;
    int n_sample, limit, n_parallel;

    struct sample_params params;
    struct eval_tasks tasks;
    struct arena table_arena;
    struct skill_tables tables;
    struct eval_baseline before;
    struct engine engine;
    struct tokenizer *tokenizer;
    struct chat_form form;
    struct end_tokens ends, turns;
    struct pool *pool;
    struct eval_result *results;
    struct eval_totals totals;
    struct cli_progress progress;
    struct eval_options options;
};

/* ---- options ---- */

static enum jl_status read_options(struct eval_command *c, struct jl_error *err) {
    char *end;
    c->params = sample_params_default();
    for (int i = 0; i < SAMPLE_PARAM_COUNT; i++) {
        struct jl_error inner;
        if (!c->value[i]) continue;
        enum jl_status status =
            sample_params_read(&c->params, (enum sample_param)i, c->value[i], &inner);
        if (status != JL_OK) return jl_fail(err, status, "%s", inner.message);
    }
    if (c->seed) {
        errno = 0;
        c->options.seed = strtoull(c->seed, &end, 10);
        if (*c->seed < '0' || *c->seed > '9' || *end || errno)
            return jl_fail(err, JL_ERR_USAGE,
                           "option --seed takes a whole number below 2^64, not '%s'", c->seed);
    }
    if (c->n_sample > 1 && !(c->params.temperature > 0))
        return jl_fail(err, JL_ERR_USAGE,
                       "--n %d answers would all be the same: say --temperature, too", c->n_sample);
    return JL_OK;
}

/* `tasks` beside the model, or in its folder. */
static enum jl_status add_own_tasks(struct eval_command *c, struct jl_error *err) {
    const char *model = c->args[0], *slash = strrchr(model, '/');
    bool is_folder = file_is_dir(model);
    size_t n = is_folder ? strlen(model) : slash ? (size_t)(slash - model) : 0;
    char *folder = n ? strndup(model, n) : strdup(slash ? "/" : ".");
    char *tasks = folder ? file_path_in(folder, "tasks") : NULL;
    enum jl_status status =
        !tasks ? jl_fail(err, JL_ERR_MEMORY, "out of memory for a path")
        : !file_is_dir(tasks)
            ? jl_fail(err, JL_ERR_USAGE, "%s brings no tasks of its own (no %s): name TASKS", model,
                      tasks)
            : eval_tasks_add(&c->tasks, tasks, err);
    free(tasks);
    free(folder);
    return status;
}

static enum jl_status read_tasks(struct eval_command *c, struct jl_error *err) {
    if (!c->args[1]) JL_TRY(add_own_tasks(c, err));
    for (int i = 1; i <= MOST_FILES && c->args[i]; i++)
        JL_TRY(eval_tasks_add(&c->tasks, c->args[i], err));
    if (c->limit) JL_TRY(eval_tasks_limit(&c->tasks, c->limit, c->options.seed, err));
    if (c->tasks.n_left_out)
        fprintf(stderr,
                "jinlin eval: --limit %d: %lld tasks, chosen by seed %llu; %lld are left out\n",
                c->limit, (long long)c->tasks.n, (unsigned long long)c->options.seed,
                (long long)c->tasks.n_left_out);
    return c->baseline ? eval_baseline_read(c->baseline, &c->before, err) : JL_OK;
}

static enum jl_status read_tables(struct eval_command *c, struct jl_error *err) {
    unsigned parts = eval_tasks_parts(&c->tasks);
    if (!parts && c->data)
        return jl_fail(err, JL_ERR_USAGE, "no task is judged by tables: leave --data out");
    if (!parts) return JL_OK;
    if (!c->data)
        return jl_fail(err, JL_ERR_USAGE,
                       "some tasks are judged by tables: --data DIR says where they are");
    JL_TRY(skill_tables_read(c->data, parts, &c->table_arena, &c->tables, err));
    eval_tasks_give(&c->tasks, &c->tables);
    return JL_OK;
}

/* ---- the work ---- */

static enum jl_status open_model(struct eval_command *c, struct jl_error *err) {
    JL_TRY(engine_load(c->args[0], &c->engine_options, &c->engine, err));
    const struct model *model = c->engine.model;
    const struct pool_options pool = {.n_threads = backend_threads(c->engine.backend)};
    JL_TRY(open_tokenizer(model->file, &c->tokenizer, err));
    if (tokenizer_vocab_size(c->tokenizer) > model->hp.n_vocab)
        return jl_fail(err, JL_ERR_FORMAT, "%s: the tokenizer has %d tokens, the model %d",
                       c->args[0], tokenizer_vocab_size(c->tokenizer), model->hp.n_vocab);
    JL_TRY(chat_form_open(c->args[0], c->tokenizer, &c->form, err));
    end_tokens_find(model->file, c->tokenizer, model->hp.n_vocab, &c->ends);
    c->turns = c->ends;
    chat_form_ends(&c->form, c->tokenizer, model->hp.n_vocab, &c->turns);
    JL_TRY(engine_start(&c->engine, ENGINE_CHUNK, err));
    return pool_create(&pool, &c->pool, err);
}

static void on_step(void *ctx, const char *what, int64_t done, int64_t total) {
    cli_progress_step(ctx, what, done, total);
}

static enum jl_status run_tasks(struct eval_command *c, struct jl_error *err) {
    const struct eval_model model = {.exec = c->engine.exec,
                                     .backend = c->engine.backend,
                                     .pool = c->pool,
                                     .tokenizer = c->tokenizer,
                                     .form = &c->form,
                                     .ends = &c->ends,
                                     .turns = &c->turns};
    c->results = calloc((size_t)c->tasks.n, sizeof *c->results);
    if (!c->results) return jl_fail(err, JL_ERR_MEMORY, "out of memory for results");
    c->options.params = &c->params;
    c->options.n_sample = c->n_sample;
    c->options.n_parallel = c->n_parallel;
    c->options.step = on_step;
    c->options.ctx = &c->progress;
    JL_TRY(engine_memory(NULL, &c->options.limit, err));
    cli_progress_start(&c->progress);
    enum jl_status status = eval_run(&model, &c->tasks, &c->options, c->results, &c->totals, err);
    cli_progress_end(&c->progress);
    return status;
}

/* ---- the result ---- */

static enum jl_status write_json(const struct eval_report *report, const char *path,
                                 struct jl_error *err) {
    struct file_writer writer;
    if (!strcmp(path, "-")) return eval_report_json(report, stdout, err);
    JL_TRY(file_writer_open(path, &writer, err));
    enum jl_status status = eval_report_json(report, writer.stream, err);
    if (status == JL_OK) return file_writer_commit(&writer, err);
    file_writer_abort(&writer);
    return status;
}

static enum jl_status say(struct eval_command *c, struct jl_error *err) {
    char cls[CLASS_NAME_BYTES], settings[400];
    bool json_only = c->json && !strcmp(c->json, "-");
    const struct eval_report report = {.tasks = &c->tasks,
                                       .results = c->results,
                                       .totals = &c->totals,
                                       .model = c->args[0],
                                       .cls = cls,
                                       .sampling = settings,
                                       .seed = c->options.seed,
                                       .n_sample = c->n_sample,
                                       .limit = c->limit};
    class_name(&c->engine.model->cls, cls);
    sample_params_describe(&c->params, settings, sizeof settings);
    if (c->out) JL_TRY(eval_report_lines(&report, c->out, err));
    if (c->json) JL_TRY(write_json(&report, c->json, err));
    if (!json_only) JL_TRY(eval_report_table(&report, stdout, err));
    if (c->baseline) eval_baseline_compare(&c->before, &report, json_only ? stderr : stdout);
    if (fflush(stdout) || ferror(stdout))
        return jl_fail(err, JL_ERR_IO, "standard output: %s", strerror(errno));
    return JL_OK;
}

static void release(struct eval_command *c) {
    eval_results_free(c->results, c->tasks.n);
    eval_tasks_free(&c->tasks);
    arena_free(&c->table_arena);
    eval_baseline_free(&c->before);
    pool_free(c->pool);
    chat_form_close(&c->form);
    tokenizer_free(c->tokenizer);
    engine_free(&c->engine);
}

int cmd_eval(int argc, char **argv) {
    struct eval_command c = {.n_sample = 1, .n_parallel = 16};
    bool done;
    const struct cli_option options[] = {
        {"--temperature", "--temp", CLI_TEXT, &c.value[SAMPLE_temperature], "T",
         "0 (default): always the likeliest token, whatever the model asks for", 0, 0},
        {"--top-p", NULL, CLI_TEXT, &c.value[SAMPLE_top_p], "P",
         "only the likeliest tokens that have probability P together", 0, 0},
        {"--top-k", NULL, CLI_TEXT, &c.value[SAMPLE_top_k], "N", "only the N likeliest tokens", 0,
         0},
        {"--min-p", NULL, CLI_TEXT, &c.value[SAMPLE_min_p], "P",
         "only those at least P times as likely as the likeliest", 0, 0},
        {"--n", "-n", CLI_INT, &c.n_sample, "N",
         "answers to each task, for pass@N; with --temperature (default 1)", 1, MAX_SAMPLES},
        {"--seed", NULL, CLI_TEXT, &c.seed, "N", "of draws and of --limit (default 0)", 0, 0},
        {"--limit", NULL, CLI_INT, &c.limit, "N", "only N tasks of each file, chosen by the seed",
         1, INT32_MAX},
        {"--out", "-o", CLI_TEXT, &c.out, "FILE.jsonl", "every answer and verdict, a line each", 0,
         0},
        {"--baseline", NULL, CLI_TEXT, &c.baseline, "FILE.jsonl",
         "what an earlier --out has: shows what was won and lost", 0, 0},
        {"--data", NULL, CLI_TEXT, &c.data, "DIR",
         "the tables that judge verse and idioms (docs/skills.md)", 0, 0},
        {"--json", NULL, CLI_TEXT, &c.json, "FILE", "the table as JSON; `-`: in its place", 0, 0},
        {"--parallel", NULL, CLI_INT, &c.n_parallel, "N", "tasks in a pass (default 16)", 1,
         MAX_PARALLEL},
        ENGINE_OPTIONS(c.engine_options),
    };
    const struct cli_spec spec = {"eval",
                                  "[MODEL [TASKS...]] [options]",
                                  "measure what a model can do, by files of tasks",
                                  "jinlin eval model.gguf tasks/sums.jsonl --out answers.jsonl",
                                  options,
                                  sizeof options / sizeof options[0],
                                  0,
                                  1 + MOST_FILES,
                                  true};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, c.args, &done, &err);
    if (done) return 0;
    if (status == JL_OK) status = read_options(&c, &err);
    if (status == JL_OK) status = read_tasks(&c, &err);
    if (status == JL_OK) status = read_tables(&c, &err);
    if (status == JL_OK) status = open_model(&c, &err);
    if (status == JL_OK) status = run_tasks(&c, &err);
    if (status == JL_OK) status = say(&c, &err);
    release(&c);
    return cli_finish(&spec, status, &err);
}
