/* What the plan knows of a backward pass: each step's output is kept, computed again, or dropped,
 * and may or may not take the memory of a value that the step reads.
 *
 * A step's output is a value; a register holds one value after the other. Ops say which of their
 * inputs they save (ops.h); those values are needed. A needed value is computed again when its op
 * is cheap and everything it reads is itself needed or can be computed again; else it is kept. */
#include "model/model.h"
#include "tensor/xrow.h"

#define NO_VALUE (-1)

struct marker {
    struct step *steps;
    int n_step;
    bool *needed;    // [n_step]
    bool *derivable; // [n_step]: needed, or cheap and made of derivable values
};

static void find_reads(struct marker *m) {
    int made_by[REG_COUNT];
    for (int r = 0; r < REG_COUNT; r++)
        made_by[r] = NO_VALUE;
    for (int i = 0; i < m->n_step; i++) {
        struct step *step = &m->steps[i];
        enum op_out out = op_row(step->op)->out;
        step->from[0] = made_by[step->in];
        step->from[1] = made_by[step->in2];
        step->from[2] = out == OUT_UPDATES ? made_by[step->out] : NO_VALUE;
        step->from[3] = made_by[step->in3];
        if (out != OUT_NONE) made_by[step->out] = i;
    }
}

static void find_needed(struct marker *m) {
    for (int i = 0; i < m->n_step; i++) {
        enum op_save save = op_row(m->steps[i].op)->save; // bit k: reads[k]
        for (int k = 0; k < STEP_READS; k++)
            if (save >> k & 1 && m->steps[i].from[k] != NO_VALUE)
                m->needed[m->steps[i].from[k]] = true;
    }
}

static bool can_be_made_again(const struct marker *m, int i) {
    if (op_row(m->steps[i].op)->cost != CHEAP) return false;
    for (int k = 0; k < STEP_READS; k++)
        if (m->steps[i].from[k] != NO_VALUE && !m->derivable[m->steps[i].from[k]]) return false;
    return true;
}

static void choose_fates(struct marker *m) {
    for (int i = 0; i < m->n_step; i++) {
        bool again = can_be_made_again(m, i);
        m->derivable[i] = m->needed[i] || again;
        if (m->needed[i]) m->steps[i].fate = again ? VALUE_RECOMPUTE : VALUE_KEEP;
    }
    // What a value is computed again from is computed again too, unless it is kept.
    for (int i = m->n_step - 1; i >= 0; i--) {
        if (m->steps[i].fate != VALUE_RECOMPUTE) continue;
        for (int k = 0; k < STEP_READS; k++) {
            int read = m->steps[i].from[k];
            if (read != NO_VALUE && m->steps[read].fate == VALUE_DROP)
                m->steps[read].fate = VALUE_RECOMPUTE;
        }
    }
}

/* A step may write over a value that it reads from the same register, unless that one is kept. */
static void choose_aliases(struct marker *m) {
    for (int i = 0; i < m->n_step; i++) {
        struct step *step = &m->steps[i];
        enum reg_id from[STEP_READS] = {step->in, step->in2, step->out, step->in3};
        for (int k = 0; k < STEP_READS; k++) {
            int read = m->steps[i].from[k];
            if (read != NO_VALUE && from[k] == step->out)
                step->alias = m->steps[read].fate != VALUE_KEEP;
        }
    }
}

static size_t row_bytes(const struct step *step) {
    enum xfmt form = step->op == OP_CONVERT ? step->xfmt : XFMT_F32;
    return xrow_layout(form, step->out_width).bytes * (size_t)step->out_slots;
}

enum jl_status plan_backward(struct model *model, struct step *steps, struct step_list *list,
                             struct jl_error *err) {
    struct arena *arena = &model->arena;
    int n_step = list->n_step;
    size_t n = (size_t)n_step;
    struct marker m = {.steps = steps, .n_step = n_step};
    m.needed = arena_calloc(arena, n, sizeof *m.needed);
    m.derivable = arena_calloc(arena, n, sizeof *m.derivable);
    if (!m.needed || !m.derivable)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory planning %s", model->file->path);
    find_reads(&m);
    find_needed(&m);
    choose_fates(&m);
    choose_aliases(&m);
    list->kept_bytes = 0;
    for (int i = 0; i < n_step; i++)
        if (steps[i].fate == VALUE_KEEP) list->kept_bytes += row_bytes(&steps[i]);
    return JL_OK;
}
