/* The frame of the integer GEMM bodies: panels of outputs, tiles of rows.
 *
 * A panel is Q_WIDTH vectors of outputs by up to Q_PANEL_K elements of k, converted once into
 * scratch: bytes as [k/4][output][4], then scales by output. A tile is up to Q_ROWS activation rows
 * against the panel; between the panels of one output the float accumulators lie in y. */
#ifndef JL_KERNEL_CPU_LINEAR_Q_GEMM_H
#define JL_KERNEL_CPU_LINEAR_Q_GEMM_H

#include "kernel/cpu/linear_q.h"

#if defined(JINLIN_LEVEL_AMX)
enum { Q_WIDTH = 2, Q_ROWS = 32 };
#elif defined(JINLIN_LEVEL_AVX512)
enum { Q_WIDTH = 2, Q_ROWS = 6 };
#else
enum { Q_WIDTH = 1, Q_ROWS = 4 };
#endif
enum {
    Q_GEMV_ROWS = 4,
    Q_PANEL_K = 4096,
    Q_STEP = 64 * Q_WIDTH, // bytes of a panel for four elements of k
};

struct q_panel {
    int n_block;
    uint8_t *q;     // (n_block * block / 4) steps
    uint8_t *scale; // (n_block * scale_steps) steps
};

/* Up to Q_ROWS activation rows from the panel's first block on. */
struct q_tile {
    struct q_panel panel;
    const uint8_t *x[Q_ROWS];
    const int16_t *sum[Q_ROWS];
#if defined(JINLIN_LEVEL_AMX)
    const float (*d)[Q_ROWS]; // by block, then row
#else
    const float (*d)[Q_PANEL_K / 32]; // by row, then block
#endif
    int32_t (*aux)[Q_PANEL_K / 16]; // what prepare() makes of the sums
    float *y[Q_ROWS];
    int lanes[Q_WIDTH]; // outputs that exist
    bool fresh;         // the chains start here; else they go on from y
#if defined(JINLIN_LEVEL_AMX)
    const uint8_t *amx_x; // x[0], and all rows so far apart
    size_t amx_x_stride;
    int *amx_shape; // what the unit is configured for; 0: nothing yet
#endif
};

SIMD_INLINE void q_acc_load(const struct q_tile *t, int n, v16 acc[Q_ROWS][Q_WIDTH]) {
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        SIMD_UNROLL
        for (int v = 0; v < Q_WIDTH; v++)
            acc[r][v] = t->fresh ? v16_zero() : v16_load_n(t->y[r] + 16 * v, t->lanes[v]);
    }
}
SIMD_INLINE void q_acc_store(const struct q_tile *t, int n, v16 acc[Q_ROWS][Q_WIDTH]) {
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        SIMD_UNROLL
        for (int v = 0; v < Q_WIDTH; v++)
            v16_store_n(t->y[r] + 16 * v, acc[r][v], t->lanes[v]);
    }
}

struct q_type {
    enum xfmt xfmt;
    int block, block_bytes, scale_steps;
    int planes; // bytes of the panel for a quant
    void (*panel)(const struct q_rows *rows, const struct q_panel *p, int vec);
    void (*prepare)(const struct q_tile *t, int n);
    void (*tiles)(const struct q_tile *t, int n);
};

/* Vector `vec` of step i. */
SIMD_INLINE void q_put(uint8_t *base, int i, int vec, v16i x) {
    v16i_store(base + (size_t)i * Q_STEP + 64 * (size_t)vec, x);
}

/* sum[r][v] = dot(sum[r][v], weights, activations) over `steps` steps of the panel from q on, and
 * the activations from k on. */
typedef v16i q_dot_fn(v16i acc, v16i w, v16i x);
SIMD_INLINE void q_products(const struct q_tile *t, const uint8_t *q, int k, int steps, int n,
                            q_dot_fn *dot, v16i sum[Q_ROWS][Q_WIDTH]) {
    SIMD_UNROLL
    for (int i = 0; i < steps; i++) {
        v16i w[Q_WIDTH];
        SIMD_UNROLL
        for (int v = 0; v < Q_WIDTH; v++)
            w[v] = v16i_load(q + i * Q_STEP + 64 * v);
        SIMD_UNROLL
        for (int r = 0; r < n; r++) {
            v16i x = v16i_set1(q_load_i32(t->x[r] + k + 4 * i));
            SIMD_UNROLL
            for (int v = 0; v < Q_WIDTH; v++)
                sum[r][v] = dot(sum[r][v], w[v], x);
        }
    }
}

