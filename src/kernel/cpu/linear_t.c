/* A matrix from its other side; kernel/ref/linear_t.c is the readable form.
 *
 * A lane is a column of w, so no weight is moved: rows are dequantised into a panel in scratch as
 * they stand, K_BLOCK of them at a time, and every row of x runs over it in register tiles.
 * Between panels the accumulators rest in y, which changes no bit. */
#include "kernel/cpu/columns_f8.h"
#include "kernel/fill.h"
#include "tensor/blocks.h"
#include "tensor/blocks_q.h"
#include "tensor/qblock.h"

/* Rows of x a tile takes: the largest that leaves it more than one vector where registers allow. */
#if defined(JINLIN_LEVEL_AVX512)
enum { TILE_ROWS = 12 };
#else
enum { TILE_ROWS = 6 };
#endif
enum { K_BLOCK = 128, WIDTH_MOST = 16 };

/* x is copied, because its rows are often a power of two apart and would share the first cache's
 * sets. */
struct scratch {
    float panel[K_BLOCK][LINEAR_T_COLUMNS];
    float x[TILE_ROWS][K_BLOCK];
};
_Static_assert(sizeof(struct scratch) <= LINEAR_T_SCRATCH, "the panel must fit the scratch");

/* ---- the panel ---- */

/* As dtype_dequantize has it, 16 elements at a time. */
static void fill_blocks(enum dtype dtype, const uint8_t *from, float *w, int n) {
    const struct dtype_row *type = dtype_row(dtype);
    struct qblock_form form = qblock_form(dtype);
    for (; n > 0; n -= type->block, from += type->bytes) {
        struct qblock block;
        form.unpack(from, &block);
        for (int run = 0; run < type->block / QBLOCK_RUN; run++, w += QBLOCK_RUN) {
            v16 step = v16_set1(block.d * (float)block.scale[run]);
            v16 low = v16_set1(block.dmin * (float)block.min[run]);
            v16 product = v16_mul(step, v16_load_i8(block.q + QBLOCK_RUN * run));
            v16_store(w, v16_sub(product, low));
        }
    }
}

/* The same for a type whose bytes need no unpacking. */
static void fill_q8_0(const uint8_t *block, float *w, int n) {
    for (; n > 0; n -= 32, block += 34, w += 32) {
        v16 d = v16_set1(block_f16(block));
        v16_store(w, v16_mul(d, v16_load_i8(block + Q8_0_Q)));
        v16_store(w + 16, v16_mul(d, v16_load_i8(block + Q8_0_Q + 16)));
    }
}

/* Columns of F8_E4M3 with the scales of their row, the first of them for column `out`. */
static void fill_f8(const uint8_t *from, const float *scale, int out, float *w, int n) {
    for (int i = 0; i < n; i += 16) {
        uint8_t codes[16] = {0};
        memcpy(codes, from + i, n - i < 16 ? (size_t)(n - i) : 16);
        int block = (out + i) / F8_SCALE_BLOCK, split = (block + 1) * F8_SCALE_BLOCK - out - i;
        v16 s = v16_set1(scale[block]);
        if (split < 16 && i + split < n) s = v16_first_n(s, split, v16_set1(scale[block + 1]));
        v16_store(w + i, v16_mul(f8_any(f8_load(codes), 0), s));
    }
}

/* n weights of one row, and zeros up to a whole vector. */
static void fill_row(enum dtype dtype, const uint8_t *from, float *w, int n) {
    int whole = n & ~15;
    if (n > whole) v16_store(w + whole, v16_zero());
    switch (dtype) {
    case DTYPE_BF16:
        for (int i = 0; i < whole; i += 16)
            v16_store(w + i, v16_load_bf16(from + 2 * i));
        if (n > whole) v16_store(w + whole, v16_load_bf16_n(from + 2 * whole, n - whole));
        break;
    case DTYPE_F16:
        for (int i = 0; i < whole; i += 16)
            v16_store(w + i, v16_load_f16(from + 2 * i));
        if (n > whole) v16_store(w + whole, v16_load_f16_n(from + 2 * whole, n - whole));
        break;
    case DTYPE_F32: memcpy(w, from, (size_t)n * sizeof *w); break;
    case DTYPE_Q8_0: fill_q8_0(from, w, n); break;
    default: fill_blocks(dtype, from, w, n); break;
    }
}

/* Rows i .. i+n-1 of the chain, columns out .. out+columns-1. */
static void fill_panel(const struct linear_t_args *args, int out, int columns, int i, int n,
                       struct scratch *scratch) {
    const struct dtype_row *type = dtype_row(args->dtype);
    const uint8_t *from = args->w + (size_t)(args->row0 + i) * args->w_stride +
                          (size_t)(out / type->block) * (size_t)type->bytes;
    for (int k = 0; k < n; k++, from += args->w_stride)
        if (args->dtype == DTYPE_F8_E4M3)
            fill_f8(from,
                    args->scale +
                        (size_t)((args->row0 + i + k) / F8_SCALE_BLOCK) * args->scale_stride,
                    out, scratch->panel[k], columns);
        else
            fill_row(args->dtype, from, scratch->panel[k], columns);
}

