/* A tape's two ways. Forward every step runs alone, on values where the tape wants them. Back, the
 * steps of a segment that are to be made again run first, then its steps' bodies from the last. */
#include <math.h>
#include <string.h>

#include "backend/cpu/tape.h"
#include "base/fmath.h"
#include "kernel/fpenv.h"

int tape_rows(const struct backend_tape *tape, const struct step *step) {
    return step - tape->plan.steps > tape->pick ? tape->n_picked : tape->batch->n_row;
}

enum reg_id tape_grad_reg(const struct backend_tape *tape, const struct step *step, int k) {
    const struct step *made = &tape->plan.steps[step->from[k]];
    return made->op == OP_CONVERT ? made->in : made->out;
}

void tape_read_head(const struct backend_tape *tape, const struct step *step, int row, int head,
                    int width, float *out) {
    int slots = tape->values[step->from[0]].slots;
    size_t at = tape_head_at(slots, head, width);
    const uint8_t *data = tape_value(tape, step->from[0], tape_head_vector(slots, row, head));
    if (step->xfmt == XFMT_BF16)
        dtype_dequantize(DTYPE_BF16, data + 2 * at, out, width);
    else
        memcpy(out, data + sizeof *out * at, (size_t)width * sizeof *out);
}

/* ---- forward ---- */

static uint8_t *home_of(const struct backend_tape *tape, int made) {
    const struct tape_value *value = &tape->values[made];
    return value->kept ? tape->memory + value->at : tape->reg_home[tape->plan.steps[made].out];
}

static void read_from(struct backend_tape *tape, enum reg_id reg, int made) {
    if (made < 0) return;
    tape->frame->reg[reg] = home_of(tape, made);
    tape->frame->stride[reg] = tape->values[made].stride;
    tape->frame->slots[reg] = tape->values[made].slots;
}

/* Registers as the step is to find them: its inputs, and its output where that shall stand. */
static void set_registers(struct backend_tape *tape, int i) {
    const struct step *step = &tape->plan.steps[i];
    enum op_out out = op_row(step->op)->out;
    read_from(tape, step->in3, step->from[3]);
    read_from(tape, step->in2, step->from[1]);
    read_from(tape, step->in, step->from[0]);
    if (out == OUT_NONE || step->out == REG_LOGITS) return;
    // Bodies name registers, not values: where both are one, what is read goes along.
    bool same = out == OUT_WRITES && (step->in == step->out || step->in2 == step->out);
    int old = out == OUT_UPDATES      ? step->from[2]
              : !same                 ? -1
              : step->in == step->out ? step->from[0]
                                      : step->from[1];
    uint8_t *to = home_of(tape, i);
    if (old >= 0 && home_of(tape, old) != to) {
        size_t vectors = (size_t)tape->frame->n_row * (size_t)tape->values[old].slots;
        memcpy(to, home_of(tape, old), vectors * tape->values[old].stride);
    }
    tape->frame->reg[step->out] = to;
    tape->frame->stride[step->out] = tape->values[i].stride;
    tape->frame->slots[step->out] = tape->values[i].slots;
}

static enum jl_status run_step(struct backend_tape *tape, int i, struct jl_error *err) {
    set_registers(tape, i);
    return cpu_run_step(tape->frame, &tape->plan.steps[i], err);
}

static void note_load(struct backend_tape *tape, int i) {
    const struct step *step = &tape->plan.steps[i];
    int32_t *load = tape->loads + (size_t)step->layer * (size_t)tape->n_expert;
    memset(load, 0, (size_t)tape->n_expert * sizeof *load);
    for (int row = 0; row < tape->frame->n_row; row++) {
        const int32_t *ids =
            (const int32_t *)(const void *)cpu_row_f32(tape->frame, step->out, row);
        for (int k = 0; k < step->moe->rule.n_used; k++)
            load[ids[k]]++;
    }
}

static enum jl_status check_batch(const struct backend_tape *tape, const struct batch *batch,
                                  struct jl_error *err) {
    if (batch->n_row < 1 || batch->n_row > tape->max_rows)
        return jl_fail(err, JL_ERR_LIMIT, "a batch of %d rows; this tape takes 1 .. %d",
                       batch->n_row, tape->max_rows);
    for (int i = 0; i < batch->n_seq; i++)
        if (batch->seqs[i].n_pos != 0)
            return jl_fail(err, JL_ERR_USAGE,
                           "sequence %d goes on at position %d: on a tape all begin at 0", i,
                           batch->seqs[i].n_pos);
    return JL_OK;
}

