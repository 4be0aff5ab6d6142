#include "train/rl/reward.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "text/match.h"
#include "train/rl/judge.h"
#include "train/verify/schema.h"

#define USUAL_SECONDS 10
#define USUAL_PARALLEL 2
#define MOST_SCHEMA ((size_t)1 << 20) // bytes

struct part {
    struct reward_spec spec;
    const struct reward_kind *kind; // NULL: a verifier
    const struct verifier *verifier;
    struct verify_expect *expects; // (n_task) of a verifier that is not the tasks' own
    struct match *match;
    struct schema *schema;
    struct judges *judges;
    double bound;
};

struct rewards {
    struct part parts[REWARD_MOST];
    int n_part;
    const struct eval_tasks *tasks;
};

/* ---- kinds ---- */

/* One row a kind: what its argument is read by (NULL: it takes none), and what an answer is worth.
 */
struct reward_kind {
    const char *name;
    enum jl_status (*open)(struct part *part, struct jl_error *err);
    enum jl_status (*judge)(struct part *part, const struct reward_answer *answer, double *out,
                            struct jl_error *err);
};

static enum jl_status bad(const struct part *part, const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_USAGE, "reward = %s: %s, not '%s'", part->spec.kind, what,
                   part->spec.argument);
}

static enum jl_status correct(struct part *part, const struct reward_answer *answer, double *out,
                              struct jl_error *err) {
    (void)part, (void)err;
    *out = answer->answer->right;
    return JL_OK;
}

static bool is_whole(const struct eval_answer *answer) {
    return answer->finish == GENERATE_END || answer->finish == GENERATE_STOP;
}

static enum jl_status ended(struct part *part, const struct reward_answer *answer, double *out,
                            struct jl_error *err) {
    (void)part, (void)err;
    *out = is_whole(answer->answer);
    return JL_OK;
}

/* A thought, and an answer behind it. */
static enum jl_status thought(struct part *part, const struct reward_answer *answer, double *out,
                              struct jl_error *err) {
    (void)part, (void)err;
    *out = answer->answer->n_thought > 0 && answer->answer->n_text > 0 && is_whole(answer->answer);
    return JL_OK;
}

static enum jl_status json_value(struct part *part, const struct reward_answer *answer, double *out,
                                 struct jl_error *err) {
    json_t *root = NULL;
    json_error_t where;
    (void)part;
    enum jl_status status = jl_json_load(answer->answer->text, answer->answer->n_text,
                                         JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &root, &where);
    json_decref(root);
    *out = status == JL_OK;
    if (status != JL_ERR_MEMORY) return JL_OK;
    return jl_fail(err, status, "out of memory for an answer");
}

static enum jl_status open_pattern(struct part *part, struct jl_error *err) {
    if (!*part->spec.argument) return bad(part, "it takes a pattern", err);
    return match_new(part->spec.argument, strlen(part->spec.argument), &part->match, err);
}

static enum jl_status pattern(struct part *part, const struct reward_answer *answer, double *out,
                              struct jl_error *err) {
    bool found;
    JL_TRY(match_search(part->match, answer->answer->text, answer->answer->n_text, &found, err));
    *out = found;
    return JL_OK;
}

static enum jl_status open_schema(struct part *part, struct jl_error *err) {
    struct jl_error inner = {0};
    char *text;
    size_t len;
    if (!*part->spec.argument) return bad(part, "it takes a file with a JSON Schema", err);
    JL_TRY(file_read_regular(part->spec.argument, MOST_SCHEMA, &text, &len, err));
    enum jl_status status = schema_read(text, len, &part->schema, &inner);
    free(text);
    if (status == JL_OK) return JL_OK;
    return jl_fail(err, status, "%s: %s", part->spec.argument, inner.message);
}

static enum jl_status by_schema(struct part *part, const struct reward_answer *answer, double *out,
                                struct jl_error *err) {
    bool valid;
    JL_TRY(schema_check(part->schema, answer->answer->text, answer->answer->n_text, &valid, err));
    *out = valid;
    return JL_OK;
}

