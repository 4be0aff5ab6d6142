/* Matrices of heads backwards, by the F32 rule over dequantised weights whatever their type, as
 * absorbing goes forward. An item is a head. What heads make of a matrix that they share is added
 * up in their order. */
#include <string.h>

#include "backend/cpu/tape.h"

/* The head's matrix is (rows, cols); forward takes x (cols) to y (rows), or, transposed, x (rows)
 * to y (cols). */
struct heads_work {
    int rows, cols, n;           // n: vectors
    float *w;                    // (rows, cols), or (cols, rows) where x is to be made of it so
    float *x, *dy;               // (n, ..)
    float *x_turned, *dy_turned; // (.., n)
    float *dx, *dw;              // (n, ..), (rows, cols)
    uint8_t *scratch;
};

static size_t lay_out(const struct backend *backend, const struct step *step, int n,
                      uint8_t *memory, struct heads_work *w) {
    int rows = step->heads.taken, cols = step->w.n_in, wide = rows > cols ? rows : cols;
    uint8_t *at = memory;
    *w = (struct heads_work){.rows = rows, .cols = cols, .n = n};
    struct {
        float **to;
        size_t floats;
    } parts[] = {
        {&w->w, (size_t)wide * cpu_f32_line(wide)},
        {&w->x, (size_t)n * cpu_f32_line(wide)},
        {&w->dy, (size_t)n * cpu_f32_line(wide)},
        {&w->x_turned, (size_t)wide * cpu_f32_line(n)},
        {&w->dy_turned, (size_t)wide * cpu_f32_line(n)},
        {&w->dx, (size_t)n * cpu_f32_line(wide)},
        {&w->dw, (size_t)wide * cpu_f32_line(wide)},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        *parts[i].to = (float *)(void *)at;
        at += parts[i].floats * sizeof(float);
    }
    w->scratch = at;
    size_t a = cpu_product_scratch(backend, DTYPE_F32, XFMT_F32, wide);
    size_t b = cpu_product_scratch(backend, DTYPE_F32, XFMT_F32, n);
    return (size_t)(at - memory) + (a > b ? a : b);
}

size_t cpu_heads_grad_bytes(const struct backend *backend, const struct step *step, int n_rows) {
    uint8_t none[1]; // only distances from it are looked at
    struct heads_work unused;
    return lay_out(backend, step, n_rows, none, &unused);
}

static bool is_shared(const struct step *step) { return step->heads.rows == 0; }

static size_t matrix_floats(const struct step *step) {
    return (size_t)step->heads.taken * (size_t)step->w.n_in;
}

size_t cpu_heads_grad_sums(const struct step *step) {
    return is_shared(step) ? (size_t)step->heads.n * matrix_floats(step) : 0;
}

struct heads_call {
    struct backend_tape *tape;
    const struct step *step;
};

/* The head's weights as numbers. */
static void read_matrix(const struct step *step, int head, struct heads_work *w) {
    const struct weight *weight = &step->w;
    int row0 = head * step->heads.rows + step->heads.row0;
    for (int r = 0; r < w->rows; r++) {
        float *to = w->w + (size_t)r * cpu_f32_line(w->cols);
        dtype_dequantize(weight->dtype, weight->data + (size_t)(row0 + r) * weight->stride, to,
                         w->cols);
        const float *scale = weight->scale ? weight->scale + (size_t)((row0 + r) / F8_SCALE_BLOCK) *
                                                                 weight->scale_stride
                                           : NULL;
        for (int c = 0; scale && c < w->cols; c++)
            to[c] *= scale[c / F8_SCALE_BLOCK];
    }
}

static void read_rows(const struct backend_tape *tape, const struct step *step, int head, int n_x,
                      int n_y, struct heads_work *w) {
    bool wanted = tape->grads[step->w.id].data != NULL;
    int y_width = step->op == OP_ABSORB ? step->out_width : n_y; // of a head of the output
    for (int row = 0; row < w->n; row++) {
        memcpy(w->dy + (size_t)row * cpu_f32_line(n_y),
               tape_grad_head(tape, step->out, step->out_slots, row, head, y_width),
               (size_t)n_y * sizeof(float));
        if (wanted)
            tape_read_head(tape, step, row, head, n_x, w->x + (size_t)row * cpu_f32_line(n_x));
    }
}

