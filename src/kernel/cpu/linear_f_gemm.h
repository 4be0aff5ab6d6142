/* Many rows of x by float weights. Panels of weights and a block of x rows are filled once, both
 * cut into `steps`, and then every type is the same loop: acc = step(panel, x, acc). A step is one
 * float; the BF16 pair rule is a swap of the two floats of a pair in both operands, or on AVX-512,
 * where x is bf16 too, the pair itself is a step. Accumulators rest in y between blocks of k, which
 * changes no bit. */
#ifndef JL_KERNEL_CPU_LINEAR_F_GEMM_H
#define JL_KERNEL_CPU_LINEAR_F_GEMM_H

#include "kernel/cpu/columns_f8.h"
#include "kernel/cpu/linear_f.h"

/* ---- gemm: panels ---- */

/* The register tile is TILE_ROWS rows of x by TILE_WIDTH vectors of outputs. A panel has
 * K_BLOCK steps of the outputs of a tile. Scratch holds PANELS of them, an eighth of a second cache
 * of 1 MB, and the x rows of a tile, for the first cache: copied, because rows of x a power of two
 * apart would share its sets. */
#if defined(JINLIN_LEVEL_AVX512)
enum { TILE_ROWS = 12, TILE_WIDTH = 2, PANELS = 4 };
#else
enum { TILE_ROWS = 6, TILE_WIDTH = 1, PANELS = 8 };
#endif
enum { TILE_OUTPUTS = 16 * TILE_WIDTH, K_BLOCK = 256 };

struct gemm_scratch {
    uint32_t panel[PANELS][K_BLOCK][TILE_OUTPUTS];
    uint32_t x[TILE_ROWS][K_BLOCK];
    float scale[PANELS][TILE_OUTPUTS];
};

static size_t gemm_scratch_bytes(int n_in) {
    (void)n_in;
    return sizeof(struct gemm_scratch);
}

/* Four F8 of each lane: two pairs, or four floats with each pair swapped. */
SIMD_INLINE void pack_f8(enum kind kind, v16i column, uint32_t (*step)[TILE_OUTPUTS]) {
    bool special = f8_special(column);
    (void)kind;
#if !SIMD_SPLITS_PAIRS
    if (steps_pairs(kind)) {
        COLUMNS_UNROLL
        for (int h = 0; h < 2; h++)
            columns_store(step[h], special ? f8_any_pair(column, h) : f8_normal_pair(column, h));
        return;
    }
#endif
    COLUMNS_UNROLL
    for (int i = 0; i < 4; i++)
        v16_store((float *)step[i ^ 1], special ? f8_any(column, i) : f8_normal(column, i));
}

/* One block of 16 outputs into steps from `step` on, TILE_OUTPUTS apart. */
SIMD_INLINE void pack_block(enum kind kind, const v16i column[COLUMNS],
                            uint32_t (*step)[TILE_OUTPUTS]) {
    COLUMNS_UNROLL
    for (int j = 0; j < COLUMNS; j++) {
        if (is_scaled(kind)) {
            pack_f8(kind, column[j], step + (steps_pairs(kind) ? 2 : 4) * j);
            continue;
        }
        if (kind == KIND_F32 || steps_pairs(kind)) {
            columns_store(step[j], column[j]);
            continue;
        }
        v16 even, odd;
        if (kind == KIND_F16) {
            columns_f16(column[j], &even, &odd);
        } else {
            odd = v16_pair_even(column[j]); // swapped: the second of a pair goes first
            even = v16_pair_odd(column[j]);
        }
        v16_store((float *)step[2 * j], even);
        v16_store((float *)step[2 * j + 1], odd);
    }
}

/* Elements k .. k+n-1 of 16 outputs from o on, of which `present` exist; the rest is zeros.
 * `ahead`: as far from here lies what is packed next, fetched meanwhile. */
SIMD_INLINE void pack_outputs(enum kind kind, const struct linear_args *args, int o, int present,
                              int k, int n, size_t ahead, uint32_t (*step)[TILE_OUTPUTS]) {
    int block = COLUMN_BYTES / weight_bytes(kind), steps = step_count(kind, block);
    const uint8_t *w = args->w + (size_t)o * args->w_stride;
    for (int at = 0; at < n; at += block, step += steps) {
        const uint8_t *p = w + (size_t)(k + at) * (size_t)weight_bytes(kind);
        v16i column[COLUMNS];
        int left = n - at < block ? n - at : block;
        if (left == block && present == 16) {
            COLUMNS_UNROLL
            for (int i = 0; i < 16; i++)
                SIMD_PREFETCH(p + ahead + (size_t)i * args->w_stride);
            columns_load(p, args->w_stride, column);
        } else {
            columns_load_edge(p, args->w_stride, present, left * weight_bytes(kind), column);
        }
        pack_block(kind, column, step);
    }
}