static enum jl_status open_bound(struct part *part, struct jl_error *err) {
    char *end;
    errno = 0;
    part->bound = strtod(part->spec.argument, &end);
    if (!*part->spec.argument || *end || errno || !(part->bound >= 1 && part->bound <= 1e9))
        return bad(part, "it takes a number of tokens", err);
    return JL_OK;
}

/* 1 up to the bound, then less, 0 at twice as many. */
static enum jl_status brief(struct part *part, const struct reward_answer *answer, double *out,
                            struct jl_error *err) {
    double over = (double)answer->answer->n_token / part->bound - 1;
    (void)err;
    *out = over <= 0 ? 1 : over >= 1 ? 0 : 1 - over;
    return JL_OK;
}

static enum jl_status open_program(struct part *part, struct jl_error *err) {
    const struct judge_options options = {
        .command = part->spec.argument,
        .n = part->spec.parallel > 0 ? part->spec.parallel : USUAL_PARALLEL,
        .seconds = part->spec.seconds > 0 ? part->spec.seconds : USUAL_SECONDS};
    if (!*part->spec.argument) return bad(part, "it takes a command", err);
    return judge_open(&options, &part->judges, err);
}

static const struct reward_kind kinds[] = {
    {"correct", NULL, correct},         {"ended", NULL, ended},
    {"thought", NULL, thought},         {"json", NULL, json_value},
    {"pattern", open_pattern, pattern}, {"brief", open_bound, brief},
    {"schema", open_schema, by_schema}, {"program", open_program, NULL},
};
enum { N_KIND = sizeof kinds / sizeof kinds[0] };

const char *reward_kind_name(int i) { return i < N_KIND ? kinds[i].name : NULL; }

bool reward_takes_file(const char *kind) { return !strcmp(kind, "schema"); }

/* ---- opening ---- */

/* The verifier must be able to read what each task expects. */
static enum jl_status open_verifier(struct part *part, const struct eval_tasks *tasks,
                                    struct jl_error *err) {
    struct jl_error inner = {0};
    part->verifier = verify_find(part->spec.kind);
    if (!part->verifier)
        return jl_fail(
            err, JL_ERR_USAGE,
            "reward = %s: there is no such reward; they are correct, ended, thought, json, "
            "schema, pattern, brief, program, and the checks of tasks (docs/eval.md)",
            part->spec.kind);
    if (*part->spec.argument) return bad(part, "it takes no argument", err);
    part->expects = calloc((size_t)tasks->n + 1, sizeof *part->expects);
    if (!part->expects) return jl_fail(err, JL_ERR_MEMORY, "out of memory for rewards");
    for (int64_t i = 0; i < tasks->n; i++) {
        const struct eval_task *task = &tasks->tasks[i];
        struct verify_expect *expect = &part->expects[i];
        *expect = (struct verify_expect){.text = task->line.expect.text,
                                         .len = task->line.expect.len,
                                         .tolerance = task->line.expect.tolerance,
                                         .tables = task->line.expect.tables};
        enum jl_status status = verify_prepare(part->verifier, expect, &inner);
        if (status != JL_OK)
            return jl_fail(err, status, "%s, line %lld: reward = %s: %s", task->path,
                           (long long)task->number, part->spec.kind, inner.message);
    }
    return JL_OK;
}

static enum jl_status open_part(struct part *part, const struct eval_tasks *tasks,
                                struct jl_error *err) {
    for (int i = 0; i < N_KIND; i++)
        if (!strcmp(kinds[i].name, part->spec.kind)) part->kind = &kinds[i];
    if (!part->kind) return open_verifier(part, tasks, err);
    if (part->kind->open) return part->kind->open(part, err);
    return *part->spec.argument ? bad(part, "it takes no argument", err) : JL_OK;
}

enum jl_status reward_open(const struct reward_spec *specs, int n, const struct eval_tasks *tasks,
                           struct rewards **out, struct jl_error *err) {
    struct rewards *rewards = calloc(1, sizeof *rewards);
    *out = NULL;
    if (!rewards) return jl_fail(err, JL_ERR_MEMORY, "out of memory for rewards");
    rewards->tasks = tasks;
    enum jl_status status =
        n >= 1 && n <= REWARD_MOST
            ? JL_OK
            : jl_fail(err, JL_ERR_USAGE, "%d rewards; there may be 1 to %d", n, REWARD_MOST);
    for (int i = 0; i < n && status == JL_OK; i++) {
        rewards->parts[i].spec = specs[i];
        rewards->n_part = i + 1;
        status = open_part(&rewards->parts[i], tasks, err);
    }
    if (status == JL_OK)
        *out = rewards;
    else
        reward_close(rewards);
    return status;
}

