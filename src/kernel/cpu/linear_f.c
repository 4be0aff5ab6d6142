/* Linear bodies of the float types: one chain an output, k ascending, 16 outputs side by side in
 * the lanes of a vector.
 *
 * gemv turns 16 weight rows into lanes in registers and drops them after use. gemm does so once for
 * many rows of x: it fills panels of weights and a block of x rows, both cut into `steps`, and then
 * every type is the same loop: acc = step(panel, x, acc). A step is one float; the BF16 pair rule
 * is a swap of the two floats of a pair in both operands, or on AVX-512, where x is bf16 too, the
 * pair itself is a step. Accumulators rest in y between blocks of k, which changes no bit. The
 * chain of an F8 output starts afresh at each block of k that shares a scale, and is then one step
 * of another chain. */
#include "kernel/cpu/columns.h"
#include "kernel/cpu/columns_f8.h"
#include "kernel/fill.h"

enum kind { KIND_F32, KIND_F16, KIND_BF16_F32, KIND_BF16, KIND_F8_F32, KIND_F8 };

/* ---- what the kinds are ---- */

SIMD_INLINE bool is_scaled(enum kind kind) { return kind == KIND_F8_F32 || kind == KIND_F8; }
SIMD_INLINE int weight_bytes(enum kind kind) {
    return kind == KIND_F32 ? 4 : is_scaled(kind) ? 1 : 2;
}
SIMD_INLINE bool x_is_bf16(enum kind kind) { return kind == KIND_BF16 || kind == KIND_F8; }
SIMD_INLINE int x_bytes(enum kind kind) { return x_is_bf16(kind) ? 2 : 4; }
SIMD_INLINE bool is_paired(enum kind kind) { return kind >= KIND_BF16_F32; }
/* Are gemm's steps pairs of bf16, or else floats? */
SIMD_INLINE bool steps_pairs(enum kind kind) { return x_is_bf16(kind) && !SIMD_SPLITS_PAIRS; }
/* Steps that n elements take. */
SIMD_INLINE int step_count(enum kind kind, int n) {
    if (steps_pairs(kind)) return (n + 1) / 2;
    return is_paired(kind) ? n + n % 2 : n;
}

SIMD_INLINE float x_at(const uint8_t *x, int k) {
    float value;
    memcpy(&value, x + 4 * (size_t)k, sizeof value);
    return value;
}

/* Scales of 16 outputs from o on, for elements of the block that holds k; outputs that do not exist
 * may have any. */
SIMD_INLINE v16 scales_at(const struct linear_args *args, int o, int k) {
    const float *scale = args->scale + k / F8_SCALE_BLOCK;
    int row = o / F8_SCALE_BLOCK, last = o + 15 < args->out1 ? o + 15 : args->out1 - 1;
    v16 first = v16_set1(scale[(size_t)row * args->scale_stride]);
    if (last / F8_SCALE_BLOCK == row) return first;
    v16 second = v16_set1(scale[(size_t)(row + 1) * args->scale_stride]);
    return v16_first_n(first, (row + 1) * F8_SCALE_BLOCK - o, second);
}

/* ---- gemv ---- */

#define GEMV_ROWS 4

struct gemv_place {
    const uint8_t *x[GEMV_ROWS];
    int k; // first element of the block
};

/* A pair of elements of each lane, of which only the even one may exist. */
SIMD_INLINE void chain_floats(v16 even, v16 odd, bool whole, const struct gemv_place *at, int k,
                              int rows, v16 acc[GEMV_ROWS]) {
    COLUMNS_UNROLL
    for (int r = 0; r < rows; r++) {
        acc[r] = v16_fma(odd, whole ? v16_set1(x_at(at->x[r], k + 1)) : v16_zero(), acc[r]);
        acc[r] = v16_fma(even, v16_set1(x_at(at->x[r], k)), acc[r]);
    }
}