/* dW (rows, cols) of the head: rows meet what the matrix's rows belong to. */
static void weight_grad(const struct backend_tape *tape, const struct step *step, int head,
                        struct heads_work *w) {
    const struct backend *backend = tape->backend;
    const struct weight_grad *grad = &tape->grads[step->w.id];
    bool transposed = step->heads.transposed;
    int n_x = transposed ? w->rows : w->cols, n_y = transposed ? w->cols : w->rows;
    cpu_f32_turn(backend, (struct f32_rows){w->x, cpu_f32_line(n_x), w->n}, n_x, w->x_turned,
                 cpu_f32_line(w->n));
    cpu_f32_turn(backend, (struct f32_rows){w->dy, cpu_f32_line(n_y), w->n}, n_y, w->dy_turned,
                 cpu_f32_line(w->n));
    const float *by_row = transposed ? w->x_turned : w->dy_turned;
    const float *by_col = transposed ? w->dy_turned : w->x_turned;
    cpu_f32_product(backend, (struct f32_rows){by_col, cpu_f32_line(w->n), w->cols}, w->n,
                    (struct f32_rows){by_row, cpu_f32_line(w->n), w->rows}, w->dw,
                    cpu_f32_line(w->cols), w->scratch);
    bool shared = is_shared(step);
    float *to = shared ? (float *)(void *)tape->temp[TEMP_SUMS] + (size_t)head * matrix_floats(step)
                       : grad->data +
                             (size_t)(head * step->heads.rows + step->heads.row0) * (size_t)w->cols;
    for (int r = 0; r < w->rows; r++)
        tape_put(tape, !shared, w->dw + (size_t)r * cpu_f32_line(w->cols),
                 to + (size_t)r * (size_t)w->cols, w->cols);
}

static void run_item(void *ctx, int head, int thread) {
    const struct heads_call *call = ctx;
    struct backend_tape *tape = call->tape;
    const struct step *step = call->step;
    const struct backend *backend = tape->backend;
    enum reg_id in = tape_grad_reg(tape, step, 0);
    int in_slots = tape->values[step->from[0]].slots;
    bool transposed = step->heads.transposed;
    struct heads_work w;
    lay_out(backend, step, tape_rows(tape, step), (uint8_t *)tape_thread_temp(tape, thread), &w);
    int n_x = transposed ? w.rows : w.cols, n_y = transposed ? w.cols : w.rows;
    read_matrix(step, head, &w);
    read_rows(tape, step, head, n_x, n_y, &w);
    const float *matrix = w.w; // (n_x, n_y)
    if (!transposed) {
        cpu_f32_turn(backend, (struct f32_rows){w.w, cpu_f32_line(w.cols), w.rows}, w.cols, w.dw,
                     cpu_f32_line(w.rows));
        matrix = w.dw;
    }
    cpu_f32_product(backend, (struct f32_rows){matrix, cpu_f32_line(n_y), n_x}, n_y,
                    (struct f32_rows){w.dy, cpu_f32_line(n_y), w.n}, w.dx, cpu_f32_line(n_x),
                    w.scratch);
    for (int row = 0; row < w.n; row++)
        tape_put(tape, tape->has[in], w.dx + (size_t)row * cpu_f32_line(n_x),
                 tape_grad_head(tape, in, in_slots, row, head, n_x), n_x);
    if (tape->grads[step->w.id].data) weight_grad(tape, step, head, &w);
}

static void run(struct backend_tape *tape, const struct step *step) {
    struct weight_grad *grad = &tape->grads[step->w.id];
    struct heads_call call = {tape, step};
    bool shared = is_shared(step);
    // Two steps may share a matrix, a head's rows of keys and of values.
    if (!shared && grad->data && grad->fresh)
        memset(grad->data, 0, (size_t)step->w.n_out * (size_t)step->w.n_in * sizeof(float));
    if (!shared) grad->fresh = false;
    pool_run(tape->backend->pool, step->heads.n, run_item, &call);
    if (shared && grad->data)
        tape_add_sums(tape, &step->w, step->heads.n, (int)matrix_floats(step));
    tape->has[tape_grad_reg(tape, step, 0)] = true;
}

enum jl_status cpu_grad_heads(struct backend_tape *tape, const struct step *step,
                              struct jl_error *err) {
    (void)err;
    run(tape, step);
    return JL_OK;
}

/* The rotary ends of the queries. */
static void tails_block(struct backend_tape *tape, const struct step *step, int first, int end,
                        float *sums, int thread) {
    const struct heads_spec *heads = &step->heads;
    int slots = tape->values[step->from[1]].slots, width = heads->tail_at + heads->tail;
    (void)sums;
    (void)thread;
    for (int row = first; row < end; row++)
        for (int head = 0; head < heads->n; head++)
            tape->backend->kernels.add(
                tape_grad_head(tape, step->out, step->out_slots, row, head, step->out_width) +
                    step->out_width - heads->tail,
                tape_grad_head(tape, step->in2, slots, row, head, width) + heads->tail_at,
                heads->tail);
}

enum jl_status cpu_grad_absorb(struct backend_tape *tape, const struct step *step,
                               struct jl_error *err) {
    (void)err;
    run(tape, step);
    tape_clear_input(tape, step, 1);
    tape_blocks(tape, step, tape_rows(tape, step), 0, tails_block);
    return JL_OK;
}
