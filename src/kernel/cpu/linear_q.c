/* The frame of the integer GEMM bodies and the slots they fill: see linear_q_gemm.h. */
#include "kernel/cpu/columns.h"
#include "kernel/cpu/linear_q_gemm.h"
#include "kernel/fill.h"

/* Panels that stand beside each other share what a tile of rows needs to be prepared: as many as
 * the second cache has room for beside the rows. */
#if defined(JINLIN_LEVEL_AMX) // whose CPUs have a second cache of 2 MB
enum { PANELS_MOST = 8, PANELS_BYTES = 640 << 10 };
#else
enum { PANELS_MOST = 8, PANELS_BYTES = 320 << 10 };
#endif

static int panel_k(int n_in) { return n_in < Q_PANEL_K ? n_in : Q_PANEL_K; }

/* Scratch: each panel's quants and scales, then d and aux of a tile's rows. */
static size_t quant_bytes(const struct q_type *type, int n_in) {
    return (size_t)(panel_k(n_in) / 4 * type->planes) * Q_STEP;
}
static size_t scale_bytes(const struct q_type *type, int n_in) {
    return (size_t)(panel_k(n_in) / type->block) * (size_t)type->scale_steps * Q_STEP;
}
static size_t panel_bytes(const struct q_type *type, int n_in) {
    return quant_bytes(type, n_in) + scale_bytes(type, n_in);
}
static int panels_at_once(const struct q_type *type, int n_in) {
    size_t n = PANELS_BYTES / panel_bytes(type, n_in);
    return n < 1 ? 1 : n > PANELS_MOST ? PANELS_MOST : (int)n;
}
enum { D_BYTES = Q_ROWS * (Q_PANEL_K / 32) * 4, AUX_BYTES = Q_ROWS * (Q_PANEL_K / 16) * 4 };
#if defined(JINLIN_LEVEL_AMX)
/* Rows that are found by number, brought together. Not a power of two apart: they would share the
 * first cache's sets. */
enum { ROW_STRIDE = Q_PANEL_K + 64, ROWS_BYTES = Q_ROWS * ROW_STRIDE };
#else
enum { ROWS_BYTES = 0 };
#endif