/* Elements k .. k+n-1 of one row of x as steps. */
SIMD_INLINE void pack_x(enum kind kind, const uint8_t *x, int k, int n, uint32_t *step) {
    const uint8_t *from = x + (size_t)k * (size_t)x_bytes(kind);
    if (!is_paired(kind) || steps_pairs(kind)) {
        memcpy(step, from, (size_t)step_count(kind, n) * sizeof *step);
        return;
    }
    int i = 0;
    for (; i + 2 <= n; i += 2) {
        if (x_is_bf16(kind)) {
            uint32_t pair;
            memcpy(&pair, from + 2 * i, sizeof pair);
            step[i] = pair & 0xffff0000u;
            step[i + 1] = pair << 16;
        } else {
            memcpy(&step[i], from + 4 * i + 4, sizeof *step);
            memcpy(&step[i + 1], from + 4 * i, sizeof *step);
        }
    }
    if (i == n) return;
    uint16_t half;
    step[i] = 0; // the missing odd element
    if (x_is_bf16(kind)) {
        memcpy(&half, from + 2 * i, sizeof half);
        step[i + 1] = (uint32_t)half << 16;
    } else {
        memcpy(&step[i + 1], from + 4 * i, sizeof *step);
    }
}

/* ---- gemm: the tile ---- */

struct tile {
    const uint32_t (*x)[K_BLOCK];          // [rows][steps]
    const uint32_t (*panel)[TILE_OUTPUTS]; // [steps][outputs]
    int steps;
    bool fresh;         // chains start here, or else go on from y
    const float *scale; // [outputs], or NULL: then the steps' chain is one step of that in y
    float *y;
    size_t y_stride;
};

SIMD_INLINE v16 tile_step(bool pairs, v16i w, const uint32_t *x, v16 acc) {
    if (pairs) return v16_dpbf16(acc, w, v16i_set1((int32_t)*x));
    float value;
    memcpy(&value, x, sizeof value);
    return v16_fma(columns_f32(w), v16_set1(value), acc);
}

SIMD_INLINE void tile_rows(bool pairs, int rows, const struct tile *t) {
    v16 acc[TILE_ROWS][TILE_WIDTH];
    COLUMNS_UNROLL
    for (int r = 0; r < rows; r++) {
        COLUMNS_UNROLL
        for (int i = 0; i < TILE_WIDTH; i++)
            acc[r][i] = t->fresh || t->scale ? v16_zero()
                                             : v16_load(t->y + (size_t)r * t->y_stride + 16 * i);
    }
    const uint32_t(*panel)[TILE_OUTPUTS] = t->panel;
    const uint32_t *x = t->x[0];
    for (int s = 0; s < t->steps; s++) {
        v16i w[TILE_WIDTH];
        COLUMNS_UNROLL
        for (int i = 0; i < TILE_WIDTH; i++)
            w[i] = v16i_load(panel[s] + 16 * i);
        COLUMNS_UNROLL
        for (int r = 0; r < rows; r++) {
            COLUMNS_UNROLL
            for (int i = 0; i < TILE_WIDTH; i++)
                acc[r][i] = tile_step(pairs, w[i], x + r * K_BLOCK + s, acc[r][i]);
        }
    }
    COLUMNS_UNROLL
    for (int r = 0; r < rows; r++) {
        COLUMNS_UNROLL
        for (int i = 0; i < TILE_WIDTH; i++) {
            float *y = t->y + (size_t)r * t->y_stride + 16 * i;
            if (t->scale)
                acc[r][i] = v16_fma(acc[r][i], v16_load(t->scale + 16 * i),
                                    t->fresh ? v16_zero() : v16_load(y));
            v16_store(y, acc[r][i]);
        }
    }
}

SIMD_INLINE void tile_run(bool pairs, int rows, const struct tile *t) {
    if (rows == 1) tile_rows(pairs, 1, t);
    if (rows == 2) tile_rows(pairs, 2, t);
    if (rows == 3) tile_rows(pairs, 3, t);
    if (rows == 4) tile_rows(pairs, 4, t);
    if (rows == 5) tile_rows(pairs, 5, t);
    if (rows == 6) tile_rows(pairs, 6, t);
#if defined(JINLIN_LEVEL_AVX512)
    if (rows == 7) tile_rows(pairs, 7, t);
    if (rows == 8) tile_rows(pairs, 8, t);
    if (rows == 9) tile_rows(pairs, 9, t);
    if (rows == 10) tile_rows(pairs, 10, t);
    if (rows == 11) tile_rows(pairs, 11, t);
    if (rows == 12) tile_rows(pairs, 12, t);
#endif
}

