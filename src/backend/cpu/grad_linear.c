/* Matrices backwards. With dy the gradient of y = W x over all rows:
 *   dx = W' dy, the linear rule of W's type over outputs, W' standing beside W (turned.c);
 *   dW = the linear rule over rows: a row of dW is what the transposed inputs make of one output's
 *   gradients. In bf16 both see dy rounded, as x is. */
#include "backend/cpu/tape.h"
#include "tensor/xrow.h"

static size_t element(enum xfmt form) { return form == XFMT_BF16 ? 2 : 4; }

/* Rows that begin at cache lines and not all in the same set. */
static size_t line_bytes(size_t n, enum xfmt form) {
    return (n * element(form) + 2 + 63) / 64 * 64 + 64;
}

struct grad_room {
    uint8_t *x_turned, *dy_turned, *dy, *scratch;
};

static size_t x_turned_bytes(int n_in, int n_rows, enum xfmt form) {
    return (size_t)n_in * line_bytes((size_t)n_rows, form);
}

static size_t dy_bytes(int n_out, int n_rows, enum xfmt form) {
    return form == XFMT_BF16 ? (size_t)n_rows * xrow_layout(form, n_out).bytes : 0;
}

static size_t scratch_bytes(const struct backend *backend, const struct step *step, int n_rows) {
    enum dtype w = step->w.dtype;
    size_t most = LINEAR_T_SCRATCH, bytes;
    if (w == DTYPE_F32 || w == DTYPE_BF16) {
        bytes = cpu_product_scratch(backend, w, step->xfmt, step->w.n_out);
        most = bytes > most ? bytes : most;
    }
    bytes = cpu_product_scratch(backend, step->xfmt == XFMT_BF16 ? DTYPE_BF16 : DTYPE_F32,
                                step->xfmt == XFMT_BF16 ? XFMT_BF16 : XFMT_F32, n_rows);
    return bytes > most ? bytes : most;
}

static void raise(size_t *most, size_t bytes) {
    if (bytes > *most) *most = bytes;
}

void cpu_linear_grad_room(const struct backend *backend, const struct step *step, int n_rows,
                          bool wanted, size_t bytes[TEMP_COUNT]) {
    raise(&bytes[TEMP_THREAD], scratch_bytes(backend, step, n_rows));
    raise(&bytes[TEMP_DY], dy_bytes(step->w.n_out, n_rows, step->xfmt));
    raise(&bytes[TEMP_DX], (size_t)n_rows * xrow_layout(XFMT_F32, step->w.n_in).bytes);
    if (!wanted) return;
    raise(&bytes[TEMP_X_TURNED], x_turned_bytes(step->w.n_in, n_rows, step->xfmt));
    raise(&bytes[TEMP_DY_TURNED], x_turned_bytes(step->w.n_out, n_rows, step->xfmt));
    raise(&bytes[TEMP_DW], (size_t)step->w.n_out * (size_t)step->w.n_in * sizeof(float));
}

size_t cpu_linear_grad_here_bytes(const struct backend *backend, const struct step *step,
                                  int n_rows) {
    return x_turned_bytes(step->w.n_in, n_rows, step->xfmt) +
           x_turned_bytes(step->w.n_out, n_rows, step->xfmt) +
           dy_bytes(step->w.n_out, n_rows, step->xfmt) + scratch_bytes(backend, step, n_rows);
}

/* ---- the pieces ---- */

static struct transpose_args turn_x(const struct linear_grad *g, uint8_t *to) {
    return (struct transpose_args){
        .x = g->x,
        .y = to,
        .x_stride = g->x_stride / element(g->xfmt),
        .y_stride = line_bytes((size_t)g->n_rows, g->xfmt) / element(g->xfmt),
        .rows = g->n_rows,
        .cols = g->w->n_in,
    };
}

/* Where dy has been rounded, that: half as much is read. */
static struct transpose_args turn_dy(const struct linear_grad *g, const uint8_t *rounded,
                                     uint8_t *to) {
    return (struct transpose_args){
        .x = rounded ? rounded : (const uint8_t *)g->dy,
        .y = to,
        .x_stride = rounded ? xrow_layout(XFMT_BF16, g->w->n_out).bytes / 2 : g->dy_stride,
        .y_stride = line_bytes((size_t)g->n_rows, g->xfmt) / element(g->xfmt),
        .rows = g->n_rows,
        .cols = g->w->n_out,
    };
}

static struct cpu_product product_dw(const struct linear_grad *g, const struct grad_room *room) {
    size_t line = line_bytes((size_t)g->n_rows, g->xfmt);
    return (struct cpu_product){
        .w = room->x_turned,
        .w_stride = line,
        .dtype = g->xfmt == XFMT_BF16 ? DTYPE_BF16 : DTYPE_F32,
        .n_out = g->w->n_in,
        .n_in = g->n_rows,
        .x = room->dy_turned,
        .x_stride = line,
        .xfmt = g->xfmt,
        .n_rows = g->w->n_out,
        .y = g->dw,
        .y_stride = (size_t)g->w->n_in,
    };
}