void reward_close(struct rewards *rewards) {
    if (!rewards) return;
    for (int i = 0; i < rewards->n_part; i++) {
        struct part *part = &rewards->parts[i];
        for (int64_t k = 0; part->expects && k < rewards->tasks->n; k++)
            verify_free(&part->expects[k]);
        free(part->expects);
        match_free(part->match);
        schema_free(part->schema);
        judge_close(part->judges);
    }
    free(rewards);
}

/* ---- judging ---- */

static json_t *text_of(const char *text, size_t len) {
    return text ? json_stringn(text, len) : json_string("");
}

/* What a program is told of an answer. */
static char *line_of(const struct reward_answer *answer) {
    static const char *const finishes[] = {
        [GENERATE_LENGTH] = "length",   [GENERATE_END] = "end",       [GENERATE_STOP] = "stop",
        [GENERATE_CONTEXT] = "context", [GENERATE_CANCEL] = "cancel", [GENERATE_SINK] = "sink"};
    const struct eval_line *line = &answer->task->line;
    const struct eval_answer *a = answer->answer;
    json_t *root =
        json_pack("{s:s, s:s?, s:o, s:o, s:o, s:s, s:i, s:b}", "task", answer->task->name, "group",
                  line->group, "expect", text_of(line->expect.text, line->expect.len), "answer",
                  text_of(a->text, a->n_text), "thought", text_of(a->thought, a->n_thought),
                  "finish", finishes[a->finish], "tokens", a->n_token, "right", a->right);
    bool fits = root != NULL;
    if (fits && line->messages)
        fits = !json_object_set(root, "messages", line->messages);
    else if (fits)
        fits = !json_object_set_new(root, "prompt", text_of(line->prompt, line->n_prompt));
    char *text = fits ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return text;
}

static enum jl_status ask_program(struct part *part, const struct reward_answer *answers, int n,
                                  double *out, const atomic_bool *cancel, struct jl_error *err) {
    char **lines = calloc((size_t)n + 1, sizeof *lines);
    bool fits = lines != NULL;
    for (int i = 0; fits && i < n; i++)
        fits = (lines[i] = line_of(&answers[i])) != NULL;
    enum jl_status status =
        fits ? judge_ask(part->judges, (const char *const *)lines, n, out, cancel, err)
             : jl_fail(err, JL_ERR_MEMORY, "out of memory for what judges are told");
    for (int i = 0; lines && i < n; i++)
        free(lines[i]);
    free(lines);
    return status;
}

static enum jl_status judge_one(struct rewards *rewards, struct part *part,
                                const struct reward_answer *answer, double *out,
                                struct jl_error *err) {
    bool right;
    if (part->kind) return part->kind->judge(part, answer, out, err);
    const struct verify_expect *expect = &part->expects[answer->task - rewards->tasks->tasks];
    JL_TRY(
        part->verifier->check(expect, answer->answer->text, answer->answer->n_text, &right, err));
    *out = right;
    return JL_OK;
}

enum jl_status reward_judge(struct rewards *rewards, const struct reward_answer *answers, int n,
                            double *parts, double *sums, const atomic_bool *cancel,
                            struct jl_error *err) {
    size_t n_part = (size_t)rewards->n_part;
    double *column = calloc((size_t)n + 1, sizeof *column);
    enum jl_status status =
        column ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for rewards");
    memset(sums, 0, (size_t)n * sizeof *sums);
    for (size_t p = 0; p < n_part && status == JL_OK; p++) {
        struct part *part = &rewards->parts[p];
        if (part->judges) status = ask_program(part, answers, n, column, cancel, err);
        for (int i = 0; i < n && status == JL_OK; i++) {
            if (!part->judges) status = judge_one(rewards, part, &answers[i], &column[i], err);
            parts[(size_t)i * n_part + p] = column[i];
            sums[i] += part->spec.weight * column[i];
        }
    }
    free(column);
    return status;
}
