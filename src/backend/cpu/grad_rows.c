/* Ops that work on one row at a time, backwards. A body takes a block of vectors, so that the sums
 * that make a vector weight's gradient have an order of their own. */
#include <string.h>

#include "backend/cpu/tape.h"

/* ---- blocks ---- */

struct blocks_call {
    struct backend_tape *tape;
    const struct step *step;
    tape_block_fn *fn;
    int n_vector, n_sum;
};

static float *sums_of(const struct backend_tape *tape, int block, int n_sum) {
    return (float *)(void *)tape->temp[TEMP_SUMS] + (size_t)block * (size_t)n_sum;
}

static void block_item(void *ctx, int item, int thread) {
    const struct blocks_call *call = ctx;
    int first = item * TAPE_BLOCK, end = first + TAPE_BLOCK;
    float *sums = call->n_sum ? sums_of(call->tape, item, call->n_sum) : NULL;
    if (sums) memset(sums, 0, (size_t)call->n_sum * sizeof *sums);
    call->fn(call->tape, call->step, first, end < call->n_vector ? end : call->n_vector, sums,
             thread);
}

void tape_add_sums(struct backend_tape *tape, const struct weight *w, int n_block, int n) {
    struct weight_grad *grad = &tape->grads[w->id];
    for (int block = 0; block < n_block; block++) {
        tape_put(tape, !grad->fresh, sums_of(tape, block, n), grad->data, n);
        grad->fresh = false;
    }
}

void tape_blocks(struct backend_tape *tape, const struct step *step, int n_vector, int n_sum,
                 tape_block_fn *fn) {
    bool wanted = n_sum && tape->grads[step->w.id].data;
    struct blocks_call call = {tape, step, fn, n_vector, wanted ? n_sum : 0};
    int n_block = (n_vector + TAPE_BLOCK - 1) / TAPE_BLOCK;
    pool_run(tape->backend->pool, n_block, block_item, &call);
    if (wanted) tape_add_sums(tape, &step->w, n_block, n_sum);
}

static int vectors_of(const struct backend_tape *tape, const struct step *step) {
    return tape_rows(tape, step) * step->slots;
}

/* Every vector of an input's gradient to zeros, unless something is there: parts are then added. */
void tape_clear_input(struct backend_tape *tape, const struct step *step, int k) {
    enum reg_id in = tape_grad_reg(tape, step, k);
    if (tape->has[in]) return;
    size_t n = (size_t)tape_rows(tape, step) * (size_t)tape->values[step->from[k]].slots;
    memset(tape->grad[in], 0, n * tape->grad_stride[in]);
    tape->has[in] = true;
}

/* ---- norms ---- */

static void norm_spans(struct backend_tape *tape, const struct step *step, int vector, int n,
                       float *sums, int thread) {
    enum reg_id in = tape_grad_reg(tape, step, 0);
    float *temp = tape_thread_temp(tape, thread);
    const struct kernel_table *k = &tape->backend->kernels;
    for (int at = 0; at < step->width; at += n) {
        struct rms_norm_grad_args args = {
            .x = tape_read(tape, step, 0, vector) + at,
            .w = (const float *)(const void *)step->w.data,
            .dy = tape_grad(tape, step->out, vector) + at,
            .dx = temp,
            .n = n,
            .eps = step->eps,
        };
        float s = k->rms_norm_grad(&args);
        if (sums) k->norm_weight_grad(s, args.x, args.dy, sums, n);
        tape_put(tape, tape->has[in], temp, tape_grad(tape, in, vector) + at, n);
    }
}

static void norm_block(struct backend_tape *tape, const struct step *step, int first, int end,
                       float *sums, int thread) {
    int n = step->op == OP_HEAD_NORM ? step->head_dim : step->width;
    for (int vector = first; vector < end; vector++)
        norm_spans(tape, step, vector, n, sums, thread);
}

static enum jl_status norm_grad(struct backend_tape *tape, const struct step *step, int n) {
    tape_blocks(tape, step, vectors_of(tape, step), n, norm_block);
    tape->has[tape_grad_reg(tape, step, 0)] = true;
    return JL_OK;
}

enum jl_status cpu_grad_norm(struct backend_tape *tape, const struct step *step,
                             struct jl_error *err) {
    (void)err;
    return norm_grad(tape, step, step->width);
}

enum jl_status cpu_grad_head_norm(struct backend_tape *tape, const struct step *step,
                                  struct jl_error *err) {
    (void)err;
    return norm_grad(tape, step, step->head_dim);
}

