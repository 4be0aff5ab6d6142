/* The frame of the integer GEMM bodies and the slots they fill: see linear_q_gemm.h. */
#include "kernel/cpu/linear_q_gemm.h"
#include "kernel/fill.h"

static int q_panel_k(int n_in) { return n_in < Q_PANEL_K ? n_in : Q_PANEL_K; }

size_t q_gemm_scratch(const struct q_type *type, int n_in) {
    int k = q_panel_k(n_in);
    size_t steps = (size_t)(k / 4 + k / type->block * type->scale_steps);
    return steps * Q_STEP + (size_t)Q_ROWS * (Q_PANEL_K / 16) * sizeof(int32_t);
}

static void q_acc_copy(const struct linear_args *args, const struct q_tile *t, int o, int r0,
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

static void q_gemm_panel(const struct linear_args *args, const struct q_type *type,
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

void q_gemm(const struct linear_args *args, const struct q_type *type) {
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

void LEVEL_FN(fill_linear_q)(struct kernel_table *table) {
    LEVEL_FN(fill_linear_q8_0)(table);
    LEVEL_FN(fill_linear_q4_k)(table);
    LEVEL_FN(fill_linear_q6_k)(table);
}