static void start(struct backend_tape *tape, const struct batch *batch) {
    struct backend_frame *frame = tape->frame;
    tape->batch = frame->batch = batch;
    frame->n_row = batch->n_row;
    atomic_store(&frame->fault, CPU_NO_FAULT);
    tape->n_picked = 0;
    for (int row = 0; row < batch->n_row; row++)
        if (batch->rows[row].want_logits) tape->picked[tape->n_picked++] = row;
    memset(tape->has, 0, sizeof tape->has);
    tape->has_cache = false;
    tape->turned_made = -1;
}

/* ---- the output layer, some rows at a time ---- */

/* Gradients stand as the values of the step do. */
static void set_strides(struct backend_tape *tape, const struct step *step) {
    for (int k = 0; k < STEP_READS; k++) {
        int made = step->from[k];
        if (made < 0) continue;
        if (tape->plan.steps[made].op == OP_CONVERT) made = tape->plan.steps[made].from[0];
        tape->grad_stride[tape->plan.steps[made].out] = tape->values[made].stride;
    }
}

struct loss_call {
    struct backend_tape *tape;
    const struct tape_loss *loss;
    float *logits;
    size_t stride; // floats
    double *losses;
    int first, n_row;
};

static void loss_item(void *ctx, int item, int thread) {
    const struct loss_call *call = ctx;
    (void)thread;
    for (int r = item * 4; r < (item + 1) * 4 && r < call->n_row; r++)
        call->losses[call->first + r] =
            call->loss->row(call->loss->ctx, call->tape->backend, call->first + r,
                            call->logits + (size_t)r * call->stride, call->tape->plan.n_logit);
}

static void head_bias(struct backend_tape *tape, const struct loss_call *call) {
    for (int i = tape->head + 1; i < tape->plan.n_step; i++) {
        const struct step *step = &tape->plan.steps[i];
        struct weight_grad *grad = &tape->grads[step->w.id];
        if (step->op != OP_BIAS || !grad->data) continue;
        if (grad->fresh) memset(grad->data, 0, (size_t)step->width * sizeof(float));
        grad->fresh = false;
        for (int r = 0; r < call->n_row; r++)
            tape->backend->kernels.add(call->logits + (size_t)r * call->stride, grad->data,
                                       step->width);
    }
}

/* Does the step read what stands for all rows, not only for those whose logits are there? */
static bool reads_all_rows(const struct backend_tape *tape, const struct step *step) {
    return step->from[0] >= 0 && step->from[0] < tape->head;
}

/* A matrix of the output layer backwards: of outputs from the logits' gradient, else from that of
 * the register which it wrote. `has`: something is there of the gradient of what all rows gave. */
static void matrix_back(struct backend_tape *tape, const struct loss_call *call,
                        const struct step *step, bool *has) {
    bool all = reads_all_rows(tape, step), logits = step->out == REG_LOGITS;
    int first = all ? call->first : 0;
    enum reg_id in = tape_grad_reg(tape, step, 0);
    set_strides(tape, step);
    const struct linear_step_rows rows = {
        .x = tape->grads[step->w.id].data ? tape_value(tape, step->from[0], first) : NULL,
        .dy = logits ? call->logits : tape_grad(tape, step->out, 0),
        .dy_stride = logits ? call->stride : tape->grad_stride[step->out] / sizeof(float),
        .dx = tape_grad(tape, in, first),
        .dx_stride = tape->grad_stride[in] / sizeof(float),
        .n = call->n_row,
        .add_dx = all && *has,
    };
    cpu_linear_step_grad(tape, step, &rows);
    *has |= all;
}

static void head_back(struct backend_tape *tape, const struct loss_call *call) {
    bool has = false;
    for (int i = tape->plan.n_step - 1; i >= tape->head; i--) {
        const struct step *step = &tape->plan.steps[i];
        if (step->op == OP_LINEAR || step->op == OP_LINEAR_ADD) matrix_back(tape, call, step, &has);
    }
}

static enum jl_status run_head(struct backend_tape *tape, const struct tape_loss *loss,
                               double *losses, struct jl_error *err) {
    struct backend_frame *frame = tape->frame;
    const struct step *head = &tape->plan.steps[tape->head];
    struct loss_call call = {.tape = tape, .loss = loss, .losses = losses};
    set_strides(tape, head);
    call.logits = (float *)(void *)(tape->memory + tape->logits_at);
    call.stride = xrow_layout(XFMT_F32, tape->plan.n_logit).bytes / sizeof(float);
    for (; call.first < tape->n_picked; call.first += call.n_row) {
        int left = tape->n_picked - call.first;
        call.n_row = left < tape->chunk_rows ? left : tape->chunk_rows;
        for (int i = tape->head; i < tape->plan.n_step; i++) {
            set_registers(tape, i);
            frame->n_row = call.n_row;
            frame->reg[REG_LOGITS] = (uint8_t *)call.logits;
            frame->stride[REG_LOGITS] = call.stride * sizeof(float);
            frame->slots[REG_LOGITS] = 1;
            const struct step *step = &tape->plan.steps[i];
            if (reads_all_rows(tape, step))
                frame->reg[step->in] += (size_t)call.first * frame->stride[step->in];
            JL_TRY(cpu_run_step(frame, step, err));
        }
        pool_run(tape->backend->pool, (call.n_row + 3) / 4, loss_item, &call);
        if (!tape->grads) continue;
        head_bias(tape, &call);
        head_back(tape, &call);
    }
    tape->has[tape_grad_reg(tape, head, 0)] = tape->n_picked > 0;
    tape->turned_made = -1;
    return JL_OK;
}

