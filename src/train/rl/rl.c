#include "train/rl/rl.h"

#include <stdlib.h>
#include <string.h>

#include "train/rl/self.h"

/* ---- opening ---- */

static enum jl_status check_task(const struct rl *rl, struct eval_task *task,
                                 struct jl_error *err) {
    if (task->line.kind != EVAL_ANSWER)
        return jl_fail(
            err, JL_ERR_FORMAT,
            "%s, line %lld: check %s scores a text that is given; what is learned by reward "
            "must be answered",
            task->path, (long long)task->number, task->line.check);
    if (task->line.max_tokens > rl->options.max_tokens)
        task->line.max_tokens = rl->options.max_tokens;
    return JL_OK;
}

static enum jl_status read_tables(struct rl *rl, struct jl_error *err) {
    unsigned parts = eval_tasks_parts(&rl->tasks);
    for (int i = 0; i < rl->options.n_reward; i++) {
        const struct verifier *verifier = verify_find(rl->options.rewards[i].kind);
        if (verifier) parts |= verifier->tables;
    }
    if (!parts) return JL_OK;
    if (!rl->options.data)
        return jl_fail(
            err, JL_ERR_USAGE,
            "some answers are judged by tables: tables = FOLDER of [grpo] says where they "
            "are");
    rl->tables = calloc(1, sizeof *rl->tables);
    if (!rl->tables) return jl_fail(err, JL_ERR_MEMORY, "out of memory for tables");
    JL_TRY(skill_tables_read(rl->options.data, parts, &rl->arena, rl->tables, err));
    eval_tasks_give(&rl->tasks, rl->tables);
    return JL_OK;
}

static enum jl_status fill(struct rl *rl, struct jl_error *err) {
    const struct rl_options *o = &rl->options;
    if (o->n_group < 2)
        return jl_fail(err, JL_ERR_USAGE, "a group of %d answers has nothing to compare",
                       o->n_group);
    if (o->n_redraw + 1 > RL_MOST_ROUNDS)
        return jl_fail(err, JL_ERR_USAGE, "%d rounds of drawing again; at most %d", o->n_redraw,
                       RL_MOST_ROUNDS - 1);
    for (int i = 0; i < o->n_tasks; i++)
        JL_TRY(eval_tasks_add(&rl->tasks, o->tasks[i], err));
    for (int64_t i = 0; i < rl->tasks.n; i++)
        JL_TRY(check_task(rl, &rl->tasks.tasks[i], err));
    JL_TRY(read_tables(rl, err));
    JL_TRY(reward_open(o->rewards, o->n_reward, &rl->tasks, &rl->rewards, err));
    if (o->policy.kl <= 0) return JL_OK;
    return rl_reference_open(&rl->model, o->policy.temperature, &rl->reference, err);
}

enum jl_status rl_open(const struct rl_model *model, const struct rl_options *options,
                       struct rl **out, struct jl_error *err) {
    struct rl *rl = calloc(1, sizeof *rl);
    *out = NULL;
    if (!rl) return jl_fail(err, JL_ERR_MEMORY, "out of memory for learning by reward");
    rl->model = *model;
    rl->options = *options;
    enum jl_status status = fill(rl, err);
    if (status == JL_OK)
        *out = rl;
    else
        rl_close(rl);
    return status;
}

void rl_close(struct rl *rl) {
    if (!rl) return;
    rl_forget(rl);
    reward_close(rl->rewards);
    rl_reference_close(rl->reference);
    eval_tasks_free(&rl->tasks);
    arena_free(&rl->arena);
    free(rl->tables);
    free(rl);
}

int64_t rl_n_task(const struct rl *rl) { return rl->tasks.n; }

/* ---- steps ---- */

/* The longest answer with its prompt must be learned in one micro-batch. */
static enum jl_status check_rows(const struct rl *rl, struct jl_error *err) {
    for (int i = 0; i < rl->n_rollout; i++) {
        const struct rollout *r = &rl->rollouts[i];
        int n = rl_rows_of(r);
        if (n > rl->options.rows)
            return jl_fail(
                err, JL_ERR_LIMIT,
                "%s, line %lld: prompt and answer have %d tokens, a micro-batch %d rows: "
                "more rows or a smaller max_tokens",
                r->task->path, (long long)r->task->number, n + 1, rl->options.rows);
    }
    return JL_OK;
}

enum jl_status rl_step(struct rl *rl, int64_t number, int64_t *cursor, float rate,
                       const atomic_bool *cancel, struct rl_report *out, struct jl_error *err) {
    int64_t drawn = *cursor;
    *out = (struct rl_report){0};
    rl_forget(rl);
    JL_TRY(rl_draw(rl, number, &drawn, cancel, out, err));
    JL_TRY(check_rows(rl, err));
    JL_TRY(rl_learn(rl, rate, cancel, out, err));
    *cursor = drawn;
    return JL_OK;
}
