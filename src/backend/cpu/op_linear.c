/* The linear op: outputs are shared out over the threads; no chain is ever divided. */
#include "backend/cpu/cpu.h"

struct linear_call {
    const struct backend_frame *frame;
    const struct step *step;
    const struct linear_body *body;
    int per_item; // outputs an item
};

static void run_item(void *ctx, int item, int thread) {
    const struct linear_call *call = ctx;
    const struct backend_frame *frame = call->frame;
    const struct step *step = call->step;
    int out0 = item * call->per_item, out1 = out0 + call->per_item;
    struct linear_args args = {
        .w = step->w.data,
        .w_stride = step->w.stride,
        .n_in = step->w.n_in,
        .scale = step->w.scale,
        .scale_stride = step->w.scale_stride,
        .x = frame->reg[step->in],
        .x_stride = frame->stride[step->in],
        .n_rows = frame->n_row * step->slots,
        .out0 = out0,
        .out1 = out1 < step->w.n_out ? out1 : step->w.n_out,
        .y = cpu_row_f32(frame, step->out, 0),
        .y_stride = frame->stride[step->out] / sizeof(float),
        .scratch = cpu_scratch(frame, thread),
    };
    call->body->run(&args);
}

/* Several items a thread, so that a delayed thread leaves little behind. */
#define ITEMS_PER_THREAD 4

enum jl_status cpu_op_linear(struct backend_frame *frame, const struct step *step,
                             struct jl_error *err) {
    (void)err;
    if (frame->observer) cpu_observe_linear(frame, step);
    struct backend *backend = frame->backend;
    enum dtype w = step->w.dtype;
    const struct linear_body *body =
        kernel_linear(&backend->kernels, w, step->xfmt, frame->n_row * step->slots);
    int tile = body->tile > 0 ? body->tile : 1;
    int n_tile = (step->w.n_out + tile - 1) / tile;
    int wanted = backend_threads(backend) == 1 ? 1 : backend_threads(backend) * ITEMS_PER_THREAD;
    int tiles_per_item = (n_tile + wanted - 1) / wanted;
    struct linear_call call = {frame, step, body, tiles_per_item * tile};
    if (body == backend->kernels.gemm[w][step->xfmt])
        frame->ran.gemm[w][step->xfmt] = true;
    else
        frame->ran.gemv[w][step->xfmt] = true;
    pool_run(backend->pool, (n_tile + tiles_per_item - 1) / tiles_per_item, run_item, &call);
    return JL_OK;
}

size_t cpu_linear_scratch(const struct backend *backend, const struct step *step) {
    return kernel_linear_scratch(&backend->kernels, step->w.dtype, step->xfmt, step->w.n_in);
}
