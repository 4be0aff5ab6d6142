/* Recurrent layers backwards: an item is some channels, or one key head with the value heads that
 * share it, of one sequence, from its last row to its first. */
#include <string.h>

#include "backend/cpu/tape.h"

struct recur_call {
    struct backend_tape *tape;
    const struct step *step;
    int n_part;
};

#define CHANNELS 64 // an item

/* Each sequence has sums of its own, in TEMP_SUMS. */
static void conv_item(void *ctx, int index, int thread) {
    const struct recur_call *call = ctx;
    const struct backend_tape *tape = call->tape;
    const struct step *step = call->step;
    int seq = index / call->n_part, channel0 = index % call->n_part * CHANNELS;
    const struct row_block *rows = &tape->frame->blocks[seq];
    enum reg_id in = tape_grad_reg(tape, step, 0);
    size_t taps = (size_t)step->delta->n_tap * (size_t)step->width;
    const struct conv_grad_args args = {
        .n_token = rows->n_row,
        .n_channel = step->width,
        .n_tap = step->delta->n_tap,
        .channel0 = channel0,
        .channel1 = channel0 + CHANNELS < step->width ? channel0 + CHANNELS : step->width,
        .w = (const float *)(const void *)step->w.data,
        .x = tape_read(tape, step, 0, rows->row),
        .dy = tape_grad(tape, step->out, rows->row),
        .dx = tape_grad(tape, in, rows->row),
        .dw = (float *)(void *)tape->temp[TEMP_SUMS] + (size_t)seq * taps,
        .x_stride = tape->values[step->from[0]].stride / sizeof(float),
        .dy_stride = tape->grad_stride[step->out] / sizeof(float),
        .dx_stride = tape->grad_stride[in] / sizeof(float),
        .scratch = tape_thread_temp(tape, thread),
    };
    tape->backend->kernels.conv_grad(&args);
}

enum jl_status cpu_grad_conv(struct backend_tape *tape, const struct step *step,
                             struct jl_error *err) {
    enum reg_id in = tape_grad_reg(tape, step, 0);
    struct recur_call call = {tape, step, (step->width + CHANNELS - 1) / CHANNELS};
    if (tape->has[in])
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "layer %d: the input of a convolution is used twice: its gradient is not "
                       "implemented",
                       step->layer);
    int n_seq = cpu_cut_blocks(tape->frame, tape->batch->n_row);
    pool_run(tape->backend->pool, n_seq * call.n_part, conv_item, &call);
    if (tape->grads[step->w.id].data)
        tape_add_sums(tape, &step->w, n_seq, step->delta->n_tap * step->width);
    tape->has[in] = true;
    return JL_OK;
}

/* ---- the delta rule ---- */

size_t cpu_delta_grad_bytes(const struct step *step, int n_rows) {
    const struct delta_spec *spec = step->delta;
    return delta_grad_floats(n_rows, spec->d_k, spec->d_v) * sizeof(float);
}

static void delta_item(void *ctx, int index, int thread) {
    const struct recur_call *call = ctx;
    struct backend_tape *tape = call->tape;
    const struct step *step = call->step;
    const struct delta_spec *spec = step->delta;
    const struct row_block *rows = &tape->frame->blocks[index / spec->n_head_k];
    int head_k = index % spec->n_head_k, group = spec->n_head_v / spec->n_head_k;
    int keys = spec->n_head_k * spec->d_k, row0 = rows->row;
    size_t stride = tape->grad_stride[step->in] / sizeof(float);
    const float *in = tape_read(tape, step, 0, row0);
    float *d = tape_grad(tape, step->in, row0);
    for (int row = 0; row < rows->n_row; row++) {
        memset(d + (size_t)row * stride + head_k * spec->d_k, 0, (size_t)spec->d_k * sizeof *d);
        memset(d + (size_t)row * stride + keys + head_k * spec->d_k, 0,
               (size_t)spec->d_k * sizeof *d);
    }
    for (int head = head_k * group; head < (head_k + 1) * group; head++) {
        const struct delta_grad_args args = {
            .n_token = rows->n_row,
            .d_k = spec->d_k,
            .d_v = spec->d_v,
            .q = in + head_k * spec->d_k,
            .k = in + keys + head_k * spec->d_k,
            .v = in + 2 * keys + head * spec->d_v,
            .beta = tape_read(tape, step, 1, row0) + head,
            .decay = tape_read(tape, step, 3, row0) + head,
            .dout = tape_grad(tape, step->out, row0) + head * spec->d_v,
            .q_stride = tape->values[step->from[0]].stride / sizeof(float),
            .v_stride = tape->values[step->from[0]].stride / sizeof(float),
            .beta_stride = tape->values[step->from[1]].stride / sizeof(float),
            .decay_stride = tape->values[step->from[3]].stride / sizeof(float),
            .dout_stride = tape->grad_stride[step->out] / sizeof(float),
            .dq = d + head_k * spec->d_k,
            .dk = d + keys + head_k * spec->d_k,
            .dv = d + 2 * keys + head * spec->d_v,
            .dbeta = tape_grad(tape, step->in2, row0) + head,
            .ddecay = tape_grad(tape, step->in3, row0) + head,
            .dq_stride = stride,
            .dv_stride = stride,
            .dbeta_stride = tape->grad_stride[step->in2] / sizeof(float),
            .ddecay_stride = tape->grad_stride[step->in3] / sizeof(float),
            .scratch = tape_thread_temp(tape, thread),
        };
        tape->backend->kernels.delta_grad(&args);
    }
}

enum jl_status cpu_grad_delta(struct backend_tape *tape, const struct step *step,
                              struct jl_error *err) {
    struct recur_call call = {tape, step, 0};
    if (tape->has[step->in] || tape->has[step->in2] || tape->has[step->in3])
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "layer %d: an input of the delta rule is used twice: its gradient is not "
                       "implemented",
                       step->layer);
    int n_seq = cpu_cut_blocks(tape->frame, tape->batch->n_row);
    pool_run(tape->backend->pool, n_seq * step->delta->n_head_k, delta_item, &call);
    tape->has[step->in] = tape->has[step->in2] = tape->has[step->in3] = true;
    return JL_OK;
}
