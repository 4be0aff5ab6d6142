/* The first elements of keys as values; kernel/ref/attn_values.c is the readable form.
 *
 * A group of 16 positions is turned in squares of 16 lines by 16 dwords: a line is one dim of the
 * 16 positions (f32), two (16-bit types) or four (q8, whose scales are lines too), and comes out
 * with one line a lane. */
#include "kernel/cpu/columns.h"
#include "kernel/fill.h"
#include "tensor/kvchunk.h"

/* One square: `lines` lines of the keys, and where its 16 positions begin among the values. */
struct square {
    v16i column[COLUMNS];
    int lines; // that exist
    uint8_t *v;
    size_t stride; // bytes from one position (bf16: pair of positions) to the next
};

/* The first n dwords. */
static inline void store_lines(uint8_t *v, v16i x, int n) {
    v16_store_n((float *)(void *)v, columns_f32(x), n);
}

static void store_dwords(const struct square *s) {
    for (int j = 0; j < 16; j++)
        store_lines(s->v + (size_t)j * s->stride, s->column[j], s->lines);
}

/* A line holds dim 2i of the 16 positions, then dim 2i + 1: column c has two positions of the one,
 * column c + 8 of the other. */
static void store_f16(const struct square *s) {
    for (int c = 0; c < 8; c++) {
        v16i even = s->column[c], odd = s->column[c + 8];
        uint8_t *v = s->v + 2 * (size_t)c * s->stride;
        store_lines(v, v16i_low_halves(even, odd), s->lines);
        store_lines(v + s->stride, v16i_high_halves(even, odd), s->lines);
    }
}

/* A line holds dims 2i and 2i + 1 of the 16 positions together; values hold two positions. */
static void store_bf16(const struct square *s) {
    int first = s->lines < 8 ? s->lines : 8;
    for (int j = 0; j < 16; j += 2) {
        v16i here = s->column[j], next = s->column[j + 1];
        v16 a, b;
        v16_zip(columns_f32(v16i_low_halves(here, next)), columns_f32(v16i_high_halves(here, next)),
                &a, &b);
        float *v = (float *)(void *)(s->v + (size_t)(j / 2) * s->stride);
        v16_store_n(v, a, 2 * first);
        v16_store_n(v + 16, b, 2 * (s->lines - first));
    }
}

static void load_square(const uint8_t *from, struct square *s) {
    if (s->lines == 16)
        columns_load(from, COLUMN_BYTES, s->column);
    else
        columns_load_edge(from, COLUMN_BYTES, s->lines, COLUMN_BYTES, s->column);
}

/* n_line lines of dwords, of int8 by fours or of scales. */
static void turn_dwords(const uint8_t *from, int n_line, uint8_t *to, struct square *s) {
    for (int line = 0; line < n_line; line += 16) {
        s->lines = n_line - line < 16 ? n_line - line : 16;
        s->v = to + 4 * (size_t)line;
        load_square(from + COLUMN_BYTES * (size_t)line, s);
        store_dwords(s);
    }
}

static void values_q8(const struct attn_values_args *args) {
    size_t k_width = kv_q8_width(args->d_k), v_width = kv_q8_width(args->d_v);
    struct square s = {.stride = kv_q8_bytes(args->d_v)};
    for (int j = 0; j < args->n_key; j += 16) {
        const uint8_t *k = (const uint8_t *)args->k + (size_t)j * kv_q8_bytes(args->d_k);
        uint8_t *v = (uint8_t *)args->v + (size_t)j * s.stride;
        turn_dwords(k, (int)v_width / 4, v, &s);
        turn_dwords(k + 16 * k_width, (int)kv_q8_blocks(args->d_v), v + v_width, &s);
    }
}

static void attn_values(const struct attn_values_args *args) {
    if (args->kv == KV_Q8) {
        values_q8(args);
        return;
    }
    bool wide = args->kv == DTYPE_F32, pairs = args->kv == DTYPE_BF16;
    size_t bytes = wide ? 4 : 2;
    int n_line = wide ? args->d_v : args->d_v / 2;
    size_t group_bytes = 16 * bytes * (size_t)args->d_k;
    struct square s = {.stride = bytes * (size_t)args->d_v * (pairs ? 2 : 1)};
    for (int j = 0; j < args->n_key; j += 16) {
        const uint8_t *k = (const uint8_t *)args->k + group_bytes * (size_t)(j / 16);
        uint8_t *v = (uint8_t *)args->v + bytes * (size_t)args->d_v * (size_t)j;
        for (int line = 0; line < n_line; line += 16) {
            const uint8_t *from = k + COLUMN_BYTES * (size_t)line;
            s.lines = n_line - line < 16 ? n_line - line : 16;
            s.v = v + (pairs ? 8 : 4) * (size_t)line;
            load_square(from, &s);
            if (wide)
                store_dwords(&s);
            else if (pairs)
                store_bf16(&s);
            else
                store_f16(&s);
        }
    }
}

void LEVEL_FN(fill_attn_values)(struct kernel_table *table) {
    table->attn_values = attn_values;
    table->row_name[KSLOT_attn_values] = LEVEL_STR("attn_values");
}
