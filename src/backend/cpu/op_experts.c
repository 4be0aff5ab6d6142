/* Mixtures of experts: rows are routed, brought into the order of their experts, pass through each
 * expert's matrices together, and are added up again in the order in which they were chosen. A
 * row's bits do not depend on who shares an expert with it. */
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"

/* ---- memory ---- */

bool cpu_expert_order_create(const struct step_list *plan, int max_rows, struct expert_order *out) {
    int n_expert = 0, n_used = 0;
    for (int i = 0; i < plan->n_step; i++) {
        if (!plan->steps[i].moe) continue;
        const struct route_rule *rule = &plan->steps[i].moe->rule;
        if (rule->n_expert > n_expert) n_expert = rule->n_expert;
        if (rule->n_used > n_used) n_used = rule->n_used;
    }
    if (n_expert == 0) return true;
    size_t n = (size_t)n_expert;
    out->at = calloc((size_t)max_rows, (size_t)n_used * sizeof *out->at);
    out->row = calloc((size_t)max_rows, (size_t)n_used * sizeof *out->row);
    out->ids = calloc(n, sizeof *out->ids);
    out->first = calloc(n + 1, sizeof *out->first);
    out->count = calloc(n, sizeof *out->count);
    out->views = calloc(n, sizeof *out->views);
    return out->at && out->row && out->ids && out->first && out->count && out->views;
}

void cpu_expert_order_free(struct expert_order *order) {
    free(order->at);
    free(order->row);
    free(order->ids);
    free(order->first);
    free(order->count);
    free(order->views);
}

/* ---- route ---- */

/* A row of REG_S: n_used ids, then n_used weights. */
static int32_t *chosen_ids(const struct backend_frame *frame, enum reg_id reg, int row) {
    return (int32_t *)(void *)cpu_row_f32(frame, reg, row);
}

void cpu_row_route(struct backend_frame *frame, const struct step *step, int row) {
    const struct route_args args = {
        .rule = &step->moe->rule,
        .logits = cpu_row_f32(frame, step->in, row),
        .bias = (const float *)(const void *)step->w.data,
        .ids = chosen_ids(frame, step->out, row),
        .weights = cpu_row_f32(frame, step->out, row) + step->moe->rule.n_used,
    };
    frame->backend->kernels.route(&args);
}

/* ---- dispatch ---- */

static const int32_t *ids_at(const uint8_t *chosen, size_t stride, int row) {
    return (const int32_t *)(const void *)(chosen + (size_t)row * stride);
}

/* Counts the rows of each expert, then deals out places: expert after expert, row after row. */
enum jl_status cpu_order_experts(struct backend_frame *frame, const struct step *step,
                                 const uint8_t *chosen, size_t stride, struct jl_error *err) {
    const struct route_rule *rule = &step->moe->rule;
    const struct expert_store *store = step->moe->store;
    struct expert_order *order = &frame->order;
    int32_t at = 0;
    order->n_used = rule->n_used;
    order->n_active = 0;
    memset(order->count, 0, (size_t)rule->n_expert * sizeof *order->count);
    for (int row = 0; row < frame->n_row; row++)
        for (int k = 0; k < rule->n_used; k++)
            order->count[ids_at(chosen, stride, row)[k]]++;
    for (int id = 0; id < rule->n_expert; id++) {
        if (order->count[id] == 0) continue;
        order->ids[order->n_active] = id;
        order->first[order->n_active++] = at;
        at += order->count[id];
        order->count[id] = at - order->count[id]; // from here on: the next free place
    }
    order->first[order->n_active] = at;
    for (int row = 0; row < frame->n_row; row++)
        for (int k = 0; k < rule->n_used; k++) {
            int32_t place = order->count[ids_at(chosen, stride, row)[k]]++;
            order->at[row * rule->n_used + k] = place;
            order->row[place] = row;
        }
    return store->acquire(store, step->layer, order->ids, order->n_active, order->views, err);
}

struct dispatch_call {
    const struct backend_frame *frame;
    const struct step *step;
};

static void dispatch_row(void *ctx, int row, int thread) {
    const struct dispatch_call *call = ctx;
    const struct backend_frame *frame = call->frame;
    const struct step *step = call->step;
    const struct expert_order *order = &frame->order;
    (void)thread;
    for (int k = 0; k < order->n_used; k++)
        memcpy(cpu_row_f32(frame, step->out, order->at[row * order->n_used + k]),
               cpu_row_f32(frame, step->in, row), (size_t)step->width * sizeof(float));
}

enum jl_status cpu_op_dispatch(struct backend_frame *frame, const struct step *step,
                               struct jl_error *err) {
    JL_TRY(cpu_order_experts(frame, step, frame->reg[step->in2], frame->stride[step->in2], err));
    if (cpu_in_place(frame, step)) return JL_OK;
    struct dispatch_call call = {frame, step};
    pool_run(frame->backend->pool, frame->n_row, dispatch_row, &call);
    return JL_OK;
}

/* ---- experts ---- */

struct experts_call {
    const struct backend_frame *frame;
    const struct step_group *group;
    int n_cut; // matrices that items are parts of: all of the group, or before an activation one
    int items_per_matrix;
};