/* total[r][v] += sub[r][v] times the scales of a step. */
SIMD_INLINE void q_scale_sums(const uint8_t *scale, int n, v16i sub[Q_ROWS][Q_WIDTH],
                              v16i total[Q_ROWS][Q_WIDTH]) {
    SIMD_UNROLL
    for (int v = 0; v < Q_WIDTH; v++) {
        v16i s = v16i_load(scale + 64 * v);
        SIMD_UNROLL
        for (int r = 0; r < n; r++)
            total[r][v] = q_add_scaled(total[r][v], sub[r][v], s);
    }
}

/* The sums of row r start at aux[r][i], or at 0 for i < 0. */
SIMD_INLINE void q_start(const struct q_tile *t, int i, int n, v16i sum[Q_ROWS][Q_WIDTH]) {
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        v16i from = i < 0 ? v16i_zero() : v16i_set1(t->aux[r][i]);
        SIMD_UNROLL
        for (int v = 0; v < Q_WIDTH; v++)
            sum[r][v] = from;
    }
}

/* acc[r][v] += sum[r][v] times the block's scale times that of the row. */
SIMD_INLINE void q_chain(const struct q_tile *t, const uint8_t *scale, int b, int n,
                         v16i sum[Q_ROWS][Q_WIDTH], v16 acc[Q_ROWS][Q_WIDTH]) {
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        v16 d_x = v16_set1(t->d[r][b]);
        SIMD_UNROLL
        for (int v = 0; v < Q_WIDTH; v++) {
            v16 d = v16_mul(v16_load((const float *)(const void *)(scale + 64 * v)), d_x);
            acc[r][v] = v16_fma(v16_from_i32(sum[r][v]), d, acc[r][v]);
        }
    }
}

#if defined(JINLIN_LEVEL_AMX)