/* chain_column for weights of F8: two pairs a lane. */
SIMD_INLINE void chain_f8(enum kind kind, v16i column, const struct gemv_place *at, int j, int n,
                          int rows, v16 acc[GEMV_ROWS]) {
    bool special = f8_special(column);
    COLUMNS_UNROLL
    for (int h = 0; h < 2; h++) {
        if (2 * h >= n) continue;
        int k = at->k + 4 * j + 2 * h;
#if !SIMD_SPLITS_PAIRS
        if (kind == KIND_F8) {
            v16i w = special ? f8_any_pair(column, h) : f8_normal_pair(column, h);
            COLUMNS_UNROLL
            for (int r = 0; r < rows; r++) {
                const uint16_t *pair = (const uint16_t *)(const void *)(at->x[r] + 2 * (size_t)k);
                acc[r] = v16_dpbf16(acc[r], w, v16i_set1_pair(pair));
            }
            continue;
        }
#endif
        v16 even = special ? f8_any(column, 2 * h) : f8_normal(column, 2 * h);
        v16 odd = special ? f8_any(column, 2 * h + 1) : f8_normal(column, 2 * h + 1);
        if (kind == KIND_F8_F32) {
            chain_floats(even, odd, 2 * h + 1 < n, at, k, rows, acc);
            continue;
        }
        COLUMNS_UNROLL
        for (int r = 0; r < rows; r++) {
            const uint16_t *pair = (const uint16_t *)(const void *)(at->x[r] + 2 * (size_t)k);
            v16i x = v16i_set1_pair(pair);
            acc[r] = v16_fma(odd, v16_pair_odd(x), acc[r]);
            acc[r] = v16_fma(even, v16_pair_even(x), acc[r]);
        }
    }
}

/* The chains of `rows` rows of x over one dword column of weights, of which n elements exist. */
SIMD_INLINE void chain_column(enum kind kind, v16i column, const struct gemv_place *at, int j,
                              int n, int rows, v16 acc[GEMV_ROWS]) {
    int k = at->k + (kind == KIND_F32 ? j : 2 * j);
    bool whole = n > 1;
    if (is_scaled(kind)) {
        chain_f8(kind, column, at, j, n, rows, acc);
        return;
    }
    if (kind == KIND_BF16) {
        COLUMNS_UNROLL
        for (int r = 0; r < rows; r++) {
            const uint16_t *pair = (const uint16_t *)(const void *)(at->x[r] + 2 * (size_t)k);
            acc[r] = v16_dpbf16(acc[r], column, v16i_set1_pair(pair));
        }
        return;
    }
    v16 even, odd;
    if (kind == KIND_F32) {
        even = columns_f32(column);
    } else if (kind == KIND_F16) {
        columns_f16(column, &even, &odd);
    } else {
        even = v16_pair_even(column);
        odd = v16_pair_odd(column);
    }
    if (kind == KIND_BF16_F32) {
        chain_floats(even, odd, whole, at, k, rows, acc);
        return;
    }
    COLUMNS_UNROLL
    for (int r = 0; r < rows; r++) {
        acc[r] = v16_fma(even, v16_set1(x_at(at->x[r], k)), acc[r]);
        if (kind == KIND_F16 && whole)
            acc[r] = v16_fma(odd, v16_set1(x_at(at->x[r], k + 1)), acc[r]);
    }
}

/* The last block of a row, or any block of fewer than 16 outputs: n elements of `present` outputs.
 * Out of line: speed and its many copies matter little here. */
static __attribute__((noinline)) void chain_edge(enum kind kind, const uint8_t *w, size_t w_stride,
                                                 int present, const struct gemv_place *at, int n,
                                                 int rows, v16 acc[GEMV_ROWS]) {
    v16i column[COLUMNS];
    int per = 4 / weight_bytes(kind);
    columns_load_edge(w, w_stride, present, n * weight_bytes(kind), column);
    for (int j = 0; j * per < n; j++)
        chain_column(kind, column[j], at, j, n - j * per, rows, acc);
}

