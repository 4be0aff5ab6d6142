/* Mixtures of experts backwards. Which experts a row has chosen is not learned from: gradients come
 * through the weights of those it has. */
#include <string.h>

#include "backend/cpu/tape.h"

/* A row of REG_S: n_used ids, then n_used weights. */
static const int32_t *ids_of(const struct backend_tape *tape, int made, int row) {
    return (const int32_t *)(const void *)tape_value(tape, made, row);
}

enum jl_status cpu_experts_again(struct backend_tape *tape, const struct step *step, int made,
                                 struct jl_error *err) {
    return cpu_order_experts(tape->frame, step, tape_value(tape, made, 0),
                             tape->values[made].stride, err);
}

/* ---- combine ---- */

static void combine_block(struct backend_tape *tape, const struct step *step, int first, int end,
                          float *sums, int thread) {
    const struct kernel_table *k = &tape->backend->kernels;
    const struct expert_order *order = &tape->frame->order;
    int n_used = step->moe->rule.n_used;
    (void)sums;
    (void)thread;
    for (int row = first; row < end; row++) {
        const float *weights = tape_read(tape, step, 1, row) + n_used;
        const float *dy = tape_grad(tape, step->out, row);
        float *dweights = tape_grad(tape, step->in2, row) + n_used;
        for (int i = 0; i < n_used; i++) {
            int at = order->at[row * n_used + i];
            float *to = tape_grad(tape, step->in, at);
            dweights[i] = k->dot(dy, tape_read(tape, step, 0, at), step->width);
            memcpy(to, dy, (size_t)step->width * sizeof *to);
            k->scale(weights[i], to, step->width);
        }
    }
}

enum jl_status cpu_grad_combine(struct backend_tape *tape, const struct step *step,
                                struct jl_error *err) {
    JL_TRY(cpu_experts_again(tape, step, step->from[1], err));
    tape_blocks(tape, step, tape_rows(tape, step), 0, combine_block);
    tape->has[step->in] = tape->has[step->in2] = true;
    return JL_OK;
}

/* ---- experts ---- */

struct experts_call {
    struct backend_tape *tape;
    const struct step *step;
    float *dw;   // of all experts; NULL: not wanted
    bool add_dw; // or else written
    bool add_dx;
    enum reg_id in; // whose gradient
};

static void expert_item(void *ctx, int item, int thread) {
    const struct experts_call *call = ctx;
    struct backend_tape *tape = call->tape;
    const struct step *step = call->step;
    const struct expert_order *order = &tape->frame->order;
    int first = order->first[item], id = order->ids[item];
    size_t size = (size_t)step->w.n_out * (size_t)step->w.n_in;
    struct linear_grad g = {
        .w = &step->w,
        .expert = id,
        .xfmt = step->xfmt == XFMT_BF16 ? XFMT_BF16 : XFMT_F32,
        .dy = tape_grad(tape, step->out, first),
        .dy_stride = tape->grad_stride[step->out] / sizeof(float),
        .n_rows = order->first[item + 1] - first,
        .dx = tape_grad(tape, call->in, first),
        .dx_stride = tape->grad_stride[call->in] / sizeof(float),
    };
    uint8_t *memory = (uint8_t *)tape_thread_temp(tape, thread);
    size_t dx_row = xrow_layout(XFMT_F32, step->w.n_in).bytes;
    float *dw = (float *)(void *)memory, *dx = NULL;
    memory += (size * sizeof *dw + 63) / 64 * 64;
    if (call->add_dx) {
        dx = (float *)(void *)memory;
        memory += (size_t)g.n_rows * dx_row;
        g.dx = dx;
        g.dx_stride = dx_row / sizeof *dx;
    }
    if (call->dw) {
        g.x = tape_value(tape, step->from[0], first);
        g.x_stride = tape->values[step->from[0]].stride;
        g.dw = call->add_dw ? dw : call->dw + (size_t)id * size;
    }
    cpu_linear_grad_here(tape, &g, memory);
    for (int r = 0; dx && r < g.n_rows; r++)
        tape->backend->kernels.add(dx + (size_t)r * g.dx_stride,
                                   tape_grad(tape, call->in, first + r), step->w.n_in);
    for (int o = 0; call->dw && call->add_dw && o < step->w.n_out; o++)
        tape->backend->kernels.add(dw + (size_t)o * (size_t)step->w.n_in,
                                   call->dw + (size_t)id * size + (size_t)o * (size_t)step->w.n_in,
                                   step->w.n_in);
}

