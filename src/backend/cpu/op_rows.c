/* Ops that work on one row at a time, and the one that picks rows. */
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/fmath.h"

void cpu_row_embed(struct backend_frame *frame, const struct step *step, int row) {
    const struct batch_row *in = &frame->batch->rows[row];
    float *out = cpu_row_f32(frame, step->out, row);
    if (in->vector)
        memcpy(out, in->vector, (size_t)step->width * sizeof *out);
    else
        dtype_dequantize(step->w.dtype, step->w.data + (size_t)in->token * step->w.stride, out,
                         step->width);
}

void cpu_row_lookup(struct backend_frame *frame, const struct step *step, int row) {
    const struct batch_row *in = &frame->batch->rows[row];
    float *out = cpu_row_f32(frame, step->out, row);
    if (in->vector)
        memset(out, 0, (size_t)step->width * sizeof *out);
    else
        dtype_dequantize(step->w.dtype, step->w.data + (size_t)in->token * step->w.stride, out,
                         step->width);
}

void cpu_row_rope_table(struct backend_frame *frame, const struct step *step, int row) {
    const struct rope_spec *rope = step->rope;
    double pos = frame->batch->rows[row].pos[0];
    float *cs = cpu_row_f32(frame, step->out, row);
    for (int i = 0; i < rope->n_rot / 2; i++) {
        double sine, cosine;
        fmath_sincos64(pos * rope->freq[i], &sine, &cosine);
        cs[2 * i] = (float)(cosine * rope->magnitude);
        cs[2 * i + 1] = (float)(sine * rope->magnitude);
    }
}

static void norm_span(struct backend_frame *frame, const struct step *step, int row, int at,
                      int n) {
    struct rms_norm_args args = {
        .x = cpu_row_f32(frame, step->in, row) + at,
        .w = (const float *)(const void *)step->w.data,
        .y = cpu_row_f32(frame, step->out, row) + at,
        .n = n,
        .eps = step->eps,
    };
    frame->backend->kernels.rms_norm(&args);
}

void cpu_row_norm(struct backend_frame *frame, const struct step *step, int row) {
    norm_span(frame, step, row, 0, step->width);
}

void cpu_row_head_norm(struct backend_frame *frame, const struct step *step, int row) {
    for (int at = 0; at < step->width; at += step->head_dim)
        norm_span(frame, step, row, at, step->head_dim);
}

void cpu_row_rope(struct backend_frame *frame, const struct step *step, int row) {
    struct rope_args args = {
        .cs = cpu_row_f32(frame, step->in, row),
        .n_rot = step->rope->n_rot,
        .interleaved = step->rope->interleaved,
    };
    float *heads = cpu_row_f32(frame, step->out, row);
    for (int at = 0; at < step->width; at += step->head_dim) {
        args.x = heads + at + step->rope_at;
        frame->backend->kernels.rope(&args);
    }
}

void cpu_row_convert(struct backend_frame *frame, const struct step *step, int row) {
    const struct kernel_table *k = &frame->backend->kernels;
    const struct step *dispatch = cpu_in_place(frame, step);
    // where nothing is copied, each row once, before experts share it out
    const float *x = cpu_row_f32(frame, dispatch ? dispatch->in : step->in, row);
    void *out = frame->reg[step->out] + (size_t)row * frame->stride[step->out];
    if (step->xfmt == XFMT_BF16)
        k->to_bf16(x, out, step->width);
    else if (step->xfmt == XFMT_Q8_32)
        k->to_q8_32(x, out, step->width);
    else
        k->to_q8_256(x, out, step->width);
}

void cpu_row_bias(struct backend_frame *frame, const struct step *step, int row) {
    frame->backend->kernels.add((const float *)(const void *)step->w.data,
                                cpu_row_f32(frame, step->out, row), step->width);
}

void cpu_row_add(struct backend_frame *frame, const struct step *step, int row) {
    frame->backend->kernels.add(cpu_row_f32(frame, step->in, row),
                                cpu_row_f32(frame, step->out, row), step->width);
}

void cpu_row_silu_mul(struct backend_frame *frame, const struct step *step, int row) {
    frame->backend->kernels.silu_mul(cpu_row_f32(frame, step->in, row),
                                     cpu_row_f32(frame, step->in2, row),
                                     cpu_row_f32(frame, step->out, row), step->width);
}

