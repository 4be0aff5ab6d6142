/* The linear op: outputs are shared out over the threads; no chain is ever divided. Matrices with
 * the same input are one region, and what is made of two of them is finished in it (group.c). */
#include "backend/cpu/cpu.h"

struct linear_call {
    const struct backend_frame *frame;
    const struct step_group *group;
    const struct linear_body *body[GROUP_MOST];
    int per_item[GROUP_MOST];  // outputs an item
    int first[GROUP_MOST + 1]; // items before each matrix's own
};

static int least(int a, int b) { return a < b ? a : b; }

static void run_part(const struct linear_call *call, int which, int out0, int out1, int thread) {
    const struct backend_frame *frame = call->frame;
    const struct step *step = call->group->member[which];
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
        .out1 = out1,
        .y = cpu_row_f32(frame, step->out, 0),
        .y_stride = frame->stride[step->out] / sizeof(float),
        .scratch = cpu_scratch(frame, thread),
    };
    call->body[which]->run(&args);
}

/* An item is a part of one matrix; before an activation, that part of both. */
static void run_item(void *ctx, int item, int thread) {
    const struct linear_call *call = ctx;
    const struct step_group *group = call->group;
    int which = 0;
    while (item >= call->first[which + 1])
        which++;
    int n_out = group->member[which]->w.n_out;
    int out0 = (item - call->first[which]) * call->per_item[which];
    int out1 = least(out0 + call->per_item[which], n_out);
    run_part(call, which, out0, out1, thread);
    if (!group->act) return;
    run_part(call, 1, out0, out1, thread);
    cpu_activate(call->frame, group->act, 0, call->frame->n_row * group->act->slots, out0, out1);
}

/* Items of a region: so many a thread, and so many multiplications each at most (one or two
 * milliseconds, below a time slice of the system). */
#define ITEMS_PER_THREAD 4
#define ITEM_WORK 300e6

int cpu_part_outputs(const struct backend *backend, int n_out, int tile, int n_in, int n_rows,
                     int n_part) {
    int threads = backend_threads(backend), n_tile = (n_out + tile - 1) / tile;
    int wanted = threads == 1 ? 1 : threads * ITEMS_PER_THREAD;
    int64_t all = (int64_t)n_tile * n_part, tiles = (all + wanted - 1) / wanted;
    double most = ITEM_WORK / ((double)tile * n_in * n_rows);
    if (threads > 1 && (double)tiles > most) tiles = most < 1 ? 1 : (int64_t)most;
    return (int)(tiles < n_tile ? tiles : n_tile) * tile;
}

void cpu_note_linear(struct backend_frame *frame, const struct step *step, int n_rows) {
    enum dtype w = step->w.dtype;
    enum linear_kind kind = kernel_linear_kind(&frame->backend->kernels, w, step->xfmt, n_rows);
    frame->ran.linear[kind][w][step->xfmt] = true;
}

int cpu_group_tile(const struct backend_frame *frame, const struct step_group *group, int n_rows) {
    int tile = 1;
    for (int m = 0; m < group->n; m++) {
        const struct step *step = group->member[m];
        int own = kernel_linear(&frame->backend->kernels, step->w.dtype, step->xfmt, n_rows)->tile;
        if (own > tile) tile = own;
    }
    return tile;
}

