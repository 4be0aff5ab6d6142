/* A frame: registers and scratch of one owner, and the walk over the plan. */
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/arena.h"
#include "kernel/fpenv.h"
#include "tensor/xrow.h"

size_t cpu_out_stride(const struct step *step) {
    if (step->out == REG_LOGITS) return (size_t)step->out_width * sizeof(float);
    enum xfmt form = step->op == OP_CONVERT ? step->xfmt : XFMT_F32;
    return xrow_layout(form, step->out_width).bytes;
}

static size_t step_scratch(const struct backend *backend, const struct step *step) {
    if (step->op == OP_LINEAR || step->op == OP_EXPERTS) return cpu_linear_scratch(backend, step);
    if (step->op == OP_LINEAR_ADD) return cpu_linear_add_scratch(backend, step);
    if (step->op == OP_ATTN) return cpu_attn_scratch(step);
    if (step->op == OP_ABSORB || step->op == OP_HEADS) return cpu_heads_scratch(backend, step);
    return 0;
}

static bool frame_layout(struct backend_frame *frame, size_t offset[REG_COUNT]) {
    size_t at = 0, bytes, most[REG_COUNT] = {0};
    for (int i = 0; i < frame->plan.n_step; i++) {
        const struct step *step = &frame->plan.steps[i];
        size_t row = cpu_out_stride(step) * (size_t)step->out_slots;
        if (row > most[step->out]) most[step->out] = row;
        size_t need = step_scratch(frame->backend, step);
        if (need > frame->scratch_stride) frame->scratch_stride = need;
    }
    for (int reg = REG_NONE + 1; reg < REG_COUNT; reg++) {
        if (most[reg] == 0 || reg == REG_LOGITS) continue;
        offset[reg] = at;
        if (!size_mul(most[reg], (size_t)frame->max_rows, &bytes)) return false;
        if (!size_add(at, bytes, &at)) return false;
    }
    frame->scratch_stride = (frame->scratch_stride + 63) & ~(size_t)63;
    offset[REG_LOGITS] = at; // where the scratch begins
    if (!size_mul(frame->scratch_stride, (size_t)backend_threads(frame->backend), &bytes))
        return false;
    return size_add(at, bytes, &frame->bytes);
}

enum jl_status backend_frame_size(struct backend *backend, const struct step_list *plan,
                                  int max_rows, size_t *bytes, struct jl_error *err) {
    struct backend_frame frame = {.backend = backend, .plan = *plan, .max_rows = max_rows};
    size_t offset[REG_COUNT] = {0};
    if (max_rows < 1 || !frame_layout(&frame, offset))
        return jl_fail(err, JL_ERR_LIMIT, "a frame of %d rows overflows", max_rows);
    *bytes = frame.bytes;
    return JL_OK;
}

/* Where each register begins: those that no step writes stay NULL. */
static void place_registers(struct backend_frame *frame, const size_t offset[REG_COUNT]) {
    for (int i = 0; i < frame->plan.n_step; i++) {
        enum reg_id out = frame->plan.steps[i].out;
        if (out != REG_NONE && out != REG_LOGITS) frame->reg[out] = frame->memory + offset[out];
    }
    frame->scratch = frame->memory + offset[REG_LOGITS];
}

enum jl_status backend_frame_create(struct backend *backend, const struct step_list *plan,
                                    int max_rows, struct backend_frame **out,
                                    struct jl_error *err) {
    size_t offset[REG_COUNT] = {0};
    struct backend_frame *frame = calloc(1, sizeof *frame);
    *out = NULL;
    if (!frame) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a frame");
    frame->backend = backend;
    frame->plan = *plan;
    frame->max_rows = max_rows;
    if (max_rows < 1 || !frame_layout(frame, offset)) {
        backend_frame_free(frame);
        return jl_fail(err, JL_ERR_LIMIT, "a frame of %d rows overflows", max_rows);
    }
    frame->memory = cpu_alloc_zeroed(frame->bytes);
    frame->blocks = calloc((size_t)max_rows, sizeof *frame->blocks);
    frame->groups = cpu_find_groups(plan);
    if (!frame->memory || !frame->blocks || !frame->groups ||
        !cpu_expert_order_create(plan, max_rows, &frame->order)) {
        size_t bytes = frame->bytes;
        backend_frame_free(frame);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory: %d rows of scratch need %zu bytes",
                       max_rows, bytes);
    }
    place_registers(frame, offset);
    *out = frame;
    return JL_OK;
}