/* Ends the chains of a block of k that shares a scale: one step of the outer ones. */
SIMD_INLINE void chain_fold(const struct linear_args *args, int o, int k, int rows,
                            v16 acc[GEMV_ROWS], v16 total[GEMV_ROWS]) {
    v16 scale = scales_at(args, o, k);
    COLUMNS_UNROLL
    for (int r = 0; r < rows; r++) {
        total[r] = v16_fma(acc[r], scale, total[r]);
        acc[r] = v16_zero();
    }
}

/* `groups` times 16 outputs from o on, of which the last may lack some, for `rows` rows of x. What
 * follows in memory is fetched into the second cache meanwhile, line after line: the rows of one
 * group of outputs are too many streams, and too much for the first cache. */
SIMD_INLINE void gemv_outputs(enum kind kind, const struct linear_args *args, int row0, int rows,
                              int o, int groups, int outputs) {
    struct gemv_place at = {.k = 0};
    for (int r = 0; r < rows; r++)
        at.x[r] = args->x + (size_t)(row0 + r) * args->x_stride;
    const uint8_t *w = args->w + (size_t)o * args->w_stride;
    const uint8_t *ahead = w + 16 * (size_t)groups * args->w_stride; // the outputs after these
    size_t group_stride = 16 * args->w_stride;
    int block = COLUMN_BYTES / weight_bytes(kind); // elements
    int whole = outputs < 16 * groups ? 0 : args->n_in - args->n_in % block;
    v16 acc[2][GEMV_ROWS], total[2][GEMV_ROWS]; // total: where there are scales
    for (int g = 0; g < groups; g++)
        for (int r = 0; r < rows; r++)
            acc[g][r] = total[g][r] = v16_zero();
    for (; at.k < whole; at.k += block, w += COLUMN_BYTES) {
        COLUMNS_UNROLL
        for (int g = 0; g < groups; g++) {
            COLUMNS_UNROLL
            for (int line = 0; line < 16 * COLUMN_BYTES; line += 64)
                _mm_prefetch((const char *)ahead + line, _MM_HINT_T1);
            ahead += 16 * COLUMN_BYTES;
            v16i column[COLUMNS];
            columns_load(w + (size_t)g * group_stride, args->w_stride, column);
            COLUMNS_UNROLL
            for (int j = 0; j < COLUMNS; j++)
                chain_column(kind, column[j], &at, j, block, rows, acc[g]);
            if (is_scaled(kind) && (at.k + block) % F8_SCALE_BLOCK == 0)
                chain_fold(args, o + 16 * g, at.k, rows, acc[g], total[g]);
        }
    }
    for (; at.k < args->n_in; at.k += block, w += COLUMN_BYTES)
        for (int g = 0; g < groups; g++) {
            int n = args->n_in - at.k < block ? args->n_in - at.k : block;
            int present = outputs - 16 * g < 16 ? outputs - 16 * g : 16;
            chain_edge(kind, w + (size_t)g * group_stride, args->w_stride, present, &at, n, rows,
                       acc[g]);
            bool ends = (at.k + n) % F8_SCALE_BLOCK == 0 || at.k + n == args->n_in;
            if (is_scaled(kind) && ends) chain_fold(args, o + 16 * g, at.k, rows, acc[g], total[g]);
        }
    if (is_scaled(kind) && whole == args->n_in && whole % F8_SCALE_BLOCK)
        for (int g = 0; g < groups; g++)
            chain_fold(args, o + 16 * g, whole - 1, rows, acc[g], total[g]);
    for (int g = 0; g < groups; g++) {
        int present = outputs - 16 * g < 16 ? outputs - 16 * g : 16;
        for (int r = 0; r < rows; r++)
            v16_store_n(args->y + (size_t)(row0 + r) * args->y_stride + o + 16 * g,
                        is_scaled(kind) ? total[g][r] : acc[g][r], present);
    }
}