static void give_block(struct backend_tape *tape, const struct step *step, int first, int end,
                       float *sums, int thread) {
    const struct kernel_table *k = &tape->backend->kernels;
    float *temp = tape_thread_temp(tape, thread);
    for (int row = first; row < end; row++) {
        struct rms_norm_grad_args args = {
            .x = tape_read(tape, step, 0, row),
            .w = (const float *)(const void *)step->w.data,
            .dy = tape->ends->dgive + (size_t)row * (size_t)step->width,
            .dx = temp,
            .n = step->width,
            .eps = step->eps,
        };
        float s = k->rms_norm_grad(&args);
        if (sums) k->norm_weight_grad(s, args.x, args.dy, sums, step->width);
        tape_put(tape, tape->has[step->in], temp, tape_grad(tape, step->in, row), step->width);
    }
}

enum jl_status cpu_grad_give(struct backend_tape *tape, const struct step *step,
                             struct jl_error *err) {
    (void)err;
    if (!tape->ends->dgive) return JL_OK;
    tape_blocks(tape, step, vectors_of(tape, step), step->width, give_block);
    tape->has[step->in] = true;
    return JL_OK;
}

/* ---- sums and gates ---- */

static void bias_block(struct backend_tape *tape, const struct step *step, int first, int end,
                       float *sums, int thread) {
    (void)thread;
    for (int vector = first; sums && vector < end; vector++)
        tape->backend->kernels.add(tape_grad(tape, step->out, vector), sums, step->width);
}

enum jl_status cpu_grad_bias(struct backend_tape *tape, const struct step *step,
                             struct jl_error *err) {
    (void)err;
    if (tape->grads[step->w.id].data)
        tape_blocks(tape, step, vectors_of(tape, step), step->width, bias_block);
    return JL_OK;
}

static void add_block(struct backend_tape *tape, const struct step *step, int first, int end,
                      float *sums, int thread) {
    enum reg_id in = tape_grad_reg(tape, step, 0);
    (void)sums;
    (void)thread;
    for (int vector = first; vector < end; vector++)
        tape_put(tape, tape->has[in], tape_grad(tape, step->out, vector),
                 tape_grad(tape, in, vector), step->width);
}

enum jl_status cpu_grad_add(struct backend_tape *tape, const struct step *step,
                            struct jl_error *err) {
    (void)err;
    tape_blocks(tape, step, vectors_of(tape, step), 0, add_block);
    tape->has[tape_grad_reg(tape, step, 0)] = true;
    return JL_OK;
}

static void silu_mul_block(struct backend_tape *tape, const struct step *step, int first, int end,
                           float *sums, int thread) {
    enum reg_id gate = tape_grad_reg(tape, step, 0), up = tape_grad_reg(tape, step, 1);
    float *dgate = tape_thread_temp(tape, thread), *dup = dgate + step->width;
    (void)sums;
    for (int vector = first; vector < end; vector++) {
        const struct silu_mul_grad_args args = {
            .gate = tape_read(tape, step, 0, vector),
            .up = tape_read(tape, step, 1, vector),
            .dy = tape_grad(tape, step->out, vector),
            .dgate = dgate,
            .dup = dup,
            .n = step->width,
        };
        tape->backend->kernels.silu_mul_grad(&args);
        tape_put(tape, tape->has[gate], dgate, tape_grad(tape, gate, vector), step->width);
        tape_put(tape, tape->has[up], dup, tape_grad(tape, up, vector), step->width);
    }
}

enum jl_status cpu_grad_silu_mul(struct backend_tape *tape, const struct step *step,
                                 struct jl_error *err) {
    (void)err;
    tape_blocks(tape, step, vectors_of(tape, step), 0, silu_mul_block);
    tape->has[tape_grad_reg(tape, step, 0)] = tape->has[tape_grad_reg(tape, step, 1)] = true;
    return JL_OK;
}

static void sigmoid_mul_block(struct backend_tape *tape, const struct step *step, int first,
                              int end, float *sums, int thread) {
    enum reg_id in = tape_grad_reg(tape, step, 0);
    float *dgate = tape_thread_temp(tape, thread);
    (void)sums;
    for (int vector = first; vector < end; vector++) {
        float *dy = tape_grad(tape, step->out, vector);
        const struct sigmoid_mul_grad_args args = {
            .gate = tape_read(tape, step, 0, vector),
            .old = tape_read(tape, step, 2, vector),
            .dy = dy,
            .dgate = dgate,
            .dold = dy,
            .one = step->width == 1,
            .n = step->out_width,
        };
        tape->backend->kernels.sigmoid_mul_grad(&args);
        tape_put(tape, tape->has[in], dgate, tape_grad(tape, in, vector), step->width);
    }
}

