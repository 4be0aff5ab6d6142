/* The frame of the integer GEMM bodies and the slots they fill: see linear_q_gemm.h. */
#include "kernel/cpu/linear_q_gemm.h"
#include "kernel/fill.h"

/* Panels that stand beside each other share what a tile of rows needs to be prepared: as many as
 * the second cache has room for beside the rows. */
enum { PANELS_MOST = 8, PANELS_BYTES = 320 << 10 };

static int panel_k(int n_in) { return n_in < Q_PANEL_K ? n_in : Q_PANEL_K; }

/* Scratch: each panel's quants and scales, then d and aux of a tile's rows. */
static size_t quant_bytes(int n_in) { return (size_t)panel_k(n_in) / 4 * Q_STEP; }
static size_t scale_bytes(const struct q_type *type, int n_in) {
    return (size_t)(panel_k(n_in) / type->block) * (size_t)type->scale_steps * Q_STEP;
}
static size_t panel_bytes(const struct q_type *type, int n_in) {
    return quant_bytes(n_in) + scale_bytes(type, n_in);
}
static int panels_at_once(const struct q_type *type, int n_in) {
    size_t n = PANELS_BYTES / panel_bytes(type, n_in);
    return n < 1 ? 1 : n > PANELS_MOST ? PANELS_MOST : (int)n;
}
enum { D_BYTES = Q_ROWS * (Q_PANEL_K / 32) * 4, AUX_BYTES = Q_ROWS * (Q_PANEL_K / 16) * 4 };

size_t q_gemm_scratch(const struct q_type *type, int n_in) {
    return (size_t)panels_at_once(type, n_in) * panel_bytes(type, n_in) + D_BYTES + AUX_BYTES;
}

/* Panels of outputs from `o` on, n of them, of the blocks from k0 on. */
struct panels {
    struct q_panel at[PANELS_MOST];
    int lanes[PANELS_MOST][Q_WIDTH];
    int n, o, k0;
};

static void convert(const struct linear_args *args, const struct q_type *type, struct panels *p) {
    size_t offset = (size_t)(p->k0 / type->block) * (size_t)type->block_bytes;
    for (int i = 0; i < p->n; i++)
        for (int v = 0; v < Q_WIDTH; v++) {
            int first = p->o + 16 * (Q_WIDTH * i + v), left = args->out1 - first;
            p->lanes[i][v] = left > 16 ? 16 : left > 0 ? left : 0;
            struct q_rows rows = q_rows_at(args, left > 0 ? first : args->out1 - 1, offset);
            type->panel(&rows, &p->at[i], v);
        }
}

/* The panels' outputs for rows row0 .. row0 + n - 1. */
static void run_tile(const struct linear_args *args, const struct q_type *type,
                     const struct panels *p, struct q_tile *t, float (*d)[Q_PANEL_K / 32], int row0,
                     int n) {
    const struct xrow_layout layout = xrow_layout(type->xfmt, args->n_in);
    size_t block0 = (size_t)(p->k0 / type->block);
    for (int r = 0; r < n; r++) {
        const uint8_t *x = linear_x(args, row0 + r);
        t->x[r] = x + p->k0;
        t->sum[r] = (const int16_t *)(const void *)(x + layout.sum_at) + p->k0 / 16;
        memcpy(d[r], x + layout.d_at + block0 * sizeof(float),
               (size_t)p->at[0].n_block * sizeof(float));
    }
    t->panel = p->at[0];
    type->prepare(t, n);
    for (int i = 0; i < p->n; i++) {
        t->panel = p->at[i];
        memcpy(t->lanes, p->lanes[i], sizeof t->lanes);
        for (int r = 0; r < n; r++)
            t->y[r] = args->y + (size_t)(row0 + r) * args->y_stride + p->o + 16 * Q_WIDTH * i;
        type->tiles(t, n);
    }
}

static void run_rows(const struct linear_args *args, const struct q_type *type,
                     const struct panels *p, struct q_tile *t, float (*d)[Q_PANEL_K / 32]) {
    t->fresh = p->k0 == 0;
    for (int row = 0; row < args->n_rows;) { // even shares of what is left
        int left = args->n_rows - row, tiles = (left + Q_ROWS - 1) / Q_ROWS;
        int n = (left + tiles - 1) / tiles;
        run_tile(args, type, p, t, d, row, n);
        row += n;
    }
}

void q_gemm(const struct linear_args *args, const struct q_type *type) {
    int most = panels_at_once(type, args->n_in);
    uint8_t *d = args->scratch + (size_t)most * panel_bytes(type, args->n_in), *aux = d + D_BYTES;
    struct q_tile t = {
        .d = (const float(*)[Q_PANEL_K / 32])(void *)d,
        .aux = (int32_t(*)[Q_PANEL_K / 16])(void *)aux,
    };
    struct panels p = {.o = args->out0};
    for (int i = 0; i < most; i++) {
        p.at[i].q = args->scratch + (size_t)i * panel_bytes(type, args->n_in);
        p.at[i].scale = p.at[i].q + quant_bytes(args->n_in);
    }
    for (; p.o < args->out1; p.o += 16 * Q_WIDTH * p.n) {
        int left = (args->out1 - p.o + 16 * Q_WIDTH - 1) / (16 * Q_WIDTH);
        p.n = left < most ? left : most;
        for (p.k0 = 0; p.k0 < args->n_in; p.k0 += Q_PANEL_K) {
            for (int i = 0; i < p.n; i++)
                p.at[i].n_block = panel_k(args->n_in - p.k0) / type->block;
            convert(args, type, &p);
            run_rows(args, type, &p, &t, (float(*)[Q_PANEL_K / 32])(void *)d);
        }
    }
}

void LEVEL_FN(fill_linear_q)(struct kernel_table *table) {
    LEVEL_FN(fill_linear_q4_0)(table);
    LEVEL_FN(fill_linear_q4_1)(table);
    LEVEL_FN(fill_linear_q5_0)(table);
    LEVEL_FN(fill_linear_q5_1)(table);
    LEVEL_FN(fill_linear_q8_0)(table);
    LEVEL_FN(fill_linear_q2_k)(table);
    LEVEL_FN(fill_linear_q3_k)(table);
    LEVEL_FN(fill_linear_q4_k)(table);
    LEVEL_FN(fill_linear_q5_k)(table);
    LEVEL_FN(fill_linear_q6_k)(table);
    LEVEL_FN(fill_linear_iq1_m)(table);
    LEVEL_FN(fill_linear_iq1_s)(table);
    LEVEL_FN(fill_linear_iq2_s)(table);
    LEVEL_FN(fill_linear_iq2_xs)(table);
    LEVEL_FN(fill_linear_iq2_xxs)(table);
    LEVEL_FN(fill_linear_iq3_s)(table);
    LEVEL_FN(fill_linear_iq3_xxs)(table);
    LEVEL_FN(fill_linear_iq4_nl)(table);
    LEVEL_FN(fill_linear_iq4_xs)(table);
    LEVEL_FN(fill_linear_mxfp4)(table);
}