size_t cpu_expert_grad_bytes(const struct backend *backend, const struct step *step, int n_rows) {
    return ((size_t)step->w.n_out * (size_t)step->w.n_in * sizeof(float) + 63) / 64 * 64 +
           (size_t)n_rows * xrow_layout(XFMT_F32, step->w.n_in).bytes +
           cpu_linear_grad_here_bytes(backend, step, n_rows);
}

/* Experts that no row has chosen have no gradient. */
static void clear_idle(struct backend_tape *tape, const struct step *step, float *dw) {
    const struct expert_order *order = &tape->frame->order;
    size_t size = (size_t)step->w.n_out * (size_t)step->w.n_in;
    for (int id = 0, active = 0; id < step->w.n_expert; id++) {
        if (active < order->n_active && order->ids[active] == id)
            active++;
        else
            memset(dw + (size_t)id * size, 0, size * sizeof *dw);
    }
}

enum jl_status cpu_grad_experts(struct backend_tape *tape, const struct step *step,
                                struct jl_error *err) {
    struct weight_grad *grad = &tape->grads[step->w.id];
    enum reg_id in = tape_grad_reg(tape, step, 0);
    struct experts_call call = {.tape = tape,
                                .step = step,
                                .dw = grad->data,
                                .add_dw = !grad->fresh,
                                .add_dx = tape->has[in],
                                .in = in};
    (void)err;
    if (grad->data && grad->fresh) clear_idle(tape, step, grad->data);
    pool_run(tape->backend->pool, tape->frame->order.n_active, expert_item, &call);
    grad->fresh = false;
    tape->has[in] = true;
    return JL_OK;
}

/* ---- dispatch and route ---- */

static void dispatch_block(struct backend_tape *tape, const struct step *step, int first, int end,
                           float *sums, int thread) {
    enum reg_id in = tape_grad_reg(tape, step, 0);
    const struct expert_order *order = &tape->frame->order;
    float *sum = tape_thread_temp(tape, thread);
    (void)sums;
    for (int row = first; row < end; row++) {
        for (int i = 0; i < order->n_used; i++)
            tape_put(tape, i > 0, tape_grad(tape, step->out, order->at[row * order->n_used + i]),
                     sum, step->width);
        tape_put(tape, tape->has[in], sum, tape_grad(tape, in, row), step->width);
    }
}

enum jl_status cpu_grad_dispatch(struct backend_tape *tape, const struct step *step,
                                 struct jl_error *err) {
    (void)err;
    tape_blocks(tape, step, tape_rows(tape, step), 0, dispatch_block);
    tape->has[tape_grad_reg(tape, step, 0)] = true;
    return JL_OK;
}

static void route_block(struct backend_tape *tape, const struct step *step, int first, int end,
                        float *sums, int thread) {
    int made = (int)(step - tape->plan.steps), n_used = step->moe->rule.n_used;
    float *temp = tape_thread_temp(tape, thread);
    (void)sums;
    for (int row = first; row < end; row++) {
        const struct route_grad_args args = {
            .rule = &step->moe->rule,
            .logits = tape_read(tape, step, 0, row),
            .ids = ids_of(tape, made, row),
            .dw = tape_grad(tape, step->out, row) + n_used,
            .dlogits = temp,
        };
        tape->backend->kernels.route_grad(&args);
        tape_put(tape, tape->has[step->in], temp, tape_grad(tape, step->in, row), step->width);
    }
}

enum jl_status cpu_grad_route(struct backend_tape *tape, const struct step *step,
                              struct jl_error *err) {
    (void)err;
    tape_blocks(tape, step, tape_rows(tape, step), 0, route_block);
    tape->has[step->in] = true;
    return JL_OK;
}
