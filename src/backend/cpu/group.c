/* Steps that are done as one, in one parallel region: matrices with the same input, and the
 * activation that joins two of them, output by output; and runs of steps that work on one row at a
 * time, row by row. Less waiting of threads for each other, and a row is still in the cache; the
 * bits are those of steps done one by one. */
#include <stdlib.h>

#include "backend/cpu/cpu.h"

static bool joins(const struct step_group *group, const struct step *lead,
                  const struct step *step) {
    if (group->n == GROUP_MOST || step->op != lead->op || step->in != lead->in ||
        step->layer != lead->layer || step->xfmt != lead->xfmt || step->slots != lead->slots ||
        step->out == step->in || step->out == REG_LOGITS)
        return false;
    for (int i = 0; i < group->n; i++)
        if (group->member[i]->out == step->out) return false;
    return true;
}

/* A bias goes onto a value that the group has made, and nobody in it reads that. */
static bool passes_over(const struct step_group *group, const struct step *step) {
    if (step->op != OP_BIAS) return false;
    for (int i = 0; i < group->n; i++)
        if (group->member[i]->out == step->out) return true;
    return false;
}

static bool activates(const struct step_group *group, const struct step *step) {
    return step->op == OP_SILU_MUL && group->n == 2 && step->in == group->member[0]->out &&
           step->in2 == group->member[1]->out && step->out == step->in &&
           group->member[0]->w.n_out == group->member[1]->w.n_out &&
           step->width == group->member[0]->w.n_out;
}

/* The group that step i leads; others of it are marked as done. */
static void gather(const struct step_list *plan, int i, struct step_group *groups) {
    const struct step *lead = &plan->steps[i];
    struct step_group *group = &groups[i];
    bool biased = false;
    group->n = 1;
    group->member[0] = lead;
    if (lead->out == lead->in || lead->out == REG_LOGITS) return;
    for (int j = i + 1; j < plan->n_step; j++) {
        const struct step *step = &plan->steps[j];
        if (joins(group, lead, step)) {
            group->member[group->n++] = step;
            groups[j].n = GROUP_DONE;
        } else if (passes_over(group, step)) {
            biased = true;
        } else {
            if (!biased && activates(group, step)) {
                group->act = step;
                groups[j].n = GROUP_DONE;
            }
            return;
        }
    }
}

static bool reads(const struct step *step, enum reg_id reg) {
    return (step->in == reg && step->op != OP_BIAS) || step->in2 == reg || step->in3 == reg ||
           (step->out == reg && op_row(step->op)->out == OUT_UPDATES);
}

/* Whether only experts read register `reg` from step i on, until it is written again, or
 * conversions whose results only experts read. They are marked. */
static bool only_experts_read(const struct step_list *plan, int i, enum reg_id reg,
                              const struct step *dispatch, struct step_group *groups) {
    for (; i < plan->n_step && plan->steps[i].layer == dispatch->layer; i++) {
        const struct step *step = &plan->steps[i];
        if (step->op == OP_EXPERTS && step->in == reg)
            groups[i].in_place = dispatch;
        else if (step->op == OP_CONVERT && step->in == reg && reg == dispatch->out) {
            if (!only_experts_read(plan, i + 1, step->out, dispatch, groups)) return false;
            groups[i].in_place = dispatch;
        } else if (reads(step, reg)) {
            return false;
        }
        if (step->out == reg) return true;
    }
    return true;
}

static void skip_copies(const struct step_list *plan, int i, struct step_group *groups) {
    const struct step *dispatch = &plan->steps[i];
    if (only_experts_read(plan, i + 1, dispatch->out, dispatch, groups)) {
        groups[i].in_place = dispatch;
        return;
    }
    for (int j = i; j < plan->n_step; j++)
        if (groups[j].in_place == dispatch) groups[j].in_place = NULL;
}

/* What holds while a run is gathered. */
struct run {
    const struct step *const *made; // (REG_COUNT): who gave a register the shape it has; NULL
    bool used[REG_COUNT];           // by steps of the run
    bool checked;                   // some value of it
};

static void note_shape(const struct step *made[REG_COUNT], const struct step *step) {
    if (op_row(step->op)->out == OUT_WRITES) made[step->out] = step;
}

/* While some rows have been through the step and others not, the vectors of both are in the
 * register: they must not overlap. */
static bool keeps_shape(const struct run *run, const struct step *step) {
    if (op_row(step->op)->out != OUT_WRITES || !run->used[step->out]) return true;
    const struct step *before = run->made[step->out];
    return before && before->out_slots == step->out_slots &&
           cpu_out_stride(before) == cpu_out_stride(step);
}

/* What stays after the pass is not written before all rows' checks. */
static bool stays(const struct step *step) {
    return op_row(step->op)->out == OUT_NONE && step->op != OP_CHECK;
}

static bool follows(const struct run *run, const struct step *lead, const struct step *step) {
    bool gathered = op_row(lead->op)->rows == GATHERED; // other rows may still read its `in`
    return op_row(step->op)->rows == APART && keeps_shape(run, step) &&
           !(run->checked && stays(step)) && !(gathered && step->out == lead->in);
}

/* The run that step i leads. Steps that are done with an earlier one are not in its way; experts'
 * inputs, which are rows only while nobody observes, are by themselves. */
static void gather_rows(const struct step_list *plan, int i, const struct step *made[REG_COUNT],
                        struct step_group *groups) {
    const struct step *lead = &plan->steps[i];
    struct step_group *group = &groups[i];
    struct run run = {.made = made};
    for (int j = i; j < plan->n_step && group->n < GROUP_MOST; j++) {
        const struct step *step = &plan->steps[j];
        if (groups[j].n == GROUP_DONE) continue;
        if (j > i && (groups[i].in_place || groups[j].in_place || !follows(&run, lead, step)))
            return;
        group->member[group->n++] = step;
        if (j > i) groups[j].n = GROUP_DONE;
        run.used[step->in] = run.used[step->in2] = run.used[step->in3] = run.used[step->out] = true;
        run.checked |= step->op == OP_CHECK;
        note_shape(made, step);
    }
}

static void find_runs(const struct step_list *plan, struct step_group *groups) {
    const struct step *made[REG_COUNT] = {NULL};
    for (int i = 0; i < plan->n_step; i++) {
        const struct step *step = &plan->steps[i];
        if (groups[i].n == 0 && op_row(step->op)->rows != TOGETHER)
            gather_rows(plan, i, made, groups);
        else if (groups[i].n == 0)
            note_shape(made, step);
        for (int m = 0; m < groups[i].n; m++)
            note_shape(made, groups[i].member[m]);
    }
}

struct step_group *cpu_single_groups(const struct step_list *plan) {
    struct step_group *groups = calloc((size_t)plan->n_step + 1, sizeof *groups);
    for (int i = 0; groups && i < plan->n_step; i++) {
        groups[i].n = 1;
        groups[i].member[0] = &plan->steps[i];
    }
    return groups;
}

struct step_group *cpu_find_groups(const struct step_list *plan) {
    struct step_group *groups = calloc((size_t)plan->n_step + 1, sizeof *groups);
    for (int i = 0; groups && i < plan->n_step; i++)
        if (groups[i].n == 0 && (plan->steps[i].op == OP_LINEAR || plan->steps[i].op == OP_EXPERTS))
            gather(plan, i, groups);
    for (int i = 0; groups && i < plan->n_step; i++)
        if (plan->steps[i].op == OP_DISPATCH) skip_copies(plan, i, groups);
    if (groups) find_runs(plan, groups);
    return groups;
}