enum jl_status cpu_grad_sigmoid_mul(struct backend_tape *tape, const struct step *step,
                                    struct jl_error *err) {
    (void)err;
    tape_blocks(tape, step, vectors_of(tape, step), 0, sigmoid_mul_block);
    tape->has[tape_grad_reg(tape, step, 0)] = true;
    return JL_OK;
}

static void sigmoid_block(struct backend_tape *tape, const struct step *step, int first, int end,
                          float *sums, int thread) {
    enum reg_id in = tape_grad_reg(tape, step, 0);
    float *temp = tape_thread_temp(tape, thread);
    (void)sums;
    for (int vector = first; vector < end; vector++) {
        tape->backend->kernels.sigmoid_grad(tape_read(tape, step, 0, vector),
                                            tape_grad(tape, step->out, vector), temp, step->width);
        tape_put(tape, tape->has[in], temp, tape_grad(tape, in, vector), step->width);
    }
}

enum jl_status cpu_grad_sigmoid(struct backend_tape *tape, const struct step *step,
                                struct jl_error *err) {
    (void)err;
    tape_blocks(tape, step, vectors_of(tape, step), 0, sigmoid_block);
    tape->has[tape_grad_reg(tape, step, 0)] = true;
    return JL_OK;
}

static void decay_block(struct backend_tape *tape, const struct step *step, int first, int end,
                        float *sums, int thread) {
    enum reg_id in = tape_grad_reg(tape, step, 0);
    float *temp = tape_thread_temp(tape, thread), *unused = temp + step->width;
    for (int vector = first; vector < end; vector++) {
        memset(unused, 0, (size_t)step->width * sizeof *unused);
        const struct decay_grad_args args = {
            .a = (const float *)(const void *)step->w.data,
            .x = tape_read(tape, step, 0, vector),
            .dy = tape_grad(tape, step->out, vector),
            .dx = temp,
            .da = sums ? sums : unused,
            .n = step->width,
        };
        tape->backend->kernels.decay_grad(&args);
        tape_put(tape, tape->has[in], temp, tape_grad(tape, in, vector), step->width);
    }
}

enum jl_status cpu_grad_decay(struct backend_tape *tape, const struct step *step,
                              struct jl_error *err) {
    (void)err;
    tape_blocks(tape, step, vectors_of(tape, step), step->width, decay_block);
    tape->has[tape_grad_reg(tape, step, 0)] = true;
    return JL_OK;
}

static void l2_norm_block(struct backend_tape *tape, const struct step *step, int first, int end,
                          float *sums, int thread) {
    const struct delta_spec *spec = step->delta;
    (void)sums;
    (void)thread;
    for (int vector = first; vector < end; vector++)
        for (int head = 0; head < 2 * spec->n_head_k; head++) {
            float *d = tape_grad(tape, step->out, vector) + head * spec->d_k;
            const struct l2_norm_grad_args args = {
                .x = tape_read(tape, step, 2, vector) + head * spec->d_k,
                .dy = d,
                .dx = d,
                .n = spec->d_k,
                .eps = spec->norm_eps,
                .scale = head < spec->n_head_k ? spec->q_scale : 1.0f,
            };
            tape->backend->kernels.l2_norm_grad(&args);
        }
}

enum jl_status cpu_grad_l2_norm(struct backend_tape *tape, const struct step *step,
                                struct jl_error *err) {
    (void)err;
    tape_blocks(tape, step, vectors_of(tape, step), 0, l2_norm_block);
    return JL_OK;
}

/* ---- turned heads ---- */

static void rope_block(struct backend_tape *tape, const struct step *step, int first, int end,
                       float *sums, int thread) {
    int n_rot = step->rope->n_rot;
    float *back = tape_thread_temp(tape, thread); // the same angles, the other way
    (void)sums;
    for (int vector = first; vector < end; vector++) {
        const float *cs = tape_read(tape, step, 0, vector);
        for (int i = 0; i < n_rot; i += 2) {
            back[i] = cs[i];
            back[i + 1] = -cs[i + 1];
        }
        struct rope_args args = {
            .cs = back, .n_rot = n_rot, .interleaved = step->rope->interleaved};
        float *heads = tape_grad(tape, step->out, vector);
        for (int at = 0; at < step->width; at += step->head_dim) {
            args.x = heads + at + step->rope_at;
            tape->backend->kernels.rope(&args);
        }
    }
}