void cpu_activate(const struct backend_frame *frame, const struct step *act, int first, int n,
                  int out0, int out1) {
    for (int vector = first; vector < first + n; vector++)
        frame->backend->kernels.silu_mul(cpu_row_f32(frame, act->in, vector) + out0,
                                         cpu_row_f32(frame, act->in2, vector) + out0,
                                         cpu_row_f32(frame, act->out, vector) + out0, out1 - out0);
}

void cpu_row_sigmoid_mul(struct backend_frame *frame, const struct step *step, int row) {
    frame->backend->kernels.sigmoid_mul(cpu_row_f32(frame, step->in, row), step->width == 1,
                                        cpu_row_f32(frame, step->out, row), step->out_width);
}

/* Group g of a row: one of several vectors, or a stretch of the only one. */
static float *group_at(struct backend_frame *frame, enum reg_id reg, int row, int g, int step) {
    int slots = frame->slots[reg];
    if (slots > 1) return cpu_row_f32(frame, reg, row * slots + g);
    return cpu_row_f32(frame, reg, row) + (size_t)g * (size_t)step;
}

static void take_part(struct backend_frame *frame, const struct step *step,
                      const struct take_spec *take, int row) {
    for (int g = 0; g < take->n; g++)
        memcpy(group_at(frame, step->out, row, g, take->out_step) + take->out_at,
               group_at(frame, step->in, row, g, take->in_step) + take->in_at,
               (size_t)take->width * sizeof(float));
}

void cpu_row_take(struct backend_frame *frame, const struct step *step, int row) {
    take_part(frame, step, &step->take, row);
    for (int i = 0; i < TAKE_MORE; i++)
        take_part(frame, step, &step->more[i], row);
}

void cpu_row_join(struct backend_frame *frame, const struct step *step, int row) {
    float *out = cpu_row_f32(frame, step->out, row);
    int second = step->out_width - step->width;
    memcpy(out, cpu_row_f32(frame, step->in, row), (size_t)step->width * sizeof *out);
    memcpy(out + step->width, cpu_row_f32(frame, step->in2, row), (size_t)second * sizeof *out);
}

void cpu_row_hidden(struct backend_frame *frame, const struct step *step, int row) {
    memcpy(cpu_row_f32(frame, step->out, row), frame->batch->rows[row].hidden,
           (size_t)step->width * sizeof(float));
}

void cpu_row_give(struct backend_frame *frame, const struct step *step, int row) {
    float *to = frame->batch->rows[row].give;
    if (!to) return;
    struct rms_norm_args args = {
        .x = cpu_row_f32(frame, step->in, row),
        .w = (const float *)(const void *)step->w.data,
        .y = to,
        .n = step->width,
        .eps = step->eps,
    };
    frame->backend->kernels.rms_norm(&args);
}

void cpu_row_check(struct backend_frame *frame, const struct step *step, int vector) {
    if (frame->backend->kernels.all_finite(cpu_row_f32(frame, step->in, vector), step->width))
        return;
    uint64_t here = (uint64_t)(step - frame->plan.steps) << 32 | (uint32_t)vector;
    uint64_t first = atomic_load(&frame->fault);
    while (here < first && !atomic_compare_exchange_weak(&frame->fault, &first, here)) {
    }
}

enum jl_status cpu_fault(const struct backend_frame *frame, struct jl_error *err) {
    uint64_t fault = atomic_load(&frame->fault);
    if (fault == CPU_NO_FAULT) return JL_OK;
    const struct step *step = &frame->plan.steps[fault >> 32];
    int vector = (int)(uint32_t)fault;
    if (step->layer < 0)
        return jl_fail(err, JL_ERR_NONFINITE,
                       "the output layer gave a logit that is not finite (row %d)", vector);
    const struct batch_row *at = &frame->batch->rows[vector / step->slots];
    return jl_fail(err, JL_ERR_NONFINITE,
                   "layer %d gave a value that is not finite (%s; sequence %d, position %d): the "
                   "weights or the input overflow",
                   step->layer, reg_about(step->in), at->seq, at->pos[0]);
}

enum jl_status cpu_op_pick(struct backend_frame *frame, const struct step *step,
                           struct jl_error *err) {
    (void)err;
    int kept = 0;
    for (int row = 0; row < frame->n_row; row++) {
        if (!frame->batch->rows[row].want_logits) continue;
        memcpy(cpu_row_f32(frame, step->out, kept), cpu_row_f32(frame, step->in, row),
               (size_t)step->width * sizeof(float));
        kept++;
    }
    frame->n_row = kept;
    return JL_OK;
}