enum jl_status backend_tape_forward(struct backend_tape *tape, const struct batch *batch,
                                    const struct tape_loss *loss, struct weight_grad *grads,
                                    double *losses, struct jl_error *err) {
    struct fpenv saved;
    enum jl_status status = JL_OK;
    JL_TRY(check_batch(tape, batch, err));
    start(tape, batch);
    tape->grads = grads;
    fpenv_enter(&saved);
    for (int i = 0; i < tape->head && status == JL_OK; i++) {
        const struct step *step = &tape->plan.steps[i];
        if (batch->cancel && atomic_load(batch->cancel))
            status = jl_fail(err, JL_ERR_CANCELLED, "cancelled before layer %d", step->layer);
        else
            status = run_step(tape, i, err);
        if (status == JL_OK && step->op == OP_ROUTE) note_load(tape, i);
    }
    if (status == JL_OK) status = run_head(tape, loss, losses, err);
    fpenv_leave(&saved);
    tape->frame->batch = NULL;
    return status;
}

double backend_cross_entropy(const struct backend *backend, float *out, int n, int target,
                             float weight) {
    double at = (double)out[target];
    struct softmax_args args = {.x = out, .p = out, .n = n, .scale = 1.0f};
    backend->kernels.softmax(&args);
    double loss = (double)args.max + fmath_log64((double)args.sum) - at;
    out[target] = out[target] - 1.0f;
    backend->kernels.scale(weight, out, n);
    return loss;
}

/* ---- back ---- */

static cpu_grad_fn *const grad_bodies[] = {
#define X(id, name, ...) cpu_grad_##name,
    OP_LIST(X)
#undef X
};

/* Runs what has not been kept of the segment that ends with step `last`. */
static enum jl_status make_again(struct backend_tape *tape, int last, struct jl_error *err) {
    int first = last, layer = tape->plan.steps[last].layer;
    if (last >= tape->pick) return JL_OK;
    while (first > 0 && tape->plan.steps[first - 1].layer == layer)
        first--;
    tape->frame->n_row = tape->batch->n_row;
    for (int i = first; i <= last; i++)
        if (tape->values[i].again) JL_TRY(run_step(tape, i, err));
    tape->turned_made = -1;
    return JL_OK;
}

static enum jl_status step_back(struct backend_tape *tape, int i, struct jl_error *err) {
    const struct step *step = &tape->plan.steps[i];
    enum op_out out = op_row(step->op)->out;
    set_strides(tape, step);
    if (out != OUT_NONE) tape->grad_stride[step->out] = tape->values[i].stride;
    tape->frame->n_row = tape_rows(tape, step);
    if (out != OUT_NONE && !tape->has[step->out]) return JL_OK; // nothing depends on it
    if (step->op == OP_CONVERT || step->op == OP_ROPE_TABLE) return JL_OK;
    if (out == OUT_WRITES) tape->has[step->out] = false; // the value before it, where there is one
    return grad_bodies[step->op](tape, step, err);
}

enum jl_status backend_tape_backward(struct backend_tape *tape, const struct tape_ends *ends,
                                     struct weight_grad *grads, struct jl_error *err) {
    static const struct tape_ends no_ends;
    struct fpenv saved;
    enum jl_status status = JL_OK;
    tape->ends = ends ? ends : &no_ends;
    tape->grads = grads;
    tape->frame->batch = tape->batch;
    fpenv_enter(&saved);
    int layer = INT32_MIN;
    for (int i = tape->head - 1; i >= 0 && status == JL_OK; i--) {
        if (i == tape->pick - 1 || (i < tape->pick && tape->plan.steps[i].layer != layer))
            status = make_again(tape, i, err);
        layer = tape->plan.steps[i].layer;
        if (status == JL_OK) status = step_back(tape, i, err);
    }
    fpenv_leave(&saved);
    tape->frame->batch = NULL;
    tape->batch = NULL;
    return status;
}
