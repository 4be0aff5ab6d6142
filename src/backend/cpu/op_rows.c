/* Ops that work on one row at a time. */
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/fmath.h"

/* Fewer elements than this in all, and waking the threads costs more than the work. */
#define MIN_PARALLEL 16384

struct row_call {
    struct backend_frame *frame;
    const struct step *step;
    cpu_row_fn *fn;
};

static void run_row(void *ctx, int item, int thread) {
    (void)thread;
    const struct row_call *call = ctx;
    call->fn(call->frame, call->step, item);
}

void cpu_for_rows(struct backend_frame *frame, const struct step *step, cpu_row_fn *fn) {
    struct row_call call = {frame, step, fn};
    int n = frame->n_row * step->slots;
    if (n > 1 && (int64_t)n * step->width >= MIN_PARALLEL) {
        pool_run(frame->backend->pool, n, run_row, &call);
        return;
    }
    for (int vector = 0; vector < n; vector++)
        fn(frame, step, vector);
}

static void embed_row(struct backend_frame *frame, const struct step *step, int row) {
    const struct batch_row *in = &frame->batch->rows[row];
    float *out = cpu_row_f32(frame, step->out, row);
    if (in->vector)
        memcpy(out, in->vector, (size_t)step->width * sizeof *out);
    else
        dtype_dequantize(step->w.dtype, step->w.data + (size_t)in->token * step->w.stride, out,
                         step->width);
}

enum jl_status cpu_op_embed(struct backend_frame *frame, const struct step *step,
                            struct jl_error *err) {
    (void)err;
    cpu_for_rows(frame, step, embed_row);
    return JL_OK;
}