static struct cpu_product product_dx(const struct linear_grad *g, const struct turned_view *turned,
                                     const struct grad_room *room) {
    bool rounded = g->xfmt == XFMT_BF16;
    return (struct cpu_product){
        .w = turned->data,
        .w_stride = turned->stride,
        .dtype = turned->dtype,
        .n_out = g->w->n_in,
        .n_in = g->w->n_out,
        .x = rounded ? room->dy : (const uint8_t *)g->dy,
        .x_stride =
            rounded ? xrow_layout(XFMT_BF16, g->w->n_out).bytes : g->dy_stride * sizeof(float),
        .xfmt = g->xfmt,
        .n_rows = g->n_rows,
        .y = g->dx,
        .y_stride = g->dx_stride,
    };
}

/* dx of a weight without a transposed copy: the matrix from its other side. */
static void from_other_side(const struct backend *backend, const struct linear_grad *g, int out0,
                            int out1, uint8_t *scratch) {
    const struct weight *w = g->w;
    const struct linear_t_args args = {
        .w = g->expert < 0 ? w->data : w->experts[g->expert],
        .w_stride = w->stride,
        .dtype = w->dtype,
        .scale = g->expert < 0 || !w->expert_scales ? w->scale : w->expert_scales[g->expert],
        .scale_stride = w->scale_stride,
        .n_in = w->n_out,
        .out0 = out0,
        .out1 = out1,
        .x = g->dy,
        .x_stride = g->dy_stride,
        .n_rows = g->n_rows,
        .y = g->dx,
        .y_stride = g->dx_stride,
        .scratch = scratch,
    };
    backend->kernels.linear_t(&args);
}

/* ---- on one thread ---- */

void cpu_linear_grad_here(const struct backend_tape *tape, const struct linear_grad *g,
                          uint8_t *memory) {
    const struct backend *backend = tape->backend;
    const struct turned_view turned = cpu_turned(tape->turned, g->w, g->expert);
    struct grad_room room = {.x_turned = memory};
    room.dy_turned = room.x_turned + x_turned_bytes(g->w->n_in, g->n_rows, g->xfmt);
    room.dy = room.dy_turned + x_turned_bytes(g->w->n_out, g->n_rows, g->xfmt);
    room.scratch = room.dy + dy_bytes(g->w->n_out, g->n_rows, g->xfmt);
    size_t row = xrow_layout(XFMT_BF16, g->w->n_out).bytes;
    for (int r = 0; g->xfmt == XFMT_BF16 && r < g->n_rows; r++)
        backend->kernels.to_bf16(g->dy + (size_t)r * g->dy_stride, room.dy + (size_t)r * row,
                                 g->w->n_out);
    if (g->dx && turned.data) {
        const struct cpu_product dx = product_dx(g, &turned, &room);
        cpu_product_here(backend, &dx, room.scratch);
    } else if (g->dx) {
        from_other_side(backend, g, 0, g->w->n_in, room.scratch);
    }
    if (!g->dw) return;
    const struct transpose_args x = turn_x(g, room.x_turned);
    const struct transpose_args dy =
        turn_dy(g, g->xfmt == XFMT_BF16 ? room.dy : NULL, room.dy_turned);
    cpu_turn_here(backend, &x, g->xfmt);
    cpu_turn_here(backend, &dy, g->xfmt);
    const struct cpu_product dw = product_dw(g, &room);
    cpu_product_here(backend, &dw, room.scratch);
}

/* ---- over the threads ---- */

struct round_call {
    const struct backend_tape *tape;
    const struct linear_grad *g;
    uint8_t *to;
};
#define ROUND_ROWS 16 // an item

static void round_item(void *ctx, int item, int thread) {
    const struct round_call *call = ctx;
    const struct linear_grad *g = call->g;
    size_t row = xrow_layout(XFMT_BF16, g->w->n_out).bytes;
    (void)thread;
    for (int r = item * ROUND_ROWS; r < (item + 1) * ROUND_ROWS && r < g->n_rows; r++)
        call->tape->backend->kernels.to_bf16(g->dy + (size_t)r * g->dy_stride,
                                             call->to + (size_t)r * row, g->w->n_out);
}

struct side_call {
    const struct backend_tape *tape;
    const struct linear_grad *g;
};

static void side_item(void *ctx, int item, int thread) {
    const struct side_call *call = ctx;
    int out0 = item * LINEAR_T_COLUMNS, n = call->g->w->n_in;
    from_other_side(call->tape->backend, call->g, out0,
                    out0 + LINEAR_T_COLUMNS < n ? out0 + LINEAR_T_COLUMNS : n,
                    (uint8_t *)tape_thread_temp(call->tape, thread));
}