void backend_frame_free(struct backend_frame *frame) {
    if (!frame) return;
    free(frame->memory);
    free(frame->blocks);
    free(frame->groups);
    cpu_expert_order_free(&frame->order);
    free(frame);
}

size_t backend_frame_bytes(const struct backend_frame *frame) { return frame->bytes; }

static cpu_op_fn *const op_bodies[] = {
#define BODY_APART(name) cpu_run_rows
#define BODY_GATHERED(name) cpu_op_##name
#define BODY_TOGETHER(name) cpu_op_##name
#define X(id, name, n_in, out, weight, save, cost, rows) BODY_##rows(name),
    OP_LIST(X)
#undef X
};

enum jl_status cpu_run_step(struct backend_frame *frame, const struct step *step,
                            struct jl_error *err) {
    return op_bodies[step->op](frame, step, err);
}

bool cpu_frame_single(struct backend_frame *frame) {
    struct step_group *groups = cpu_single_groups(&frame->plan);
    if (!groups) return false;
    free(frame->groups);
    frame->groups = groups;
    return true;
}

/* A step that writes over what it reads keeps its shape. */
static void shape_output(struct backend_frame *frame, const struct step *step) {
    if (op_row(step->op)->out != OUT_WRITES) return;
    frame->stride[step->out] = cpu_out_stride(step);
    frame->slots[step->out] = step->out_slots;
}

static enum jl_status run_steps(struct backend_frame *frame, struct jl_error *err) {
    const struct batch *batch = frame->batch;
    int layer = -1;
    for (int i = 0; i < frame->plan.n_step && frame->n_row > 0; i++) {
        const struct step *step = &frame->plan.steps[i];
        if (step->layer != layer && batch->cancel && atomic_load(batch->cancel))
            return jl_fail(err, JL_ERR_CANCELLED, "cancelled before layer %d", step->layer);
        layer = step->layer;
        const struct step_group *group = &frame->groups[i];
        if (group->n == GROUP_DONE) continue;
        shape_output(frame, step);
        for (int m = 1; m < group->n; m++)
            shape_output(frame, group->member[m]);
        JL_TRY(cpu_run_step(frame, step, err));
    }
    return JL_OK;
}

enum jl_status backend_frame_run(struct backend_frame *frame, const struct batch *batch,
                                 float *logits, struct jl_error *err) {
    struct fpenv saved;
    frame->batch = batch;
    frame->n_row = batch->n_row;
    atomic_store(&frame->fault, CPU_NO_FAULT);
    frame->reg[REG_LOGITS] = (uint8_t *)logits;
    fpenv_enter(&saved);
    enum jl_status status = run_steps(frame, err);
    fpenv_leave(&saved);
    frame->batch = NULL;
    frame->reg[REG_LOGITS] = NULL;
    return status;
}

int cpu_cut_blocks(struct backend_frame *frame, int most) {
    const struct batch_row *rows = frame->batch->rows;
    int n_block = 0;
    for (int row = 0; row < frame->n_row;) {
        int n = 1;
        while (n < most && row + n < frame->n_row && rows[row + n].seq == rows[row].seq)
            n++;
        frame->blocks[n_block++] = (struct row_block){row, n};
        row += n;
    }
    return n_block;
}

/* ---- bodies ---- */

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void backend_frame_bodies(const struct backend_frame *frame,
                          void (*each)(void *ctx, const char *name), void *ctx) {
    const struct kernel_table *k = &frame->backend->kernels;
    const char *names[LINEAR_KIND_COUNT * DTYPE_COUNT * XFMT_COUNT + ATTN_COUNT + KSLOT_ROW_COUNT];
    size_t n = 0;
    for (enum linear_kind kind = LINEAR_GEMV; kind < LINEAR_KIND_COUNT; kind++)
        for (enum dtype w = 0; w < DTYPE_COUNT; w++)
            for (enum xfmt x = 0; x < XFMT_COUNT; x++)
                if (frame->ran.linear[kind][w][x])
                    names[n++] = kernel_linear_of(k, kind, w, x)->name;
    for (int i = 0; i < ATTN_COUNT; i++)
        if (frame->ran.attn[i]) names[n++] = k->attn_chunk_name[i];
    for (int i = 0; i < KSLOT_ROW_COUNT; i++)
        if (frame->ran.row[i]) names[n++] = k->row_name[i];
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(names[i], names[i - 1])) each(ctx, names[i]);
}
