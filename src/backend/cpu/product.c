/* Products of the way back: matrices that are made for one step, through the linear kernels, and
 * the transposed copies that bring them into form. */
#include "backend/cpu/tape.h"

size_t cpu_product_scratch(const struct backend *backend, enum dtype dtype, enum xfmt xfmt,
                           int n_in) {
    return kernel_linear_scratch(&backend->kernels, dtype, xfmt, n_in);
}

static void run_outputs(const struct backend *backend, const struct cpu_product *p, int out0,
                        int out1, uint8_t *scratch) {
    const struct linear_args args = {
        .w = p->w,
        .w_stride = p->w_stride,
        .n_in = p->n_in,
        .x = p->x,
        .x_stride = p->x_stride,
        .n_rows = p->n_rows,
        .out0 = out0,
        .out1 = out1,
        .y = p->y,
        .y_stride = p->y_stride,
        .scratch = scratch,
    };
    kernel_linear(&backend->kernels, p->dtype, p->xfmt, p->n_rows)->run(&args);
}

void cpu_product_here(const struct backend *backend, const struct cpu_product *product,
                      uint8_t *scratch) {
    run_outputs(backend, product, 0, product->n_out, scratch);
}

#define MOST_PRODUCTS 4

struct products_call {
    struct backend_tape *tape;
    const struct cpu_product *products;
    int per_item[MOST_PRODUCTS], first[MOST_PRODUCTS + 1];
};

static void run_item(void *ctx, int item, int thread) {
    const struct products_call *call = ctx;
    int which = 0;
    while (item >= call->first[which + 1])
        which++;
    const struct cpu_product *p = &call->products[which];
    int out0 = (item - call->first[which]) * call->per_item[which];
    int out1 = out0 + call->per_item[which];
    run_outputs(call->tape->backend, p, out0, out1 < p->n_out ? out1 : p->n_out,
                (uint8_t *)tape_thread_temp(call->tape, thread));
}

void cpu_products(struct backend_tape *tape, const struct cpu_product *products, int n) {
    struct products_call call = {.tape = tape, .products = products};
    struct backend *backend = tape->backend;
    for (int i = 0; i < n; i++) {
        const struct cpu_product *p = &products[i];
        int tile = kernel_linear(&backend->kernels, p->dtype, p->xfmt, p->n_rows)->tile;
        call.per_item[i] = cpu_part_outputs(backend, p->n_out, tile, p->n_in, p->n_rows, 1);
        call.first[i + 1] = call.first[i] + (p->n_out + call.per_item[i] - 1) / call.per_item[i];
    }
    pool_run(backend->pool, call.first[n], run_item, &call);
}

/* ---- transposed copies ---- */

#define TURN_COLS 64
#define TURN_ROWS 256 // even: pairs stay whole

void cpu_turn_here(const struct backend *backend, const struct transpose_args *args,
                   enum xfmt form) {
    if (form == XFMT_BF16)
        backend->kernels.transpose_bf16(args);
    else
        backend->kernels.transpose_f32(args);
}

struct turn_call {
    const struct backend *backend;
    const struct transpose_args *args;
    enum xfmt form;
    int n_row_block;
};

static void turn_item(void *ctx, int item, int thread) {
    const struct turn_call *call = ctx;
    const struct transpose_args *all = call->args;
    int row = item % call->n_row_block * TURN_ROWS, col = item / call->n_row_block * TURN_COLS;
    size_t element = call->form == XFMT_BF16 ? 2 : 4;
    struct transpose_args part = *all;
    (void)thread;
    part.x = (const uint8_t *)all->x + ((size_t)row * all->x_stride + (size_t)col) * element;
    part.y = (uint8_t *)all->y + ((size_t)col * all->y_stride + (size_t)row) * element;
    part.rows = all->rows - row < TURN_ROWS ? all->rows - row : TURN_ROWS;
    part.cols = all->cols - col < TURN_COLS ? all->cols - col : TURN_COLS;
    cpu_turn_here(call->backend, &part, call->form);
}

void cpu_turn(const struct backend *backend, const struct transpose_args *args, enum xfmt form) {
    struct turn_call call = {backend, args, form, (args->rows + TURN_ROWS - 1) / TURN_ROWS};
    int n_col_block = (args->cols + TURN_COLS - 1) / TURN_COLS;
    pool_run(backend->pool, call.n_row_block * n_col_block, turn_item, &call);
}

/* ---- squares of f32 ---- */

void cpu_f32_product(const struct backend *backend, struct f32_rows w, int n_in, struct f32_rows x,
                     float *y, size_t y_line, uint8_t *scratch) {
    const struct cpu_product p = {
        .w = (const uint8_t *)w.at,
        .w_stride = w.line * sizeof *w.at,
        .dtype = DTYPE_F32,
        .n_out = w.n,
        .n_in = n_in,
        .x = (const uint8_t *)x.at,
        .x_stride = x.line * sizeof *x.at,
        .xfmt = XFMT_F32,
        .n_rows = x.n,
        .y = y,
        .y_stride = y_line,
    };
    cpu_product_here(backend, &p, scratch);
}

void cpu_f32_turn(const struct backend *backend, struct f32_rows x, int n_col, float *y,
                  size_t y_line) {
    const struct transpose_args args = {x.at, y, x.line, y_line, x.n, n_col};
    cpu_turn_here(backend, &args, XFMT_F32);
}
