/* A matrix a head, or one for all: absorbing the keys' projection into queries, the values'
 * projection behind latent attention, and what an adapter adds to either. An item is a head, or
 * some outputs of one where there are few. */
#include <string.h>

#include "backend/cpu/cpu.h"

struct heads_call {
    struct backend_frame *frame;
    const struct step *step;
    const struct linear_body *body; // NULL: from the other side
    int n_out;                      // of a head
    int items, per_item;            // items of a head, outputs of each
};

/* Several items a thread, so that a delayed thread leaves little behind. */
#define ITEMS_PER_THREAD 4

/* Where the outputs of a head stand in row 0, and floats from there to the next row's. */
static float *head_out(const struct heads_call *call, int head, size_t *row_floats) {
    const struct backend_frame *frame = call->frame;
    enum reg_id out = call->step->out;
    *row_floats = frame->stride[out] / sizeof(float) * (size_t)frame->slots[out];
    return cpu_head_f32(frame, out, 0, head, call->n_out);
}

static void run_linear(const struct heads_call *call, int head, int out0, int out1, int thread) {
    const struct backend_frame *frame = call->frame;
    const struct step *step = call->step;
    size_t x_row = frame->stride[step->in] * (size_t)frame->slots[step->in], y_row;
    int row0 = head * step->heads.rows + step->heads.row0; // of w: output 0 of this head
    float *y = head_out(call, head, &y_row);
    struct linear_args args = {
        .w = step->w.data,
        .w_stride = step->w.stride,
        .n_in = step->w.n_in,
        .scale = step->w.scale,
        .scale_stride = step->w.scale_stride,
        .x = frame->reg[step->in] + (size_t)head * frame->stride[step->in],
        .x_stride = x_row,
        .n_rows = frame->n_row,
        .out0 = row0 + out0,
        .out1 = row0 + out1,
        // Bodies count outputs from w's first row on, because a block of scales may cover several
        // heads: y is where that row's output would stand.
        .y = (float *)((uintptr_t)y - (size_t)row0 * sizeof *y),
        .y_stride = y_row,
        .scratch = cpu_scratch(frame, thread),
    };
    call->body->run(&args);
}

static void run_transposed(const struct heads_call *call, int head, int out0, int out1,
                           int thread) {
    const struct backend_frame *frame = call->frame;
    const struct step *step = call->step;
    size_t x_row = frame->stride[step->in] * (size_t)frame->slots[step->in], y_row;
    float *y = head_out(call, head, &y_row);
    struct linear_t_args args = {
        .w = step->w.data,
        .w_stride = step->w.stride,
        .dtype = step->w.dtype,
        .scale = step->w.scale,
        .scale_stride = step->w.scale_stride,
        .row0 = head * step->heads.rows + step->heads.row0,
        .n_in = step->heads.taken,
        .out0 = out0,
        .out1 = out1,
        .x = cpu_head_f32(frame, step->in, 0, head, step->width),
        .x_stride = x_row / sizeof(float),
        .n_rows = frame->n_row,
        .y = y,
        .y_stride = y_row,
        .scratch = cpu_scratch(frame, thread),
    };
    frame->backend->kernels.linear_t(&args);
}

/* The rotary part of each query goes behind what its head has absorbed. */
static void copy_tails(const struct heads_call *call, int head) {
    const struct backend_frame *frame = call->frame;
    const struct step *step = call->step;
    const struct heads_spec *heads = &step->heads;
    for (int row = 0; row < frame->n_row; row++)
        memcpy(cpu_head_f32(frame, step->out, row, head, step->out_width) + call->n_out,
               cpu_head_f32(frame, step->in2, row, head, heads->tail_at + heads->tail) +
                   heads->tail_at,
               (size_t)heads->tail * sizeof(float));
}

static void run_item(void *ctx, int item, int thread) {
    const struct heads_call *call = ctx;
    int head = item / call->items, out0 = item % call->items * call->per_item;
    int out1 = out0 + call->per_item < call->n_out ? out0 + call->per_item : call->n_out;
    if (call->body)
        run_linear(call, head, out0, out1, thread);
    else
        run_transposed(call, head, out0, out1, thread);
    if (call->step->op == OP_ABSORB && out0 == 0) copy_tails(call, head);
}

static enum jl_status run(struct backend_frame *frame, const struct step *step) {
    const struct kernel_table *k = &frame->backend->kernels;
    enum dtype w = step->w.dtype;
    if (frame->observer) cpu_observe_heads(frame, step);
    struct heads_call call = {.frame = frame, .step = step};
    int tile = LINEAR_T_COLUMNS;
    call.n_out = step->heads.transposed ? step->w.n_in : step->heads.taken;
    if (step->heads.transposed) {
        frame->ran.row[KSLOT_linear_t] = true;
    } else {
        call.body = kernel_linear(k, w, step->xfmt, frame->n_row);
        tile = call.body->tile;
        cpu_note_linear(frame, step, frame->n_row);
    }
    int n = step->heads.n, n_tile = (call.n_out + tile - 1) / tile;
    int threads = backend_threads(frame->backend);
    int wanted = threads == 1 ? 1 : (threads * ITEMS_PER_THREAD + n - 1) / n;
    int tiles_per_item = (n_tile + wanted - 1) / wanted;
    call.per_item = tiles_per_item * tile;
    call.items = (n_tile + tiles_per_item - 1) / tiles_per_item;
    pool_run(frame->backend->pool, n * call.items, run_item, &call);
    return JL_OK;
}

enum jl_status cpu_op_absorb(struct backend_frame *frame, const struct step *step,
                             struct jl_error *err) {
    (void)err;
    return run(frame, step);
}

enum jl_status cpu_op_heads(struct backend_frame *frame, const struct step *step,
                            struct jl_error *err) {
    (void)err;
    return run(frame, step);
}

size_t cpu_heads_scratch(const struct backend *backend, const struct step *step) {
    if (step->heads.transposed) return LINEAR_T_SCRATCH;
    return kernel_linear_scratch(&backend->kernels, step->w.dtype, step->xfmt, step->w.n_in);
}