enum jl_status cpu_grad_rope(struct backend_tape *tape, const struct step *step,
                             struct jl_error *err) {
    (void)err;
    tape_blocks(tape, step, vectors_of(tape, step), 0, rope_block);
    return JL_OK;
}

/* ---- parts ---- */

static float *group_at(const struct backend_tape *tape, enum reg_id reg, int slots, int row, int g,
                       int step) {
    if (slots > 1) return tape_grad(tape, reg, row * slots + g);
    return tape_grad(tape, reg, row) + (size_t)g * (size_t)step;
}

static void take_part(struct backend_tape *tape, const struct step *step,
                      const struct take_spec *take, int row) {
    int in_slots = tape->values[step->from[0]].slots;
    for (int g = 0; g < take->n; g++)
        tape->backend->kernels.add(
            group_at(tape, step->out, step->out_slots, row, g, take->out_step) + take->out_at,
            group_at(tape, step->in, in_slots, row, g, take->in_step) + take->in_at, take->width);
}

static void take_block(struct backend_tape *tape, const struct step *step, int first, int end,
                       float *sums, int thread) {
    (void)sums;
    (void)thread;
    for (int row = first; row < end; row++) {
        take_part(tape, step, &step->take, row);
        for (int i = 0; i < TAKE_MORE; i++)
            take_part(tape, step, &step->more[i], row);
    }
}

enum jl_status cpu_grad_take(struct backend_tape *tape, const struct step *step,
                             struct jl_error *err) {
    (void)err;
    tape_clear_input(tape, step, 0);
    tape_blocks(tape, step, tape_rows(tape, step), 0, take_block);
    return JL_OK;
}

static void join_block(struct backend_tape *tape, const struct step *step, int first, int end,
                       float *sums, int thread) {
    enum reg_id in = tape_grad_reg(tape, step, 0), in2 = tape_grad_reg(tape, step, 1);
    int second = step->out_width - step->width;
    (void)sums;
    (void)thread;
    for (int row = first; row < end; row++) {
        const float *d = tape_grad(tape, step->out, row);
        tape_put(tape, tape->has[in], d, tape_grad(tape, in, row), step->width);
        tape_put(tape, tape->has[in2], d + step->width, tape_grad(tape, in2, row), second);
    }
}

enum jl_status cpu_grad_join(struct backend_tape *tape, const struct step *step,
                             struct jl_error *err) {
    (void)err;
    tape_blocks(tape, step, tape_rows(tape, step), 0, join_block);
    tape->has[tape_grad_reg(tape, step, 0)] = tape->has[tape_grad_reg(tape, step, 1)] = true;
    return JL_OK;
}

/* ---- where rows come from and go to ---- */

enum jl_status cpu_grad_hidden(struct backend_tape *tape, const struct step *step,
                               struct jl_error *err) {
    (void)err;
    for (int row = 0; tape->ends->dhidden && row < tape->batch->n_row; row++)
        memcpy(tape->ends->dhidden + (size_t)row * (size_t)step->width,
               tape_grad(tape, step->out, row), (size_t)step->width * sizeof(float));
    return JL_OK;
}

enum jl_status cpu_grad_pick(struct backend_tape *tape, const struct step *step,
                             struct jl_error *err) {
    enum reg_id in = tape_grad_reg(tape, step, 0);
    (void)err;
    // Rows' places are ascending: from the last on, none is overwritten that is still to be read,
    // where in and out are one register.
    bool add = tape->has[in];
    int left = tape->n_picked - 1;
    for (int row = tape->batch->n_row - 1; row >= 0; row--) {
        float *to = tape_grad(tape, in, row);
        if (left >= 0 && tape->picked[left] == row) {
            const float *from = tape_grad(tape, step->out, left--);
            if (from != to) tape_put(tape, add, from, to, step->width);
        } else if (!add) {
            memset(to, 0, (size_t)step->width * sizeof *to);
        }
    }
    tape->has[in] = true;
    return JL_OK;
}

/* Nothing comes back through these: positions are given, rounding lets gradients through (they are
 * those of what was rounded), and a check changes nothing. */
enum jl_status cpu_grad_rope_table(struct backend_tape *tape, const struct step *step,
                                   struct jl_error *err) {
    (void)tape;
    (void)step;
    (void)err;
    return JL_OK;
}

enum jl_status cpu_grad_convert(struct backend_tape *tape, const struct step *step,
                                struct jl_error *err) {
    return cpu_grad_rope_table(tape, step, err);
}

enum jl_status cpu_grad_check(struct backend_tape *tape, const struct step *step,
                              struct jl_error *err) {
    return cpu_grad_rope_table(tape, step, err);
}
