/* Keys and values into a chunk of the cache; kernel/ref/kv_put.c is the readable form, layouts are
 * in tensor/kvchunk.h.
 *
 * A position is rounded by spans: as many dims as fill 64 bytes of the cache. A group of keys is
 * lines of 64 bytes whatever the type, and a span of all its 16 positions is a square of 16 by 16
 * dwords that is turned in registers, so that lines are stored whole. Where a call has only some
 * positions of a group, their dwords go to their places one by one. */
#include "kernel/cpu/columns.h"
#include "kernel/cpu/linear_q.h"
#include "kernel/fill.h"
#include "tensor/kvchunk.h"

#define SPAN_BLOCKS (COLUMN_BYTES / KV_Q8_BLOCK) // blocks of q8 in a span

static int span_dims(enum dtype kv) { return kv == DTYPE_F32 ? 16 : kv == KV_Q8 ? 64 : 32; }

/* Dwords of a position, scales of q8 left aside; as many lines has a group of keys. */
static int position_dwords(enum dtype kv, int d) {
    return kv == DTYPE_F32 ? d : kv == KV_Q8 ? (int)(kv_q8_width(d) / 4) : d / 2;
}

/* n of 32 numbers, zeros behind them. */
SIMD_INLINE void load_32(const float *x, int n, v16 *a, v16 *b) {
    *a = v16_load_n(x, n < 16 ? n : 16);
    *b = n > 16 ? v16_load_n(x + 16, n - 16) : v16_zero();
}

/* A block of n <= 32 dims; what follows them in q is zero. */
SIMD_INLINE void round_block(const float *x, int n, v4i q[2], float *d) {
    v16 a, b;
    load_32(x, n, &a, &b);
    v16 inverse;
    if (!q_block_step(q_max_bits(q_max_bits(v16i_zero(), a), b), d, &inverse)) return;
    q[0] = q_round16(a, inverse);
    q[1] = q_round16(b, inverse);
}

/* n dims, at most a span, as the cache has them; `scale`: those of q8's blocks. */
SIMD_INLINE v16i round_span(enum dtype kv, const float *x, int n, float scale[SPAN_BLOCKS]) {
    if (kv == DTYPE_F32) return v16_bits(v16_load_n(x, n));
    if (kv == KV_Q8) {
        v4i q[4] = {0};
        round_block(x, n < KV_Q8_BLOCK ? n : KV_Q8_BLOCK, q, &scale[0]);
        if (n > KV_Q8_BLOCK) round_block(x + KV_Q8_BLOCK, n - KV_Q8_BLOCK, q + 2, &scale[1]);
        return v16i_quarters(q[0], q[1], q[2], q[3]);
    }
    v16 a, b;
    load_32(x, n, &a, &b);
    return kv == DTYPE_F16 ? v16i_pack_f16(a, b) : v16i_pack_bf16(a, b);
}

static void store_dwords(uint8_t *to, v16i x, int n) {
    v16_store_n((float *)(void *)to, columns_f32(x), n);
}

/* ---- keys ---- */

/* One span of positions `lane` to lane + n-1 of a group. */
struct square {
    uint8_t rows[KV_GROUP * COLUMN_BYTES]; // position lane + j at j
    int lane, n;
    int lines; // that exist
    uint8_t *to;
};

/* f16 has a line of 32 bytes a dim: two positions make a dword. Of two lines together, the first
 * eight dwords are the even dim's, the others the odd dim's. */
static void pair_positions(struct square *s) {
    v16i pair[KV_GROUP];
    for (int j = 0; j < KV_GROUP / 2; j++) {
        const uint8_t *row = s->rows + 2 * j * COLUMN_BYTES;
        v16i here = v16i_load(row), next = v16i_load(row + COLUMN_BYTES);
        pair[j] = v16i_low_halves(here, next);
        pair[j + KV_GROUP / 2] = v16i_high_halves(here, next);
    }
    for (int j = 0; j < KV_GROUP; j++)
        columns_store(s->rows + j * COLUMN_BYTES, pair[j]);
}

static void store_turned(struct square *s) {
    v16i line[COLUMNS];
    columns_load(s->rows, COLUMN_BYTES, line);
    for (int i = 0; i < s->lines; i++)
        columns_store(s->to + i * COLUMN_BYTES, line[i]);
}

/* Each position's pieces of `bytes` bytes to the lines of as many bytes times 16. */
SIMD_INLINE void scatter(const struct square *s, int bytes) {
    int n_piece = s->lines * 4 / bytes;
    for (int j = 0; j < s->n; j++) {
        const uint8_t *row = s->rows + j * COLUMN_BYTES;
        uint8_t *to = s->to + (s->lane + j) * bytes;
        for (int i = 0; i < n_piece; i++)
            memcpy(to + i * KV_GROUP * bytes, row + i * bytes, (size_t)bytes);
    }
}

static void store_square(enum dtype kv, struct square *s) {
    bool halves = kv == DTYPE_F16;
    if (s->n == KV_GROUP) {
        if (halves) pair_positions(s);
        store_turned(s);
    } else if (halves) {
        scatter(s, 2);
    } else {
        scatter(s, 4);
    }
}

