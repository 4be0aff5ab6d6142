/* Observers: they see a matrix's input as it was before it was rounded to the step's form. */
#include "backend/cpu/cpu.h"

void backend_frame_observe(struct backend_frame *frame, const struct backend_observer *observer) {
    frame->observer = observer;
}

/* Where the step's input stands in f32. The plan makes a conversion anew once its source is written
 * to, so the source of the last one is as it was. */
static enum reg_id source(const struct backend_frame *frame, const struct step *step) {
    if (step->xfmt == XFMT_F32) return step->in;
    for (const struct step *s = step; s-- > frame->plan.steps;)
        if (s->op == OP_CONVERT && s->out == step->in) return s->in;
    return REG_NONE;
}

static void show(const struct backend_frame *frame, const struct step *step, int expert, int first,
                 int n) {
    enum reg_id reg = source(frame, step);
    if (reg == REG_NONE) return;
    struct linear_view view = {
        .step = step,
        .matrix = expert,
        .x = cpu_row_f32(frame, reg, first),
        .stride = frame->stride[reg] / sizeof(float),
        .n = n,
    };
    frame->observer->linear(frame->observer->ctx, &view);
}

void cpu_observe_linear(const struct backend_frame *frame, const struct step *step) {
    show(frame, step, 0, 0, frame->n_row * step->slots);
}

void cpu_observe_experts(const struct backend_frame *frame, const struct step *step) {
    const struct expert_order *order = &frame->order;
    for (int i = 0; i < order->n_active; i++)
        show(frame, step, order->ids[i], order->first[i], order->first[i + 1] - order->first[i]);
}

/* From the other side of a matrix its columns are the outputs: there is nothing to see. */
void cpu_observe_heads(const struct backend_frame *frame, const struct step *step) {
    enum reg_id reg = source(frame, step);
    if (reg == REG_NONE || step->heads.transposed) return;
    for (int head = 0; head < step->heads.n; head++) {
        struct linear_view view = {
            .step = step,
            .matrix = backend_heads_apart(step) ? head : 0,
            .x = cpu_head_f32(frame, reg, 0, head, step->w.n_in),
            .stride = frame->stride[reg] / sizeof(float) * (size_t)frame->slots[reg],
            .n = frame->n_row,
        };
        frame->observer->linear(frame->observer->ctx, &view);
    }
}
