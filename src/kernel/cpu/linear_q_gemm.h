/* The frame of the integer GEMM bodies: panels of outputs, tiles of rows.
 *
 * A panel is Q_WIDTH vectors of outputs by up to Q_PANEL_K elements of k, converted once into
 * scratch: bytes as [k/4][output][4], then scales by output. A tile is up to Q_ROWS activation rows
 * against the panel; its float accumulators are kept in L1 over the panel and in y between panels. */
#ifndef JL_KERNEL_CPU_LINEAR_Q_GEMM_H
#define JL_KERNEL_CPU_LINEAR_Q_GEMM_H

#include "kernel/cpu/linear_q.h"

#if defined(JINLIN_LEVEL_AVX512)
enum { Q_WIDTH = 2, Q_ROWS = 8 };
#else
enum { Q_WIDTH = 1, Q_ROWS = 4 };
#endif
enum {
    Q_PANEL_K = 4096,
    Q_STEP = 64 * Q_WIDTH, // bytes of a panel for four elements of k
};

struct q_panel {
    int n_block;
    uint8_t *q;     // (n_block * block / 4) steps
    uint8_t *scale; // (n_block * scale_steps) steps
};

struct q_tile {
    struct q_panel panel;
    /* Row by row, from the panel's first block on. */
    const uint8_t *x[Q_ROWS];
    const float *d[Q_ROWS];
    const int16_t *sum[Q_ROWS];
    int32_t *aux[Q_ROWS]; // Q_PANEL_K / 16 values that prepare() makes
    float *acc;           // (Q_ROWS, 16 * Q_WIDTH)
};

struct q_type {
    enum xfmt xfmt;
    int block, block_bytes, scale_steps;
    void (*panel)(const struct q_rows *rows, const struct q_panel *p, int vec);
    void (*prepare)(const struct q_tile *t, int n);
    void (*tiles)(const struct q_tile *t, int n);
};

/* Vector `vec` of step i. */
SIMD_INLINE void q_put(uint8_t *base, int i, int vec, v16i x) {
    v16i_store(base + (size_t)i * Q_STEP + 64 * (size_t)vec, x);
}

#if defined(JINLIN_LEVEL_AVX512)
#define Q_TILES(tile)                                                                              \
    static void tiles(const struct q_tile *t, int n) {                                             \
        switch (n) {                                                                               \
        case 1: tile(t, 1); break;                                                                 \
        case 2: tile(t, 2); break;                                                                 \
        case 4: tile(t, 4); break;                                                                 \
        default: tile(t, 8); break;                                                                \
        }                                                                                          \
    }
#else
#define Q_TILES(tile)                                                                              \
    static void tiles(const struct q_tile *t, int n) {                                             \
        switch (n) {                                                                               \
        case 1: tile(t, 1); break;                                                                 \
        case 2: tile(t, 2); break;                                                                 \
        default: tile(t, 4); break;                                                                \
        }                                                                                          \
    }
#endif

#define Q_GEMV(args, tile)                                                                         \
    for (int r = 0; r < (args)->n_rows;) {                                                         \
        int left = (args)->n_rows - r, n = left >= 4 ? 4 : left >= 2 ? 2 : 1;                      \
        for (int o = (args)->out0; o < (args)->out1; o += 16) {                                    \
            if (n == 4) tile(args, o, r, 4);                                                       \
            else if (n == 2) tile(args, o, r, 2);                                                  \
            else tile(args, o, r, 1);                                                              \
        }                                                                                          \
        r += n;                                                                                    \
    }

/* Where q_gemm is defined: linear_q.c, once a level. */
#define q_gemm LEVEL_FN(q_gemm)
#define q_gemm_scratch LEVEL_FN(q_gemm_scratch)
void q_gemm(const struct linear_args *args, const struct q_type *type);
size_t q_gemm_scratch(const struct q_type *type, int n_in);

/* What each file brings to the table. */
void LEVEL_FN(fill_linear_q8_0)(struct kernel_table *table);
void LEVEL_FN(fill_linear_q4_k)(struct kernel_table *table);
void LEVEL_FN(fill_linear_q6_k)(struct kernel_table *table);

#endif
