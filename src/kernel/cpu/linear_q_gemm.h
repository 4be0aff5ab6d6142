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

static inline int q_panel_k(int n_in) { return n_in < Q_PANEL_K ? n_in : Q_PANEL_K; }

static inline size_t q_gemm_scratch(const struct q_type *type, int n_in) {
    int k = q_panel_k(n_in);
    size_t steps = (size_t)(k / 4 + k / type->block * type->scale_steps);
    return steps * Q_STEP + (size_t)Q_ROWS * (Q_PANEL_K / 16) * sizeof(int32_t);
}

static inline void q_acc_copy(const struct linear_args *args, const struct q_tile *t, int o, int r0,
                              int n, bool load) {
    for (int r = 0; r < n; r++) {
        for (int v = 0; v < Q_WIDTH; v++) {
            int left = args->out1 - (o + 16 * v), lanes = left < 0 ? 0 : left < 16 ? left : 16;
            float *acc = t->acc + 16 * (Q_WIDTH * r + v);
            float *y = args->y + (size_t)(r0 + r) * args->y_stride + o + 16 * v;
            if (lanes == 0) {
                if (load) v16_store(acc, v16_zero());
            } else if (load) v16_store(acc, v16_load_n(y, lanes));
            else v16_store_n(y, v16_load(acc), lanes);
        }
    }
}

static inline void q_gemm_panel(const struct linear_args *args, const struct q_type *type,
                                struct q_tile *t, int o, int k0) {
    const struct xrow_layout layout = xrow_layout(type->xfmt, args->n_in);
    int block0 = k0 / type->block;
    for (int v = 0; v < Q_WIDTH; v++) {
        int first = o + 16 * v < args->out1 ? o + 16 * v : args->out1 - 1;
        struct q_rows rows = q_rows_at(args, first, (size_t)block0 * (size_t)type->block_bytes);
        type->panel(&rows, &t->panel, v);
    }
    for (int r0 = 0; r0 < args->n_rows;) {
        int left = args->n_rows - r0, n = Q_ROWS;
        while (n > left)
            n /= 2;
        for (int r = 0; r < n; r++) {
            const uint8_t *x = args->x + (size_t)(r0 + r) * args->x_stride;
            t->x[r] = x + k0;
            t->d[r] = (const float *)(const void *)(x + layout.d_at) + block0;
            t->sum[r] = (const int16_t *)(const void *)(x + layout.sum_at) + k0 / 16;
        }
        if (k0 == 0) memset(t->acc, 0, (size_t)Q_ROWS * 16 * Q_WIDTH * sizeof *t->acc);
        else q_acc_copy(args, t, o, r0, n, true);
        type->prepare(t, n);
        type->tiles(t, n);
        q_acc_copy(args, t, o, r0, n, false);
        r0 += n;
    }
}

static inline void q_gemm(const struct linear_args *args, const struct q_type *type) {
    _Alignas(64) float acc[Q_ROWS * 16 * Q_WIDTH];
    struct q_tile t = {.acc = acc};
    int most = q_panel_k(args->n_in);
    t.panel.q = args->scratch;
    t.panel.scale = t.panel.q + (size_t)most / 4 * Q_STEP;
    uint8_t *aux = t.panel.scale + (size_t)(most / type->block * type->scale_steps) * Q_STEP;
    for (int r = 0; r < Q_ROWS; r++)
        t.aux[r] = (int32_t *)(void *)aux + r * (Q_PANEL_K / 16);
    for (int o = args->out0; o < args->out1; o += 16 * Q_WIDTH)
        for (int k0 = 0; k0 < args->n_in; k0 += Q_PANEL_K) {
            int k = args->n_in - k0 < Q_PANEL_K ? args->n_in - k0 : Q_PANEL_K;
            t.panel.n_block = k / type->block;
            q_gemm_panel(args, type, &t, o, k0);
        }
}

#endif