static void put_group(const struct kv_put_args *args, const float *x, uint8_t *group, int lane,
                      int n) {
    int n_line = position_dwords(args->kv, args->d), span = span_dims(args->kv);
    struct square s; // rows stay unset where there is no position
    s.lane = lane;
    s.n = n;
    for (int line = 0, dim = 0; line < n_line; line += COLUMNS, dim += span) {
        int dims = args->d - dim < span ? args->d - dim : span;
        s.lines = n_line - line < COLUMNS ? n_line - line : COLUMNS;
        s.to = group + (size_t)line * COLUMN_BYTES;
        for (int j = 0; j < n; j++) {
            float scale[SPAN_BLOCKS];
            v16i row = round_span(args->kv, x + (size_t)j * args->x_stride + dim, dims, scale);
            columns_store(s.rows + j * COLUMN_BYTES, row);
            for (int b = 0; args->kv == KV_Q8 && b * KV_Q8_BLOCK < dims; b++) {
                size_t at = (size_t)(n_line + dim / KV_Q8_BLOCK + b) * COLUMN_BYTES;
                memcpy(group + at + (size_t)(lane + j) * sizeof scale[b], &scale[b],
                       sizeof scale[b]);
            }
        }
        store_square(args->kv, &s);
    }
}

static void put_keys(const struct kv_put_args *args) {
    size_t group_bytes = kvchunk_bytes(args->kv, args->d) / (KV_CHUNK / KV_GROUP);
    for (int done = 0; done < args->n;) {
        int slot = args->slot + done, lane = slot % KV_GROUP, left = args->n - done;
        int n = left < KV_GROUP - lane ? left : KV_GROUP - lane;
        put_group(args, args->x + (size_t)done * args->x_stride,
                  (uint8_t *)args->chunk + (size_t)(slot / KV_GROUP) * group_bytes, lane, n);
        done += n;
    }
}

/* ---- values ---- */

/* A position of any type but bf16. */
static void put_value(const struct kv_put_args *args, const float *x, uint8_t *to) {
    int n_dword = position_dwords(args->kv, args->d), span = span_dims(args->kv);
    for (int at = 0, dim = 0; at < n_dword; at += COLUMNS, dim += span) {
        float scale[SPAN_BLOCKS];
        int dims = args->d - dim < span ? args->d - dim : span;
        v16i row = round_span(args->kv, x + dim, dims, scale);
        store_dwords(to + 4 * (size_t)at, row, n_dword - at < COLUMNS ? n_dword - at : COLUMNS);
        for (int b = 0; args->kv == KV_Q8 && b * KV_Q8_BLOCK < dims; b++)
            memcpy(to + (size_t)(n_dword + dim / KV_Q8_BLOCK + b) * sizeof scale[b], &scale[b],
                   sizeof scale[b]);
    }
}

/* Both positions of a pair of bf16. */
static void put_pair(const struct kv_put_args *args, const float *x, uint8_t *to) {
    for (int dim = 0; dim < args->d; dim += 32) {
        int dims = args->d - dim < 32 ? args->d - dim : 32, first = dims < 16 ? dims : 16;
        v16i here = round_span(DTYPE_BF16, x + dim, dims, NULL);
        v16i next = round_span(DTYPE_BF16, x + args->x_stride + dim, dims, NULL);
        v16 a, b;
        v16_zip(columns_f32(v16i_low_halves(here, next)), columns_f32(v16i_high_halves(here, next)),
                &a, &b);
        float *dwords = (float *)(void *)(to + 4 * (size_t)dim);
        v16_store_n(dwords, a, first);
        if (dims > 16) v16_store_n(dwords + 16, b, dims - 16);
    }
}

/* One position of a pair of bf16, whose first element is at `to`. */
static void put_half(const struct kv_put_args *args, const float *x, uint8_t *to) {
    for (int dim = 0; dim < args->d; dim += 32) {
        int dims = args->d - dim < 32 ? args->d - dim : 32;
        uint8_t row[COLUMN_BYTES];
        columns_store(row, round_span(DTYPE_BF16, x + dim, dims, NULL));
        for (int i = 0; i < dims; i++)
            memcpy(to + 4 * (size_t)(dim + i), row + 2 * i, 2);
    }
}

static void put_values(const struct kv_put_args *args) {
    size_t bytes = kvchunk_bytes(args->kv, args->d) / KV_CHUNK;
    for (int j = 0; j < args->n; j++) {
        int slot = args->slot + j;
        const float *x = args->x + (size_t)j * args->x_stride;
        uint8_t *to = (uint8_t *)args->chunk + (size_t)slot * bytes;
        if (args->kv != DTYPE_BF16)
            put_value(args, x, to);
        else if (slot % 2)
            put_half(args, x, to - bytes + 2);
        else if (j + 1 < args->n)
            put_pair(args, x, to), j++;
        else
            put_half(args, x, to);
    }
}

void LEVEL_FN(fill_kv_put)(struct kernel_table *table) {
    table->put_keys = put_keys;
    table->put_values = put_values;
    table->row_name[KSLOT_put_keys] = LEVEL_STR("put_keys");
    table->row_name[KSLOT_put_values] = LEVEL_STR("put_values");
}
