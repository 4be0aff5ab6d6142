/* Optimizers and transposed copies over the vector vocabulary; kernel/ref/optim.c is their readable
 * form. */
#include "kernel/cpu/columns.h"
#include "kernel/fill.h"
#include "kernel/grad.h"

static void adamw(const struct adamw_args *args) {
    const v16 keep1 = v16_set1(1.0f - args->beta1), keep2 = v16_set1(1.0f - args->beta2);
    const v16 fix1 = v16_set1(args->fix1), fix2 = v16_set1(args->fix2), eps = v16_set1(args->eps);
    const v16 decay = v16_set1(args->decay), clip = v16_set1(args->clip);
    const v16 down = v16_set1(-args->rate);
    for (size_t i = 0; i < args->n; i += 16) {
        int lanes = args->n - i < 16 ? (int)(args->n - i) : 16;
        v16 g = v16_mul(clip, v16_load_n(args->grad + i, lanes));
        v16 m = v16_load_n(args->m + i, lanes), v = v16_load_n(args->v + i, lanes);
        v16 w = v16_load_n(args->w + i, lanes);
        m = v16_fma(keep1, v16_sub(g, m), m);
        v = v16_fma(keep2, v16_fms(g, g, v), v);
        v16 step = v16_div(v16_mul(m, fix1), v16_add(v16_sqrt(v16_mul(v, fix2)), eps));
        v16_store_n(args->m + i, m, lanes);
        v16_store_n(args->v + i, v, lanes);
        v16_store_n(args->w + i, v16_fma(down, v16_fma(decay, w, step), w), lanes);
    }
}

/* ---- transposed copies: squares of 16 dwords ---- */

static void load_square(const uint8_t *p, size_t stride, int rows, int bytes,
                        v16i column[COLUMNS]) {
    if (rows == 16 && bytes == COLUMN_BYTES)
        columns_load(p, stride, column);
    else
        columns_load_edge(p, stride, rows, bytes, column);
}

static int least(int a, int b) { return a < b ? a : b; }

static void transpose_f32(const struct transpose_args *args) {
    for (int r = 0; r < args->rows; r += 16)
        for (int c = 0; c < args->cols; c += COLUMNS) {
            int rows = least(args->rows - r, 16), cols = least(args->cols - c, COLUMNS);
            const float *x = (const float *)args->x + (size_t)r * args->x_stride + c;
            float *y = (float *)args->y + (size_t)c * args->y_stride + r;
            v16i column[COLUMNS];
            load_square((const uint8_t *)x, args->x_stride * 4, rows, 4 * cols, column);
            for (int j = 0; j < cols; j++)
                v16_store_n(y + (size_t)j * args->y_stride, columns_f32(column[j]), rows);
        }
}

/* A line of y of `n` elements, n up to 32, of which the odd last one is given its partner. */
static void store_halves(uint16_t *y, v16i line, int n, bool last) {
    if (n == 32) {
        columns_store(y, line);
        return;
    }
    uint16_t whole[32];
    columns_store(whole, line);
    memcpy(y, whole, (size_t)n * sizeof *y);
    if (last && n % 2) y[n] = 0;
}

/* 32 rows by 32 columns; lanes of `even` and `odd` are the rows of even and of odd number. */
static void transpose_bf16(const struct transpose_args *args) {
    size_t bytes = args->x_stride * 2;
    for (int r = 0; r < args->rows; r += 32)
        for (int c = 0; c < args->cols; c += 32) {
            int rows = least(args->rows - r, 32), cols = least(args->cols - c, 32);
            const uint8_t *x =
                (const uint8_t *)((const uint16_t *)args->x + (size_t)r * args->x_stride + c);
            uint16_t *y = (uint16_t *)args->y + (size_t)c * args->y_stride + r;
            bool last = r + 32 >= args->rows;
            v16i even[COLUMNS], odd[COLUMNS];
            load_square(x, 2 * bytes, (rows + 1) / 2, 2 * cols, even);
            load_square(x + bytes, 2 * bytes, rows / 2, 2 * cols, odd);
            for (int j = 0; j < cols; j += 2, y += 2 * args->y_stride) {
                store_halves(y, v16i_low_halves(even[j / 2], odd[j / 2]), rows, last);
                if (j + 1 < cols)
                    store_halves(y + args->y_stride, v16i_high_halves(even[j / 2], odd[j / 2]),
                                 rows, last);
            }
        }
}

void LEVEL_FN(fill_optim)(struct kernel_table *table) {
#define FILL(slot)                                                                                 \
    table->slot = slot;                                                                            \
    table->row_name[KSLOT_##slot] = LEVEL_STR(#slot)
    FILL(adamw);
    FILL(transpose_f32);
    FILL(transpose_bf16);
#undef FILL
}