static void rope_table_row(struct backend_frame *frame, const struct step *step, int row) {
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

enum jl_status cpu_op_rope_table(struct backend_frame *frame, const struct step *step,
                                 struct jl_error *err) {
    (void)err;
    cpu_for_rows(frame, step, rope_table_row);
    return JL_OK;
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

static void norm_row(struct backend_frame *frame, const struct step *step, int row) {
    norm_span(frame, step, row, 0, step->width);
}

enum jl_status cpu_op_norm(struct backend_frame *frame, const struct step *step,
                           struct jl_error *err) {
    (void)err;
    frame->ran.row[KSLOT_rms_norm] = true;
    cpu_for_rows(frame, step, norm_row);
    return JL_OK;
}

static void head_norm_row(struct backend_frame *frame, const struct step *step, int row) {
    for (int at = 0; at < step->width; at += step->head_dim)
        norm_span(frame, step, row, at, step->head_dim);
}

enum jl_status cpu_op_head_norm(struct backend_frame *frame, const struct step *step,
                                struct jl_error *err) {
    (void)err;
    frame->ran.row[KSLOT_rms_norm] = true;
    cpu_for_rows(frame, step, head_norm_row);
    return JL_OK;
}

static void rope_row(struct backend_frame *frame, const struct step *step, int row) {
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

enum jl_status cpu_op_rope(struct backend_frame *frame, const struct step *step,
                           struct jl_error *err) {
    (void)err;
    frame->ran.row[KSLOT_rope] = true;
    cpu_for_rows(frame, step, rope_row);
    return JL_OK;
}

static void convert_row(struct backend_frame *frame, const struct step *step, int row) {
    const struct kernel_table *k = &frame->backend->kernels;
    const float *x = cpu_row_f32(frame, step->in, row);
    void *out = frame->reg[step->out] + (size_t)row * frame->stride[step->out];
    if (step->xfmt == XFMT_BF16)
        k->to_bf16(x, out, step->width);
    else if (step->xfmt == XFMT_Q8_32)
        k->to_q8_32(x, out, step->width);
    else
        k->to_q8_256(x, out, step->width);
}

enum jl_status cpu_op_convert(struct backend_frame *frame, const struct step *step,
                              struct jl_error *err) {
    (void)err;
    frame->ran.row[step->xfmt == XFMT_BF16    ? KSLOT_to_bf16
                   : step->xfmt == XFMT_Q8_32 ? KSLOT_to_q8_32
                                              : KSLOT_to_q8_256] = true;
    const struct step *dispatch = cpu_in_place(frame, step);
    struct step rows = *step;
    if (dispatch) { // each row once, before experts share it out
        rows.in = dispatch->in;
        rows.slots = 1;
    }
    cpu_for_rows(frame, &rows, convert_row);
    return JL_OK;
}

static void bias_row(struct backend_frame *frame, const struct step *step, int row) {
    frame->backend->kernels.add((const float *)(const void *)step->w.data,
                                cpu_row_f32(frame, step->out, row), step->width);
}

enum jl_status cpu_op_bias(struct backend_frame *frame, const struct step *step,
                           struct jl_error *err) {
    (void)err;
    frame->ran.row[KSLOT_add] = true;
    cpu_for_rows(frame, step, bias_row);
    return JL_OK;
}

static void add_row(struct backend_frame *frame, const struct step *step, int row) {
    frame->backend->kernels.add(cpu_row_f32(frame, step->in, row),
                                cpu_row_f32(frame, step->out, row), step->width);
}

enum jl_status cpu_op_add(struct backend_frame *frame, const struct step *step,
                          struct jl_error *err) {
    (void)err;
    frame->ran.row[KSLOT_add] = true;
    cpu_for_rows(frame, step, add_row);
    return JL_OK;
}

static void silu_mul_row(struct backend_frame *frame, const struct step *step, int row) {
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

enum jl_status cpu_op_silu_mul(struct backend_frame *frame, const struct step *step,
                               struct jl_error *err) {
    (void)err;
    frame->ran.row[KSLOT_silu_mul] = true;
    cpu_for_rows(frame, step, silu_mul_row);
    return JL_OK;
}

static void sigmoid_mul_row(struct backend_frame *frame, const struct step *step, int row) {
    frame->backend->kernels.sigmoid_mul(cpu_row_f32(frame, step->in, row), step->width == 1,
                                        cpu_row_f32(frame, step->out, row), step->out_width);
}

enum jl_status cpu_op_sigmoid_mul(struct backend_frame *frame, const struct step *step,
                                  struct jl_error *err) {
    (void)err;
    frame->ran.row[KSLOT_sigmoid_mul] = true;
    cpu_for_rows(frame, step, sigmoid_mul_row);
    return JL_OK;
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

static void take_row(struct backend_frame *frame, const struct step *step, int row) {
    take_part(frame, step, &step->take, row);
    for (int i = 0; i < TAKE_MORE; i++)
        take_part(frame, step, &step->more[i], row);
}

enum jl_status cpu_op_take(struct backend_frame *frame, const struct step *step,
                           struct jl_error *err) {
    (void)err;
    cpu_for_rows(frame, step, take_row);
    return JL_OK;
}

static void join_row(struct backend_frame *frame, const struct step *step, int row) {
    float *out = cpu_row_f32(frame, step->out, row);
    int second = step->out_width - step->width;
    memcpy(out, cpu_row_f32(frame, step->in, row), (size_t)step->width * sizeof *out);
    memcpy(out + step->width, cpu_row_f32(frame, step->in2, row), (size_t)second * sizeof *out);
}

enum jl_status cpu_op_join(struct backend_frame *frame, const struct step *step,
                           struct jl_error *err) {
    (void)err;
    cpu_for_rows(frame, step, join_row);
    return JL_OK;
}

static void hidden_row(struct backend_frame *frame, const struct step *step, int row) {
    memcpy(cpu_row_f32(frame, step->out, row), frame->batch->rows[row].hidden,
           (size_t)step->width * sizeof(float));
}

enum jl_status cpu_op_hidden(struct backend_frame *frame, const struct step *step,
                             struct jl_error *err) {
    (void)err;
    cpu_for_rows(frame, step, hidden_row);
    return JL_OK;
}

static void give_row(struct backend_frame *frame, const struct step *step, int row) {
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

enum jl_status cpu_op_give(struct backend_frame *frame, const struct step *step,
                           struct jl_error *err) {
    (void)err;
    cpu_for_rows(frame, step, give_row);
    return JL_OK;
}

enum jl_status cpu_op_check(struct backend_frame *frame, const struct step *step,
                            struct jl_error *err) {
    frame->ran.row[KSLOT_all_finite] = true;
    for (int row = 0; row < frame->n_row * step->slots; row++) {
        if (frame->backend->kernels.all_finite(cpu_row_f32(frame, step->in, row), step->width))
            continue;
        if (step->layer < 0)
            return jl_fail(err, JL_ERR_NONFINITE,
                           "the output layer gave a logit that is not finite (row %d)", row);
        const struct batch_row *at = &frame->batch->rows[row / step->slots];
        return jl_fail(
            err, JL_ERR_NONFINITE,
            "layer %d gave a value that is not finite (%s; sequence %d, position %d): the "
            "weights or the input overflow",
            step->layer, reg_about(step->in), at->seq, at->pos[0]);
    }
    return JL_OK;
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