size_t q_gemm_scratch(const struct q_type *type, int n_in) {
    return (size_t)panels_at_once(type, n_in) * panel_bytes(type, n_in) + D_BYTES + AUX_BYTES +
           ROWS_BYTES;
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

#if defined(JINLIN_LEVEL_AMX)
static void find_rows(const struct linear_args *args, const struct q_panel *panel, int block,
                      struct q_tile *t, uint8_t *room, int n) {
    t->amx_x = t->x[0];
    t->amx_x_stride = args->x_stride;
    if (!args->x_rows) return;
    for (int r = 0; r < n; r++)
        memcpy(room + (size_t)r * ROW_STRIDE, t->x[r], (size_t)(panel->n_block * block));
    t->amx_x = room;
    t->amx_x_stride = ROW_STRIDE;
}
#endif

/* The scales of n rows from block0 on, where q_tile has them: by row, or for AMX by block, as many
 * blocks at a time as a square has columns. */
static void put_d(const struct linear_args *args, size_t d_at, int n_block, uint8_t *room, int row0,
                  int n) {
#if defined(JINLIN_LEVEL_AMX)
    float(*by_block)[Q_ROWS] = (void *)room;
    for (int first = 0; first < n; first += 16)
        for (int b = 0; b < n_block; b += COLUMNS) {
            int rows = n - first < 16 ? n - first : 16;
            int blocks = n_block - b < COLUMNS ? n_block - b : COLUMNS;
            uint8_t square[16][COLUMN_BYTES]; // what is not set does not count
            v16i column[COLUMNS];
            for (int r = 0; r < rows; r++)
                memcpy(square[r],
                       linear_x(args, row0 + first + r) + d_at + (size_t)b * sizeof(float),
                       (size_t)blocks * sizeof(float));
            columns_load(square[0], COLUMN_BYTES, column);
            for (int i = 0; i < blocks; i++)
                columns_store(&by_block[b + i][first], column[i]);
        }
#else
    float(*by_row)[Q_PANEL_K / 32] = (void *)room;
    for (int r = 0; r < n; r++)
        memcpy(by_row[r], linear_x(args, row0 + r) + d_at, (size_t)n_block * sizeof(float));
#endif
}

/* The panels' outputs for rows row0 .. row0 + n - 1. */
static void run_tile(const struct linear_args *args, const struct q_type *type,
                     const struct panels *p, struct q_tile *t, uint8_t *d, int row0, int n) {
    const struct xrow_layout layout = xrow_layout(type->xfmt, args->n_in);
    size_t block0 = (size_t)(p->k0 / type->block);
    for (int r = 0; r < n; r++) {
        const uint8_t *x = linear_x(args, row0 + r);
        t->x[r] = x + p->k0;
        t->sum[r] = (const int16_t *)(const void *)(x + layout.sum_at) + p->k0 / 16;
    }
    put_d(args, layout.d_at + block0 * sizeof(float), p->at[0].n_block, d, row0, n);
    t->panel = p->at[0];
#if defined(JINLIN_LEVEL_AMX)
    find_rows(args, &p->at[0], type->block, t, (uint8_t *)(void *)t->aux + AUX_BYTES, n);
#endif
    type->prepare(t, n);
    for (int i = 0; i < p->n; i++) {
        t->panel = p->at[i];
        memcpy(t->lanes, p->lanes[i], sizeof t->lanes);
        for (int r = 0; r < n; r++)
            t->y[r] = args->y + (size_t)(row0 + r) * args->y_stride + p->o + 16 * Q_WIDTH * i;
        type->tiles(t, n);
    }
}

/* Rows of the next tile of `left`: even shares, or, where as many as a tile holds cost no more than
 * fewer, all of those. */
static int tile_rows(int left) {
#if defined(JINLIN_LEVEL_AMX)
    return left < Q_ROWS ? left : Q_ROWS;
#else
    int tiles = (left + Q_ROWS - 1) / Q_ROWS;
    return (left + tiles - 1) / tiles;
#endif
}

static void run_rows(const struct linear_args *args, const struct q_type *type,
                     const struct panels *p, struct q_tile *t, uint8_t *d) {
    t->fresh = p->k0 == 0;
    for (int row = 0, n; row < args->n_rows; row += n) {
        n = tile_rows(args->n_rows - row);
        run_tile(args, type, p, t, d, row, n);
    }
}

void q_gemm(const struct linear_args *args, const struct q_type *type) {
    int most = panels_at_once(type, args->n_in);
    uint8_t *d = args->scratch + (size_t)most * panel_bytes(type, args->n_in), *aux = d + D_BYTES;
    struct q_tile t = {
        .d = (void *)d,
        .aux = (int32_t(*)[Q_PANEL_K / 16])(void *)aux,
    };
#if defined(JINLIN_LEVEL_AMX)
    int shape = 0;
    t.amx_shape = &shape;
#endif
    struct panels p = {.o = args->out0};
    for (int i = 0; i < most; i++) {
        p.at[i].q = args->scratch + (size_t)i * panel_bytes(type, args->n_in);
        p.at[i].scale = p.at[i].q + quant_bytes(type, args->n_in);
    }
    for (; p.o < args->out1; p.o += 16 * Q_WIDTH * p.n) {
        int left = (args->out1 - p.o + 16 * Q_WIDTH - 1) / (16 * Q_WIDTH);
        p.n = left < most ? left : most;
        for (p.k0 = 0; p.k0 < args->n_in; p.k0 += Q_PANEL_K) {
            for (int i = 0; i < p.n; i++)
                p.at[i].n_block = panel_k(args->n_in - p.k0) / type->block;
            convert(args, type, &p);
            run_rows(args, type, &p, &t, d);
        }
    }
#if defined(JINLIN_LEVEL_AMX)
    _tile_release(); // its 8 KB of registers would be saved at every switch of threads
#endif
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
