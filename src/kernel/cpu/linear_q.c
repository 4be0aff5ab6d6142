/* The frame of the integer GEMM bodies and the slots they fill: see linear_q_gemm.h. */
#include "kernel/cpu/linear_q_gemm.h"
#include "kernel/fill.h"

static int panel_k(int n_in) { return n_in < Q_PANEL_K ? n_in : Q_PANEL_K; }

/* Scratch: the panel's quants, its scales, then d and aux of a tile's rows. */
static size_t quant_bytes(int n_in) { return (size_t)panel_k(n_in) / 4 * Q_STEP; }
static size_t scale_bytes(const struct q_type *type, int n_in) {
    return (size_t)(panel_k(n_in) / type->block) * (size_t)type->scale_steps * Q_STEP;
}
enum { D_BYTES = Q_ROWS * (Q_PANEL_K / 32) * 4, AUX_BYTES = Q_ROWS * (Q_PANEL_K / 16) * 4 };

size_t q_gemm_scratch(const struct q_type *type, int n_in) {
    return quant_bytes(n_in) + scale_bytes(type, n_in) + D_BYTES + AUX_BYTES;
}

/* The panel's outputs for rows row0 .. row0 + n - 1. */
static void run_tile(const struct linear_args *args, const struct q_type *type, struct q_tile *t,
                     float (*d)[Q_PANEL_K / 32], int o, int k0, int row0, int n) {
    const struct xrow_layout layout = xrow_layout(type->xfmt, args->n_in);
    size_t block0 = (size_t)(k0 / type->block);
    for (int r = 0; r < n; r++) {
        const uint8_t *x = args->x + (size_t)(row0 + r) * args->x_stride;
        t->x[r] = x + k0;
        t->sum[r] = (const int16_t *)(const void *)(x + layout.sum_at) + k0 / 16;
        t->y[r] = args->y + (size_t)(row0 + r) * args->y_stride + o;
        memcpy(d[r], x + layout.d_at + block0 * sizeof(float),
               (size_t)t->panel.n_block * sizeof(float));
    }
    type->prepare(t, n);
    type->tiles(t, n);
}

static void run_panel(const struct linear_args *args, const struct q_type *type, struct q_tile *t,
                      float (*d)[Q_PANEL_K / 32], int o, int k0) {
    size_t offset = (size_t)(k0 / type->block) * (size_t)type->block_bytes;
    t->fresh = k0 == 0;
    for (int v = 0; v < Q_WIDTH; v++) {
        int first = o + 16 * v, left = args->out1 - first;
        t->lanes[v] = left > 16 ? 16 : left > 0 ? left : 0;
        struct q_rows rows = q_rows_at(args, left > 0 ? first : args->out1 - 1, offset);
        type->panel(&rows, &t->panel, v);
    }
    for (int row = 0; row < args->n_rows;) { // even shares of what is left
        int left = args->n_rows - row, tiles = (left + Q_ROWS - 1) / Q_ROWS;
        int n = (left + tiles - 1) / tiles;
        run_tile(args, type, t, d, o, k0, row, n);
        row += n;
    }
}

void q_gemm(const struct linear_args *args, const struct q_type *type) {
    uint8_t *scale = args->scratch + quant_bytes(args->n_in);
    uint8_t *d = scale + scale_bytes(type, args->n_in), *aux = d + D_BYTES;
    struct q_tile t = {
        .panel = {.q = args->scratch, .scale = scale},
        .d = (const float(*)[Q_PANEL_K / 32])(void *)d,
        .aux = (int32_t(*)[Q_PANEL_K / 16])(void *)aux,
    };
    for (int o = args->out0; o < args->out1; o += 16 * Q_WIDTH) {
        for (int k0 = 0; k0 < args->n_in; k0 += Q_PANEL_K) {
            t.panel.n_block = panel_k(args->n_in - k0) / type->block;
            run_panel(args, type, &t, (float(*)[Q_PANEL_K / 32])(void *)d, o, k0);
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