enum jl_status cpu_op_linear(struct backend_frame *frame, const struct step *step,
                             struct jl_error *err) {
    (void)err;
    const struct step_group *group = cpu_group(frame, step);
    struct linear_call call = {.frame = frame, .group = group};
    int n_rows = frame->n_row * step->slots, tile = cpu_group_tile(frame, group, n_rows);
    for (int m = 0; m < group->n; m++) {
        const struct step *member = group->member[m];
        if (frame->observer) cpu_observe_linear(frame, member);
        cpu_note_linear(frame, member, n_rows);
        call.body[m] = kernel_linear(&frame->backend->kernels, member->w.dtype, step->xfmt, n_rows);
    }
    int n_cut = group->act ? 1 : group->n, n_out = 0;
    for (int m = 0; m < n_cut; m++)
        n_out += group->member[m]->w.n_out;
    int part = cpu_part_outputs(frame->backend, n_out, tile, step->w.n_in, n_rows, 1);
    for (int m = 0; m < n_cut; m++) {
        call.per_item[m] = part;
        call.first[m + 1] = call.first[m] + (group->member[m]->w.n_out + part - 1) / part;
    }
    if (group->act) frame->ran.row[KSLOT_silu_mul] = true;
    pool_run(frame->backend->pool, call.first[n_cut], run_item, &call);
    return JL_OK;
}

/* ---- onto what is there ---- */

/* Products of some rows and outputs at a time stand in the thread's scratch. */
#define ADD_ROWS 16
#define ADD_OUTPUTS 512

struct add_call {
    struct backend_frame *frame;
    const struct step *step;
    const struct linear_body *body;
    int per_item; // outputs an item
};

static void add_item(void *ctx, int item, int thread) {
    const struct add_call *call = ctx;
    const struct backend_frame *frame = call->frame;
    const struct step *step = call->step;
    int out0 = item * call->per_item, out1 = least(out0 + call->per_item, step->w.n_out);
    int n_rows = frame->n_row * step->slots;
    float *products = (float *)(void *)cpu_scratch(frame, thread);
    struct linear_args args = {
        .w = step->w.data,
        .w_stride = step->w.stride,
        .n_in = step->w.n_in,
        .scale = step->w.scale,
        .scale_stride = step->w.scale_stride,
        .x_stride = frame->stride[step->in],
        .out0 = out0,
        .out1 = out1,
        // Bodies count outputs from w's first row on.
        .y = (float *)((uintptr_t)products - (size_t)out0 * sizeof *products),
        .y_stride = ADD_OUTPUTS,
        .scratch = (uint8_t *)(products + ADD_ROWS * ADD_OUTPUTS),
    };
    for (int row = 0; row < n_rows; row += ADD_ROWS) {
        args.x = frame->reg[step->in] + (size_t)row * frame->stride[step->in];
        args.n_rows = least(ADD_ROWS, n_rows - row);
        call->body->run(&args);
        for (int r = 0; r < args.n_rows; r++)
            frame->backend->kernels.add(products + (size_t)r * ADD_OUTPUTS,
                                        cpu_row_f32(frame, step->out, row + r) + out0, out1 - out0);
    }
}

enum jl_status cpu_op_linear_add(struct backend_frame *frame, const struct step *step,
                                 struct jl_error *err) {
    (void)err;
    int n_rows = least(frame->n_row * step->slots, ADD_ROWS);
    struct add_call call = {.frame = frame, .step = step};
    call.body = kernel_linear(&frame->backend->kernels, step->w.dtype, step->xfmt, n_rows);
    int tile = call.body->tile;
    call.per_item = least(cpu_part_outputs(frame->backend, step->w.n_out, tile, step->w.n_in,
                                           frame->n_row * step->slots, 1),
                          ADD_OUTPUTS / tile * tile);
    if (frame->observer) cpu_observe_linear(frame, step);
    cpu_note_linear(frame, step, n_rows);
    frame->ran.row[KSLOT_add] = true;
    pool_run(frame->backend->pool, (step->w.n_out + call.per_item - 1) / call.per_item, add_item,
             &call);
    return JL_OK;
}

size_t cpu_linear_add_scratch(const struct backend *backend, const struct step *step) {
    return ADD_ROWS * ADD_OUTPUTS * sizeof(float) + cpu_linear_scratch(backend, step);
}

size_t cpu_linear_scratch(const struct backend *backend, const struct step *step) {
    return kernel_linear_scratch(&backend->kernels, step->w.dtype, step->xfmt, step->w.n_in);
}
