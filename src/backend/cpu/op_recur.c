/* Recurrent layers. An item is one head, or some channels, of all rows of one sequence: it walks
 * them in order from the state before the pass, so nothing depends on who shares the batch or on
 * how a sequence is cut into passes. State is read from one buffer and written to another. */
#include "backend/cpu/cpu.h"

struct recur_call {
    struct backend_frame *frame;
    const struct step *step;
    int n_part, per_part; // items a sequence; channels a part of a convolution
};

static const struct seq_view *seq_of(const struct backend_frame *frame,
                                     const struct row_block *block) {
    return &frame->batch->seqs[frame->batch->rows[block->row].seq];
}

static float *state_at(uint8_t *data, size_t at) { return (float *)(void *)(data + at); }

static struct token_rows rows_from(const struct backend_frame *frame, enum reg_id reg, int row,
                                   int at) {
    return (struct token_rows){cpu_row_f32(frame, reg, row) + at,
                               frame->stride[reg] / sizeof(float)};
}

/* ---- convolution ---- */

static void conv_item(void *ctx, int item, int thread) {
    const struct recur_call *call = ctx;
    const struct backend_frame *frame = call->frame;
    const struct step *step = call->step;
    const struct row_block *block = &frame->blocks[item / call->n_part];
    const struct seq_view *seq = seq_of(frame, block);
    int channel0 = item % call->n_part * call->per_part, channel1 = channel0 + call->per_part;
    (void)thread;
    struct conv_silu_args args = {
        .n_token = block->n_row,
        .n_channel = step->width,
        .n_tap = step->delta->n_tap,
        .channel0 = channel0,
        .channel1 = channel1 < step->width ? channel1 : step->width,
        .w = (const float *)(const void *)step->w.data,
        .from = state_at(seq->recur->data, step->delta->conv_at),
        .to = state_at(seq->recur_next->data, step->delta->conv_at),
        .x = cpu_row_f32(frame, step->in, block->row),
        .y = cpu_row_f32(frame, step->out, block->row),
        .x_stride = frame->stride[step->in] / sizeof(float),
        .y_stride = frame->stride[step->out] / sizeof(float),
    };
    frame->backend->kernels.conv_silu(&args);
}

/* Fewer elements than this in a part, and handing it out costs more than the work. */
#define MIN_PART 8192

enum jl_status cpu_op_conv(struct backend_frame *frame, const struct step *step,
                           struct jl_error *err) {
    (void)err;
    struct recur_call call = {.frame = frame, .step = step};
    int n_block = cpu_cut_blocks(frame, frame->n_row);
    int64_t useful = (int64_t)frame->n_row * step->width / MIN_PART / n_block;
    int most = 4 * backend_threads(frame->backend);
    int wanted = useful < 1 ? 1 : useful < most ? (int)useful : most;
    call.per_part = (step->width + wanted - 1) / wanted;
    call.per_part = (call.per_part + 15) / 16 * 16;
    call.n_part = (step->width + call.per_part - 1) / call.per_part;
    frame->ran.row[KSLOT_conv_silu] = true;
    pool_run(frame->backend->pool, n_block * call.n_part, conv_item, &call);
    return JL_OK;
}

/* ---- the delta rule ---- */

static void delta_item(void *ctx, int item, int thread) {
    const struct recur_call *call = ctx;
    const struct backend_frame *frame = call->frame;
    const struct step *step = call->step;
    const struct delta_spec *spec = step->delta;
    const struct row_block *block = &frame->blocks[item / spec->n_head_v];
    const struct seq_view *seq = seq_of(frame, block);
    int head = item % spec->n_head_v, head_k = head / (spec->n_head_v / spec->n_head_k);
    int keys = spec->n_head_k * spec->d_k;
    size_t at =
        spec->matrix_at + (size_t)head * delta_state_floats(spec->d_k, spec->d_v) * sizeof(float);
    (void)thread;
    struct delta_args args = {
        .n_token = block->n_row,
        .d_k = spec->d_k,
        .d_v = spec->d_v,
        .n_decay = 1,
        .q = rows_from(frame, step->in, block->row, head_k * spec->d_k),
        .k = rows_from(frame, step->in, block->row, keys + head_k * spec->d_k),
        .v = rows_from(frame, step->in, block->row, 2 * keys + head * spec->d_v),
        .beta = rows_from(frame, step->in2, block->row, head),
        .decay = rows_from(frame, step->in3, block->row, head),
        .from = state_at(seq->recur->data, at),
        .to = state_at(seq->recur_next->data, at),
        .o = cpu_row_f32(frame, step->out, block->row) + head * spec->d_v,
        .o_stride = frame->stride[step->out] / sizeof(float),
    };
    frame->backend->kernels.delta(&args);
}

enum jl_status cpu_op_delta(struct backend_frame *frame, const struct step *step,
                            struct jl_error *err) {
    (void)err;
    struct recur_call call = {.frame = frame, .step = step};
    frame->ran.row[KSLOT_delta] = true;
    pool_run(frame->backend->pool, cpu_cut_blocks(frame, frame->n_row) * step->delta->n_head_v,
             delta_item, &call);
    return JL_OK;
}

/* ---- rows ---- */

void cpu_row_l2_norm(struct backend_frame *frame, const struct step *step, int row) {
    const struct delta_spec *spec = step->delta;
    struct l2_norm_args args = {.n = spec->d_k, .eps = spec->norm_eps};
    for (int head = 0; head < 2 * spec->n_head_k; head++) {
        args.y = cpu_row_f32(frame, step->out, row) + head * spec->d_k;
        args.x = args.y;
        args.scale = head < spec->n_head_k ? spec->q_scale : 1.0f;
        frame->backend->kernels.l2_norm(&args);
    }
}

void cpu_row_sigmoid(struct backend_frame *frame, const struct step *step, int row) {
    frame->backend->kernels.sigmoid(cpu_row_f32(frame, step->in, row),
                                    cpu_row_f32(frame, step->out, row), step->width);
}

void cpu_row_decay(struct backend_frame *frame, const struct step *step, int row) {
    frame->backend->kernels.decay((const float *)(const void *)step->w.data,
                                  cpu_row_f32(frame, step->in, row),
                                  cpu_row_f32(frame, step->out, row), step->width);
}