/* `same_x`: TEMP_X_TURNED still holds this input. */
void cpu_linear_grad(struct backend_tape *tape, const struct linear_grad *g, bool same_x) {
    const struct backend *backend = tape->backend;
    const struct turned_view turned = cpu_turned(tape->turned, g->w, g->expert);
    struct grad_room room = {tape->temp[TEMP_X_TURNED], tape->temp[TEMP_DY_TURNED],
                             tape->temp[TEMP_DY], NULL};
    struct cpu_product products[2];
    int n = 0;
    struct round_call rounding = {tape, g, room.dy};
    if (g->xfmt == XFMT_BF16 && (g->dw || turned.data))
        pool_run(backend->pool, (g->n_rows + ROUND_ROWS - 1) / ROUND_ROWS, round_item, &rounding);
    if (g->dx && turned.data) {
        products[n++] = product_dx(g, &turned, &room);
    } else if (g->dx) {
        struct side_call call = {tape, g};
        pool_run(backend->pool, (g->w->n_in + LINEAR_T_COLUMNS - 1) / LINEAR_T_COLUMNS, side_item,
                 &call);
    }
    if (g->dw) {
        const struct transpose_args x = turn_x(g, room.x_turned);
        const struct transpose_args dy =
            turn_dy(g, g->xfmt == XFMT_BF16 ? room.dy : NULL, room.dy_turned);
        if (!same_x) cpu_turn(backend, &x, g->xfmt);
        cpu_turn(backend, &dy, g->xfmt);
        products[n++] = product_dw(g, &room);
    }
    if (n) cpu_products(tape, products, n);
}

/* ---- sums ---- */

struct add_call {
    const struct backend_tape *tape;
    const float *from;
    float *to;
    size_t from_stride, to_stride;
    int n, per_item, n_row;
};

static void add_item(void *ctx, int item, int thread) {
    const struct add_call *call = ctx;
    (void)thread;
    for (int r = item * call->per_item; r < (item + 1) * call->per_item && r < call->n_row; r++)
        call->tape->backend->kernels.add(call->from + (size_t)r * call->from_stride,
                                         call->to + (size_t)r * call->to_stride, call->n);
}

void cpu_add_rows(struct backend_tape *tape, const float *from, size_t from_stride, float *to,
                  size_t to_stride, int n_row, int n) {
    struct add_call call = {tape, from, to, from_stride, to_stride, n, 1 + 16384 / n, n_row};
    pool_run(tape->backend->pool, (n_row + call.per_item - 1) / call.per_item, add_item, &call);
}

void cpu_add_weight_grad(struct backend_tape *tape, const struct weight *w, const float *dw) {
    size_t n = (size_t)w->n_in;
    cpu_add_rows(tape, dw, n, tape->grads[w->id].data, n, w->n_out, w->n_in);
}

/* ---- the op ---- */

void cpu_linear_step_grad(struct backend_tape *tape, const struct step *step,
                          const struct linear_step_rows *rows) {
    struct weight_grad *grad = &tape->grads[step->w.id];
    struct linear_grad g = {.w = &step->w,
                            .expert = -1,
                            .x = rows->x,
                            .xfmt = step->xfmt == XFMT_BF16 ? XFMT_BF16 : XFMT_F32,
                            .dy = rows->dy,
                            .dy_stride = rows->dy_stride,
                            .n_rows = rows->n,
                            .dx = rows->dx,
                            .dx_stride = rows->dx_stride};
    float *dw = (float *)(void *)tape->temp[TEMP_DW];
    if (rows->x) g.x_stride = tape->values[step->from[0]].stride;
    if (rows->add_dx) {
        g.dx = (float *)(void *)tape->temp[TEMP_DX];
        g.dx_stride = xrow_layout(XFMT_F32, step->w.n_in).bytes / sizeof(float);
    }
    if (grad->data) g.dw = grad->fresh ? grad->data : dw;
    cpu_linear_grad(tape, &g, rows->same_x);
    if (rows->add_dx)
        cpu_add_rows(tape, g.dx, g.dx_stride, rows->dx, rows->dx_stride, rows->n, step->w.n_in);
    if (grad->data && !grad->fresh) cpu_add_weight_grad(tape, &step->w, dw);
    grad->fresh = false;
}

enum jl_status cpu_grad_linear(struct backend_tape *tape, const struct step *step,
                               struct jl_error *err) {
    enum reg_id in = tape_grad_reg(tape, step, 0);
    int made = step->from[0];
    bool wanted = tape->grads[step->w.id].data != NULL;
    const struct linear_step_rows rows = {
        .x = wanted ? tape_value(tape, made, 0) : NULL,
        .dy = tape_grad(tape, step->out, 0),
        .dy_stride = tape->grad_stride[step->out] / sizeof(float),
        .dx = tape_grad(tape, in, 0),
        .dx_stride = tape->grad_stride[in] / sizeof(float),
        .n = tape_rows(tape, step) * step->slots,
        .add_dx = tape->has[in],
        .same_x = wanted && tape->turned_made == made,
    };
    (void)err;
    cpu_linear_step_grad(tape, step, &rows);
    if (wanted) tape->turned_made = made;
    tape->has[in] = true;
    return JL_OK;
}

/* What was there before has the gradient that is there now. */
enum jl_status cpu_grad_linear_add(struct backend_tape *tape, const struct step *step,
                                   struct jl_error *err) {
    return cpu_grad_linear(tape, step, err);
}