/* Where the active expert's matrix is, and its scales. */
static const uint8_t *matrix_of(const struct expert_order *order, const struct step *step,
                                int active, const float **scale) {
    const struct expert_view *view = &order->views[active];
    *scale = step->part == EXPERT_APART ? NULL : view->scale[step->part];
    return step->part == EXPERT_APART ? step->w.experts[order->ids[active]]
                                      : view->part[step->part];
}

/* Outputs out0..out1-1 of a matrix of the active expert. */
static void run_part(const struct backend_frame *frame, const struct step *step, int active,
                     int out0, int out1, int thread) {
    const struct expert_order *order = &frame->order;
    int first = order->first[active], n_rows = order->first[active + 1] - first;
    const struct step *dispatch = cpu_in_place(frame, step);
    enum reg_id in = dispatch && step->in == dispatch->out ? dispatch->in : step->in;
    const float *scale;
    const uint8_t *matrix = matrix_of(order, step, active, &scale);
    struct linear_args args = {
        .w = matrix,
        .w_stride = step->w.stride,
        .n_in = step->w.n_in,
        .scale = scale,
        .scale_stride = step->w.scale_stride,
        .x = frame->reg[in] + (dispatch ? 0 : (size_t)first * frame->stride[in]),
        .x_stride = frame->stride[in],
        .x_rows = dispatch ? order->row + first : NULL,
        .n_rows = n_rows,
        .out0 = out0,
        .out1 = out1,
        .y = cpu_row_f32(frame, step->out, first),
        .y_stride = frame->stride[step->out] / sizeof(float),
        .scratch = cpu_scratch(frame, thread),
    };
    kernel_linear(&frame->backend->kernels, step->w.dtype, step->xfmt, n_rows)->run(&args);
}

static void run_item(void *ctx, int item, int thread) {
    const struct experts_call *call = ctx;
    const struct backend_frame *frame = call->frame;
    const struct step_group *group = call->group;
    const struct expert_order *order = &frame->order;
    int matrix = item / call->items_per_matrix, part = item % call->items_per_matrix;
    int active = matrix / call->n_cut, first = order->first[active];
    int n_rows = order->first[active + 1] - first, tile = cpu_group_tile(frame, group, n_rows);
    const struct step *step = group->member[matrix % call->n_cut];
    int n_tile = (step->w.n_out + tile - 1) / tile;
    int per_item = (n_tile + call->items_per_matrix - 1) / call->items_per_matrix * tile;
    int out0 = part * per_item, out1 = out0 + per_item;
    if (out0 >= step->w.n_out) return;
    if (out1 > step->w.n_out) out1 = step->w.n_out;
    run_part(frame, step, active, out0, out1, thread);
    if (!group->act) return;
    run_part(frame, group->member[1], active, out0, out1, thread);
    cpu_activate(frame, group->act, first, n_rows, out0, out1);
}

/* Parts of a matrix: of the expert with most rows none is too long. */
static int parts(const struct backend_frame *frame, const struct step_group *group, int n_cut) {
    const struct expert_order *order = &frame->order;
    const struct step *step = group->member[0];
    int most = 0;
    for (int i = 0; i < order->n_active; i++)
        if (order->first[i + 1] - order->first[i] > most)
            most = order->first[i + 1] - order->first[i];
    int part = cpu_part_outputs(frame->backend, step->w.n_out, cpu_group_tile(frame, group, most),
                                step->w.n_in, most, order->n_active * n_cut);
    return (step->w.n_out + part - 1) / part;
}

enum jl_status cpu_op_experts(struct backend_frame *frame, const struct step *step,
                              struct jl_error *err) {
    (void)err;
    const struct step_group *group = cpu_group(frame, step);
    const struct expert_order *order = &frame->order;
    struct experts_call call = {frame, group, group->act ? 1 : group->n, 0};
    for (int m = 0; m < group->n; m++) {
        if (frame->observer) cpu_observe_experts(frame, group->member[m]);
        for (int i = 0; i < order->n_active; i++)
            cpu_note_linear(frame, group->member[m], order->first[i + 1] - order->first[i]);
    }
    if (group->act) frame->ran.row[KSLOT_silu_mul] = true;
    call.items_per_matrix = parts(frame, group, call.n_cut);
    pool_run(frame->backend->pool, order->n_active * call.n_cut * call.items_per_matrix, run_item,
             &call);
    return JL_OK;
}

/* ---- combine ---- */

void cpu_row_combine(struct backend_frame *frame, const struct step *step, int row) {
    const struct expert_order *order = &frame->order;
    const float *weights = cpu_row_f32(frame, step->in2, row) + order->n_used;
    float *out = cpu_row_f32(frame, step->out, row);
    memset(out, 0, (size_t)step->width * sizeof *out);
    for (int k = 0; k < order->n_used; k++)
        frame->backend->kernels.add_scaled(
            weights[k], cpu_row_f32(frame, step->in, order->at[row * order->n_used + k]), out,
            step->width);
}

enum jl_status cpu_op_combine(struct backend_frame *frame, const struct step *step,
                              struct jl_error *err) {
    const struct expert_store *store = step->moe->store;
    enum jl_status status = cpu_run_rows(frame, step, err); // and what follows in its run
    store->release(store, step->layer, frame->order.ids, frame->order.n_active);
    return status;
}
