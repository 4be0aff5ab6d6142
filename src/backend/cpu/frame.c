/* A frame: registers and scratch of one owner, and the walk over the plan. */
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/arena.h"
#include "kernel/fpenv.h"
#include "tensor/xrow.h"

static enum xfmt reg_form(enum reg_id reg) {
    switch (reg) {
    case REG_C_BF16: return XFMT_BF16;
    case REG_C_Q8_32: return XFMT_Q8_32;
    case REG_C_Q8_256: return XFMT_Q8_256;
    default: return XFMT_F32;
    }
}

static size_t step_scratch(const struct backend *backend, const struct step *step) {
    if (step->op == OP_LINEAR) return cpu_linear_scratch(backend, step);
    if (step->op == OP_ATTN) return cpu_attn_scratch(step);
    return 0;
}

static bool frame_layout(struct backend_frame *frame, size_t offset[REG_COUNT]) {
    size_t at = 0, rows_bytes;
    for (int reg = 0; reg < REG_COUNT; reg++) {
        int width = frame->plan.reg_width[reg];
        if (width == 0 || reg == REG_LOGITS) continue;
        frame->stride[reg] = xrow_layout(reg_form((enum reg_id)reg), width).bytes;
        offset[reg] = at;
        if (!size_mul(frame->stride[reg], (size_t)frame->max_rows, &rows_bytes)) return false;
        if (!size_add(at, rows_bytes, &at)) return false;
    }
    for (int i = 0; i < frame->plan.n_step; i++) {
        size_t need = step_scratch(frame->backend, &frame->plan.steps[i]);
        if (need > frame->scratch_stride) frame->scratch_stride = need;
    }
    frame->scratch_stride = (frame->scratch_stride + 63) & ~(size_t)63;
    offset[REG_LOGITS] = at; // where the scratch begins
    if (!size_mul(frame->scratch_stride, (size_t)backend_threads(frame->backend), &rows_bytes))
        return false;
    return size_add(at, rows_bytes, &frame->bytes);
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
    if (!frame->memory || !frame->blocks) {
        size_t bytes = frame->bytes;
        backend_frame_free(frame);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory: %d rows of scratch need %zu bytes",
                       max_rows, bytes);
    }
    for (int reg = 0; reg < REG_COUNT; reg++)
        if (frame->stride[reg]) frame->reg[reg] = frame->memory + offset[reg];
    frame->scratch = frame->memory + offset[REG_LOGITS];
    *out = frame;
    return JL_OK;
}

void backend_frame_free(struct backend_frame *frame) {
    if (!frame) return;
    free(frame->memory);
    free(frame->blocks);
    free(frame);
}

size_t backend_frame_bytes(const struct backend_frame *frame) { return frame->bytes; }

static cpu_op_fn *const op_bodies[] = {
#define X(id, name, ...) cpu_op_##name,
    OP_LIST(X)
#undef X
};

static enum jl_status run_steps(struct backend_frame *frame, struct jl_error *err) {
    const struct batch *batch = frame->batch;
    int layer = -1;
    for (int i = 0; i < frame->plan.n_step && frame->n_row > 0; i++) {
        const struct step *step = &frame->plan.steps[i];
        if (step->layer != layer && batch->cancel && atomic_load(batch->cancel))
            return jl_fail(err, JL_ERR_CANCELLED, "cancelled before layer %d", step->layer);
        layer = step->layer;
        JL_TRY(op_bodies[step->op](frame, step, err));
    }
    return JL_OK;
}

enum jl_status backend_frame_run(struct backend_frame *frame, const struct batch *batch,
                                 float *logits, struct jl_error *err) {
    struct fpenv saved;
    frame->batch = batch;
    frame->n_row = batch->n_row;
    frame->reg[REG_LOGITS] = (uint8_t *)logits;
    frame->stride[REG_LOGITS] = (size_t)frame->plan.reg_width[REG_LOGITS] * sizeof(float);
    fpenv_enter(&saved);
    enum jl_status status = run_steps(frame, err);
    fpenv_leave(&saved);
    frame->batch = NULL;
    frame->reg[REG_LOGITS] = NULL;
    return status;
}

/* ---- bodies ---- */

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void backend_frame_bodies(const struct backend_frame *frame,
                          void (*each)(void *ctx, const char *name), void *ctx) {
    const struct kernel_table *k = &frame->backend->kernels;
    const char *names[2 * DTYPE_COUNT * XFMT_COUNT + ATTN_COUNT + KSLOT_ROW_COUNT];
    size_t n = 0;
    for (int d = 0; d < DTYPE_COUNT; d++)
        for (int f = 0; f < XFMT_COUNT; f++) {
            if (frame->ran.gemv[d][f]) names[n++] = k->gemv[d][f]->name;
            if (frame->ran.gemm[d][f]) names[n++] = k->gemm[d][f]->name;
        }
    for (int i = 0; i < ATTN_COUNT; i++)
        if (frame->ran.attn[i]) names[n++] = k->attn_chunk_name[i];
    for (int i = 0; i < KSLOT_ROW_COUNT; i++)
        if (frame->ran.row[i]) names[n++] = k->row_name[i];
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(names[i], names[i - 1])) each(ctx, names[i]);
}