SIMD_INLINE void gemv_rows(enum kind kind, const struct linear_args *args, int row0, int rows) {
    int o = args->out0;
    if (rows == 1)
        for (; o + 32 <= args->out1; o += 32)
            gemv_outputs(kind, args, row0, rows, o, 2, 32);
    for (; o < args->out1; o += 16)
        gemv_outputs(kind, args, row0, rows, o, 1, args->out1 - o < 16 ? args->out1 - o : 16);
}

SIMD_INLINE void gemv(enum kind kind, const struct linear_args *args) {
    for (int row = 0; row < args->n_rows; row += GEMV_ROWS) {
        int rows = args->n_rows - row;
        if (rows == 1) gemv_rows(kind, args, row, 1);
        if (rows == 2) gemv_rows(kind, args, row, 2);
        if (rows == 3) gemv_rows(kind, args, row, 3);
        if (rows >= 4) gemv_rows(kind, args, row, 4);
    }
}

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
    if (kind == KIND_F8) {
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
                _mm_prefetch((const char *)p + ahead + (size_t)i * args->w_stride, _MM_HINT_T1);
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
            pack_x(kind, args->x + (size_t)(row + r) * args->x_stride, k, n, scratch->x[r]);
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

/* ---- the slots ---- */

static void gemv_f32(const struct linear_args *args) { gemv(KIND_F32, args); }
static void gemv_f16(const struct linear_args *args) { gemv(KIND_F16, args); }
static void gemv_bf16_f32(const struct linear_args *args) { gemv(KIND_BF16_F32, args); }
static void gemv_bf16(const struct linear_args *args) { gemv(KIND_BF16, args); }
static void gemv_f8_f32(const struct linear_args *args) { gemv(KIND_F8_F32, args); }
static void gemv_f8(const struct linear_args *args) { gemv(KIND_F8, args); }
static void gemm_f32(const struct linear_args *args) { gemm(KIND_F32, args); }
static void gemm_f16(const struct linear_args *args) { gemm(KIND_F16, args); }
static void gemm_bf16_f32(const struct linear_args *args) { gemm(KIND_BF16_F32, args); }
static void gemm_bf16(const struct linear_args *args) { gemm(KIND_BF16, args); }
static void gemm_f8_f32(const struct linear_args *args) { gemm(KIND_F8_F32, args); }
static void gemm_f8(const struct linear_args *args) { gemm(KIND_F8, args); }

struct slot {
    enum dtype dtype;
    enum xfmt xfmt;
    struct linear_body gemv, gemm;
    int gemm_rows;
};

#define GEMV(name)                                                                                 \
    { gemv_##name, LEVEL_STR("gemv_" #name), NULL, 32 }
#define GEMM(name)                                                                                 \
    { gemm_##name, LEVEL_STR("gemm_" #name), gemm_scratch_bytes, TILE_OUTPUTS }

static const struct slot slots[] = {
    {DTYPE_F32, XFMT_F32, GEMV(f32), GEMM(f32), 5},
    {DTYPE_F16, XFMT_F32, GEMV(f16), GEMM(f16), 5},
    {DTYPE_BF16, XFMT_F32, GEMV(bf16_f32), GEMM(bf16_f32), 5},
    {DTYPE_BF16, XFMT_BF16, GEMV(bf16), GEMM(bf16), 5},
    {DTYPE_F8_E4M3, XFMT_F32, GEMV(f8_f32), GEMM(f8_f32), 5},
    {DTYPE_F8_E4M3, XFMT_BF16, GEMV(f8), GEMM(f8), 5},
};

void LEVEL_FN(fill_linear_f)(struct kernel_table *table) {
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
        const struct slot *slot = &slots[i];
        table->gemv[slot->dtype][slot->xfmt] = &slot->gemv;
        table->gemm[slot->dtype][slot->xfmt] = &slot->gemm;
        table->gemm_rows[slot->dtype][slot->xfmt] = slot->gemm_rows;
    }
}