/* This level brings no gemv. */
#define Q_GEMV(rows_of_16)
#define Q_BODIES(frame, form) Q_GEMM_BODY(frame, form)
#define Q_TILE_BODY(frame, form)                                                                   \
    static void tiles(const struct q_tile *t, int n) { frame##_tile(&form, t, n); }                \
    static int planes(void) { return frame##_type(&form).planes; }

#else

/* tiles() of a type from its tile body, which is compiled for every number of rows. */
#define Q_TILE_BODY(frame, form)                                                                   \
    SIMD_INLINE void tile(const struct q_tile *t, int n) { frame##_tile(&form, t, n); }            \
    static void tiles(const struct q_tile *t, int n) {                                             \
        switch (n) {                                                                               \
        case 1: tile(t, 1); break;                                                                 \
        case 2: tile(t, 2); break;                                                                 \
        case 3: tile(t, 3); break;                                                                 \
        case 4: tile(t, 4); break;                                                                 \
        case 5: tile(t, Q_ROWS < 5 ? Q_ROWS : 5); break;                                           \
        default: tile(t, Q_ROWS); break;                                                           \
        }                                                                                          \
    }

/* gemv() of a type from its body for 16 outputs of n rows: up to four share a pass over w. */
#define Q_GEMV(rows_of_16)                                                                         \
    static void gemv(const struct linear_args *args) {                                             \
        for (int r = 0; r < args->n_rows; r += Q_GEMV_ROWS) {                                      \
            int left = args->n_rows - r;                                                           \
            for (int o = args->out0; o < args->out1; o += 16) {                                    \
                switch (left) {                                                                    \
                case 1: rows_of_16(args, o, r, 1); break;                                          \
                case 2: rows_of_16(args, o, r, 2); break;                                          \
                case 3: rows_of_16(args, o, r, 3); break;                                          \
                default: rows_of_16(args, o, r, Q_GEMV_ROWS); break;                               \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

/* The bodies of a type from its frame (q32 or q256) and its form: gemv(), gemm(), scratch_bytes().
 */
#define Q_BODIES(frame, form)                                                                      \
    SIMD_INLINE void gemv_tile(const struct linear_args *args, int o, int r0, int n) {             \
        frame##_gemv(&form, args, o, r0, n);                                                       \
    }                                                                                              \
    Q_GEMV(gemv_tile)                                                                              \
    Q_GEMM_BODY(frame, form)

#endif

#define Q_GEMM_BODY(frame, form)                                                                   \
    static void panel(const struct q_rows *rows, const struct q_panel *p, int vec) {               \
        frame##_panel(&form, rows, p, vec);                                                        \
    }                                                                                              \
    static void prepare(const struct q_tile *t, int n) { frame##_prepare(&form, t, n); }           \
    Q_TILE_BODY(frame, form)                                                                       \
    static void gemm(const struct linear_args *args) {                                             \
        struct q_type type = frame##_type(&form);                                                  \
        type.panel = panel, type.prepare = prepare, type.tiles = tiles;                            \
        q_gemm(args, &type);                                                                       \
    }                                                                                              \
    static size_t scratch_bytes(int n_in) {                                                        \
        const struct q_type type = frame##_type(&form);                                            \
        return q_gemm_scratch(&type, n_in);                                                        \
    }

/* Where q_gemm is defined: linear_q.c, once a level. */
#define q_gemm LEVEL_FN(q_gemm)
#define q_gemm_scratch LEVEL_FN(q_gemm_scratch)
void q_gemm(const struct linear_args *args, const struct q_type *type);
size_t q_gemm_scratch(const struct q_type *type, int n_in);

/* The function that puts gemv() and gemm() of a type into the table. */
#if defined(JINLIN_LEVEL_AMX)
#define Q_FILL(name, dtype, rows)                                                                  \
    void LEVEL_FN(fill_linear_##name)(struct kernel_table * table) {                               \
        static const struct linear_body body = {gemm, LEVEL_STR("gemm_" #name), scratch_bytes,     \
                                                16 * Q_WIDTH};                                     \
        if (amx_from_rows(planes()) == 0) return;                                                  \
        table->wide[dtype][dtype_row(dtype)->x_f32] = &body;                                       \
        table->wide_rows[dtype][dtype_row(dtype)->x_f32] = amx_from_rows(planes());                \
    }
#else
#define Q_FILL(name, dtype, rows)                                                                  \
    void LEVEL_FN(fill_linear_##name)(struct kernel_table * table) {                               \
        static const struct linear_body bodies[] = {                                               \
            {gemv, LEVEL_STR("gemv_" #name), NULL, 16},                                            \
            {gemm, LEVEL_STR("gemm_" #name), scratch_bytes, 16 * Q_WIDTH},                         \
        };                                                                                         \
        table->gemv[dtype][dtype_row(dtype)->x_f32] = &bodies[0];                                  \
        table->gemm[dtype][dtype_row(dtype)->x_f32] = &bodies[1];                                  \
        table->gemm_rows[dtype][dtype_row(dtype)->x_f32] = rows;                                   \
    }
#endif

/* What each file brings to the table. */
void LEVEL_FN(fill_linear_q4_0)(struct kernel_table *table);
void LEVEL_FN(fill_linear_q4_1)(struct kernel_table *table);
void LEVEL_FN(fill_linear_q5_0)(struct kernel_table *table);
void LEVEL_FN(fill_linear_q5_1)(struct kernel_table *table);
void LEVEL_FN(fill_linear_q8_0)(struct kernel_table *table);
void LEVEL_FN(fill_linear_q2_k)(struct kernel_table *table);
void LEVEL_FN(fill_linear_q3_k)(struct kernel_table *table);
void LEVEL_FN(fill_linear_q4_k)(struct kernel_table *table);
void LEVEL_FN(fill_linear_q5_k)(struct kernel_table *table);
void LEVEL_FN(fill_linear_q6_k)(struct kernel_table *table);
void LEVEL_FN(fill_linear_iq1_m)(struct kernel_table *table);
void LEVEL_FN(fill_linear_iq1_s)(struct kernel_table *table);
void LEVEL_FN(fill_linear_iq2_s)(struct kernel_table *table);
void LEVEL_FN(fill_linear_iq2_xs)(struct kernel_table *table);
void LEVEL_FN(fill_linear_iq2_xxs)(struct kernel_table *table);
void LEVEL_FN(fill_linear_iq3_s)(struct kernel_table *table);
void LEVEL_FN(fill_linear_iq3_xxs)(struct kernel_table *table);
void LEVEL_FN(fill_linear_iq4_nl)(struct kernel_table *table);
void LEVEL_FN(fill_linear_iq4_xs)(struct kernel_table *table);
void LEVEL_FN(fill_linear_mxfp4)(struct kernel_table *table);

#endif