/* ---- the tile ---- */

struct tile {
    const struct scratch *scratch;
    int column; // of the panel
    int n;      // steps
    bool fresh; // chains start here, or else go on from y
    float *y;
    size_t y_stride;
};

/* Vectors that stay in registers beside `rows` times as many accumulators and one of x. */
SIMD_INLINE int tile_width(int rows) {
    int width = WIDTH_MOST;
    while (width > 1 && rows * width + (rows == 1 ? 0 : width) + 1 > SIMD_REGISTERS)
        width /= 2;
    return width;
}

/* `lanes` of the last vector exist. */
SIMD_INLINE void tile_run(int rows, int width, int lanes, const struct tile *t) {
    v16 acc[TILE_ROWS][WIDTH_MOST];
    SIMD_UNROLL
    for (int r = 0; r < rows; r++) {
        SIMD_UNROLL
        for (int i = 0; i < width; i++) {
            const float *y = t->y + (size_t)r * t->y_stride + t->column + 16 * i;
            acc[r][i] = t->fresh ? v16_zero() : v16_load_n(y, i == width - 1 ? lanes : 16);
        }
    }
    for (int k = 0; k < t->n; k++) {
        v16 w[WIDTH_MOST];
        SIMD_UNROLL
        for (int i = 0; i < width; i++)
            w[i] = v16_load(t->scratch->panel[k] + t->column + 16 * i);
        SIMD_UNROLL
        for (int r = 0; r < rows; r++) {
            v16 x = v16_set1(t->scratch->x[r][k]);
            SIMD_UNROLL
            for (int i = 0; i < width; i++)
                acc[r][i] = v16_fma(w[i], x, acc[r][i]);
        }
    }
    SIMD_UNROLL
    for (int r = 0; r < rows; r++) {
        SIMD_UNROLL
        for (int i = 0; i < width; i++) {
            float *y = t->y + (size_t)r * t->y_stride + t->column + 16 * i;
            v16_store_n(y, acc[r][i], i == width - 1 ? lanes : 16);
        }
    }
}

/* All columns of the panel, `rows` being a constant. */
SIMD_INLINE void tile_columns(int rows, int columns, struct tile *t) {
    int width = tile_width(rows);
    for (t->column = 0; t->column + 16 * width <= columns; t->column += 16 * width)
        tile_run(rows, width, 16, t);
    for (; t->column + 16 <= columns; t->column += 16)
        tile_run(rows, 1, 16, t);
    if (t->column < columns) tile_run(rows, 1, columns - t->column, t);
}

static void tile_dispatch(int rows, int columns, struct tile *t) {
    switch (rows) {
    case 1: tile_columns(1, columns, t); break;
    case 2: tile_columns(2, columns, t); break;
    case 3: tile_columns(3, columns, t); break;
    case 4: tile_columns(4, columns, t); break;
    case 5: tile_columns(5, columns, t); break;
    case 6: tile_columns(6, columns, t); break;
#if defined(JINLIN_LEVEL_AVX512)
    case 7: tile_columns(7, columns, t); break;
    case 8: tile_columns(8, columns, t); break;
    case 9: tile_columns(9, columns, t); break;
    case 10: tile_columns(10, columns, t); break;
    case 11: tile_columns(11, columns, t); break;
    case 12: tile_columns(12, columns, t); break;
#endif
    default: break;
    }
}

/* ---- the loops ---- */

static void run_panel(const struct linear_t_args *args, int out, int columns, int i, int n,
                      struct scratch *scratch) {
    for (int row = 0; row < args->n_rows;) {
        int left = args->n_rows - row, tiles = (left + TILE_ROWS - 1) / TILE_ROWS;
        int rows = (left + tiles - 1) / tiles; // even shares
        for (int r = 0; r < rows; r++)
            memcpy(scratch->x[r], args->x + (size_t)(row + r) * args->x_stride + i,
                   (size_t)n * sizeof(float));
        struct tile t = {
            .scratch = scratch,
            .n = n,
            .fresh = i == 0,
            .y = args->y + (size_t)row * args->y_stride + out,
            .y_stride = args->y_stride,
        };
        tile_dispatch(rows, columns, &t);
        row += rows;
    }
}

static void linear_t(const struct linear_t_args *args) {
    struct scratch *scratch = (void *)args->scratch;
    int depth =
        args->n_rows > TILE_ROWS ? K_BLOCK : K_BLOCK / 8; // few rows: within the first cache
    for (int out = args->out0; out < args->out1; out += LINEAR_T_COLUMNS) {
        int columns = args->out1 - out;
        if (columns > LINEAR_T_COLUMNS) columns = LINEAR_T_COLUMNS;
        for (int i = 0; i < args->n_in; i += depth) {
            int n = args->n_in - i < depth ? args->n_in - i : depth;
            fill_panel(args, out, columns, i, n, scratch);
            run_panel(args, out, columns, i, n, scratch);
        }
    }
}

void LEVEL_FN(fill_linear_t)(struct kernel_table *table) {
    table->linear_t = linear_t;
    table->row_name[KSLOT_linear_t] = LEVEL_STR("linear_t");
}