static void tile_floats(int rows, const struct tile *t) { tile_run(false, rows, t); }
#if !SIMD_SPLITS_PAIRS
static void tile_pairs(int rows, const struct tile *t) { tile_run(true, rows, t); }
#else
#define tile_pairs tile_floats
#endif

/* A tile of which only `outputs` columns of y exist. */
static void tile_edge(bool pairs, int rows, int outputs, const struct tile *t) {
    float y[TILE_ROWS][TILE_OUTPUTS] = {0};
    size_t bytes = (size_t)outputs * sizeof y[0][0];
    struct tile whole = *t;
    whole.y = y[0];
    whole.y_stride = TILE_OUTPUTS;
    for (int r = 0; r < rows && !t->fresh; r++)
        memcpy(y[r], t->y + (size_t)r * t->y_stride, bytes);
    if (pairs)
        tile_pairs(rows, &whole);
    else
        tile_floats(rows, &whole);
    for (int r = 0; r < rows; r++)
        memcpy(t->y + (size_t)r * t->y_stride, y[r], bytes);
}

/* ---- gemm: the loops ---- */

/* All rows over elements k .. k+n-1 of the outputs o .. o+outputs-1. */
SIMD_INLINE void gemm_block(enum kind kind, const struct linear_args *args, int o, int outputs,
                            int k, int n) {
    struct gemm_scratch *scratch = (void *)args->scratch;
    bool pairs = steps_pairs(kind);
    size_t ahead = (size_t)n * (size_t)weight_bytes(kind); // the next block of k, or of outputs
    if (k + n == args->n_in)
        ahead = PANELS * TILE_OUTPUTS * args->w_stride - (size_t)k * (size_t)weight_bytes(kind);
    for (int i = 0; i < outputs; i += 16) {
        int present = outputs - i < 16 ? outputs - i : 16;
        uint32_t *first = scratch->panel[i / TILE_OUTPUTS][0] + i % TILE_OUTPUTS;
        pack_outputs(kind, args, o + i, present, k, n, ahead, (uint32_t(*)[TILE_OUTPUTS])first);
        if (is_scaled(kind)) v16_store(scratch->scale[0] + i, scales_at(args, o + i, k));
    }
    for (int row = 0; row < args->n_rows;) {
        int left = args->n_rows - row, tiles = (left + TILE_ROWS - 1) / TILE_ROWS;
        int rows = (left + tiles - 1) / tiles; // even shares
        for (int r = 0; r < rows; r++)
            pack_x(kind, linear_x(args, row + r), k, n, scratch->x[r]);
        struct tile t = {
            .x = (const uint32_t(*)[K_BLOCK])scratch->x,
            .steps = step_count(kind, n),
            .fresh = k == 0,
            .y_stride = args->y_stride,
        };
        for (int i = 0; i < outputs; i += TILE_OUTPUTS) {
            t.panel = (const uint32_t(*)[TILE_OUTPUTS])scratch->panel[i / TILE_OUTPUTS];
            t.scale = is_scaled(kind) ? scratch->scale[i / TILE_OUTPUTS] : NULL;
            t.y = args->y + (size_t)row * args->y_stride + o + i;
            if (outputs - i < TILE_OUTPUTS)
                tile_edge(pairs, rows, outputs - i, &t);
            else if (pairs)
                tile_pairs(rows, &t);
            else
                tile_floats(rows, &t);
        }
        row += rows;
    }
}

SIMD_INLINE void gemm(enum kind kind, const struct linear_args *args) {
    int block = is_scaled(kind)     ? F8_SCALE_BLOCK
                : steps_pairs(kind) ? 2 * K_BLOCK
                                    : K_BLOCK; // elements
    for (int o = args->out0; o < args->out1; o += PANELS * TILE_OUTPUTS) {
        int left = args->out1 - o;
        int outputs = left < PANELS * TILE_OUTPUTS ? left : PANELS * TILE_OUTPUTS;
        for (int k = 0; k < args->n_in; k += block)
            gemm_block(kind, args, o, outputs, k, args->n_in - k < block ? args->n_in - k : block);
    }
}

#endif
