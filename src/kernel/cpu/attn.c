/* Attention over one chunk, in tiles of queries; kernel/ref/attn.c is the readable form.
 *
 * A lane is a key in the scores and a column of V in the outputs, so no chain is ever divided. Up
 * to TILE_ROWS queries, of f16 TILE_TALL, share each loaded vector of K and V. K may be read to the
 * end of the last visible key's group of 16, V up to the last visible position or its partner in a
 * pair; what those bytes hold never enters a result. */
#include "kernel/cpu/attn_q8.h"
#include "kernel/cpu/attn_tile.h"
#include "kernel/cpu/simd.h"
#include "kernel/fill.h"
#include "tensor/kvchunk.h"

/* Whether n rows of `width` accumulators stay in registers beside their operands: the vectors of K
 * or V, in two halves where pairs are split, and the broadcast of one row. Each vector is used once
 * by a single row, straight from memory. */
SIMD_INLINE bool tile_fits(enum attn_kind kind, int n, int width) {
    bool split = kind == ATTN_BF16_F32 || (kind == ATTN_BF16 && SIMD_SPLITS_PAIRS);
    int vectors = n == 1 ? 0 : split ? 2 * width : width;
    return n * width + vectors + (split ? 2 : 1) <= SIMD_REGISTERS;
}

/* f16 takes as long to convert as two rows take to use it: with many rows fewer vectors, each for
 * more of them. */
SIMD_INLINE bool tile_is_tall(enum attn_kind kind) {
    return kind == ATTN_F16 && tile_fits(kind, TILE_TALL, 2);
}

/* Rows of the next tile of `left`: all of a tall one, or even shares. */
SIMD_INLINE int tile_rows(enum attn_kind kind, int left) {
    int most = TILE_ROWS;
    if (tile_is_tall(kind) && left >= TILE_TALL) return TILE_TALL;
    while (!tile_fits(kind, most, 1))
        most--;
    int tiles = (left + most - 1) / most;
    return (left + tiles - 1) / tiles;
}

/* Vectors a tile of n rows works on at a time: 8, 4, 2 or 1. */
SIMD_INLINE int tile_width(enum attn_kind kind, int n) {
    int width = TILE_WIDTH;
    while (width > 1 && !tile_fits(kind, n, width))
        width /= 2;
    return width;
}

/* ---- scores ---- */

/* n rows against the 16 keys of each of `width` groups from `group` on. */
SIMD_INLINE void score_tile(enum attn_kind kind, const struct tile *t, int n, int width,
                            int group) {
    bool pairs = kind == ATTN_BF16_F32 || kind == ATTN_BF16;
    size_t element = kind == ATTN_F32 ? 4 : 2;
    int d = t->args->d_k, steps = pairs ? d / 2 : d;
    size_t step_bytes = (pairs ? 32 : 16) * element;
    size_t group_bytes = 16 * element * (size_t)d;
    const uint8_t *k = (const uint8_t *)t->args->k + group_bytes * (size_t)group;
    v16 acc[TILE_TALL][TILE_WIDTH];
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        SIMD_UNROLL
        for (int g = 0; g < width; g++)
            acc[r][g] = v16_zero();
    }
    for (int i = 0; i < steps; i++, k += step_bytes) {
        if (pairs) {
            v16i w[TILE_WIDTH];
            SIMD_UNROLL
            for (int g = 0; g < width; g++)
                w[g] = v16i_load(k + group_bytes * (size_t)g);
            SIMD_UNROLL
            for (int r = 0; r < n; r++) {
                if (kind == ATTN_BF16) {
                    v16i x = v16i_set1_pair((const uint16_t *)t->q[r] + 2 * i);
                    SIMD_UNROLL
                    for (int g = 0; g < width; g++)
                        acc[r][g] = v16_dpbf16(acc[r][g], w[g], x);
                    continue;
                }
                const float *q = (const float *)t->q[r] + 2 * i;
                v16 even = v16_set1(q[0]), odd = v16_set1(q[1]);
                SIMD_UNROLL
                for (int g = 0; g < width; g++) {
                    acc[r][g] = v16_fma(v16_pair_even(w[g]), even, acc[r][g]);
                    acc[r][g] = v16_fma(v16_pair_odd(w[g]), odd, acc[r][g]);
                }
            }
        } else {
            v16 w[TILE_WIDTH];
            SIMD_UNROLL
            for (int g = 0; g < width; g++) {
                const uint8_t *at = k + group_bytes * (size_t)g;
                w[g] = kind == ATTN_F32 ? v16_load((const float *)at) : v16_load_f16(at);
            }
            SIMD_UNROLL
            for (int r = 0; r < n; r++) {
                v16 x = v16_set1(((const float *)t->q[r])[i]);
                SIMD_UNROLL
                for (int g = 0; g < width; g++)
                    acc[r][g] = v16_fma(w[g], x, acc[r][g]);
            }
        }
    }
    v16 scale = v16_set1(t->args->scale);
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        SIMD_UNROLL
        for (int g = 0; g < width; g++)
            v16_store(t->p[r] + 16 * (group + g), v16_mul(scale, acc[r][g]));
    }
}

SIMD_INLINE void score_groups(enum attn_kind kind, const struct tile *t, int n, int n_group) {
    if (kind == ATTN_Q8) {
        q8_scores(t, n, n_group);
        return;
    }
    int wide = tile_width(kind, n), g = 0;
    for (; g + wide <= n_group; g += wide)
        score_tile(kind, t, n, wide, g);
    if (wide > 4)
        for (; g + 4 <= n_group; g += 4)
            score_tile(kind, t, n, 4, g);
    for (; g < n_group; g++)
        score_tile(kind, t, n, 1, g);
}

/* ---- weights ---- */

SIMD_INLINE void weights(enum attn_kind kind, const struct tile *t, int r) {
    float *p = t->p[r];
    int n = t->n_key[r];
    v16 max = v16_set1(-__builtin_inff());
    for (int j = 0; j < n; j += 16) {
        v16 s = v16_load(p + j);
        if (n - j < 16) s = v16_first_n(s, n - j, v16_set1(-__builtin_inff()));
        max = v16_max(max, s);
    }
    float m = v16_reduce_max(max) + 0.0f; // a zero is +0, whichever zero came first
    v16 sum = v16_zero();
    for (int j = 0; j < n; j += 16) {
        v16 e = v16_exp(v16_sub(v16_load(p + j), v16_set1(m)));
        if (n - j < 16) e = v16_first_n(e, n - j, v16_zero());
        sum = v16_add(sum, e);
        if (kind == ATTN_BF16)
            v16_store_bf16((uint16_t *)p + j, e); // behind the scores still to be read
        else
            v16_store(p + j, e);
    }
    t->args->m[t->row[r]] = m;
    t->args->l[t->row[r]] = v16_reduce_add(sum);
}

/* ---- outputs ---- */

/* Columns of V that one pass works on: `width` vectors from `col` on. An edge pass has one vector,
 * of which only the last `keep` of `lanes` lanes are new. */
struct columns {
    int col, lanes, keep;
};

SIMD_INLINE v16 load_value(enum attn_kind kind, const void *v, size_t d, int j, size_t col,
                           bool edge, int lanes) {
    size_t position = (size_t)j;
    if (kind == ATTN_Q8) // whole vectors: a value's width is a multiple of 16
        return q8_load_value((const uint8_t *)v + position * kv_q8_bytes((int)d),
                             kv_q8_width((int)d), col);
    if (kind == ATTN_F32) {
        const float *x = (const float *)v + position * d + col;
        return edge ? v16_load_n(x, lanes) : v16_load(x);
    }
    const uint16_t *x = (const uint16_t *)v + position * d + col;
    return edge && lanes < 16 ? v16_load_f16_n(x, lanes) : v16_load_f16(x);
}

SIMD_INLINE v16i load_value_pair(const void *v, size_t at, bool edge, int lanes) {
    const uint16_t *x = (const uint16_t *)v + at;
    return edge ? v16i_load_n(x, lanes) : v16i_load(x);
}

/* acc over positions from .. to-1 of n rows; `from` is even. */
SIMD_INLINE void value_chains(enum attn_kind kind, const struct tile *t, int n, int width,
                              bool edge, struct columns c, int from, int to,
                              v16 acc[TILE_TALL][TILE_WIDTH]) {
    const void *v = t->args->v;
    size_t d = (size_t)t->args->d_v, col = (size_t)c.col;
    if (kind == ATTN_F32 || kind == ATTN_F16 || kind == ATTN_Q8) {
        for (int j = from; j < to; j++) {
            v16 w[TILE_WIDTH];
            SIMD_UNROLL
            for (int i = 0; i < width; i++)
                w[i] = load_value(kind, v, d, j, col + 16 * (size_t)i, edge, c.lanes);
            SIMD_UNROLL
            for (int r = 0; r < n; r++) {
                v16 x = v16_set1(t->p[r][j]);
                SIMD_UNROLL
                for (int i = 0; i < width; i++)
                    acc[r][i] = v16_fma(w[i], x, acc[r][i]);
            }
        }
        return;
    }
    for (int j = from; j < to; j += 2) {
        v16i w[TILE_WIDTH];
        SIMD_UNROLL
        for (int i = 0; i < width; i++)
            w[i] = load_value_pair(v, (size_t)j * d + 2 * (col + 16 * (size_t)i), edge, c.lanes);
        bool whole = j + 1 < to;
        if (kind == ATTN_BF16 && !whole) // the partner's weight is a stored +0
            SIMD_UNROLL
        for (int i = 0; i < width; i++)
            w[i] = v16i_drop_odd(w[i]);
        SIMD_UNROLL
        for (int r = 0; r < n; r++) {
            if (kind == ATTN_BF16) {
                v16i x = v16i_set1_pair((const uint16_t *)t->p[r] + j);
                SIMD_UNROLL
                for (int i = 0; i < width; i++)
                    acc[r][i] = v16_dpbf16(acc[r][i], w[i], x);
                continue;
            }
            v16 even = v16_set1(t->p[r][j]);
            SIMD_UNROLL
            for (int i = 0; i < width; i++)
                acc[r][i] = v16_fma(v16_pair_even(w[i]), even, acc[r][i]);
            if (!whole) continue;
            v16 odd = v16_set1(t->p[r][j + 1]);
            SIMD_UNROLL
            for (int i = 0; i < width; i++)
                acc[r][i] = v16_fma(v16_pair_odd(w[i]), odd, acc[r][i]);
        }
    }
}

SIMD_INLINE void store_last(float *o, v16 x, struct columns c) {
    float lanes[16];
    v16_store(lanes, x);
    int skip = c.lanes - c.keep;
    memcpy(o + skip, lanes + skip, (size_t)c.keep * sizeof o[0]);
}

/* Goes on with the outputs of n rows where `from` positions are done. */
SIMD_INLINE void value_tile(enum attn_kind kind, const struct tile *t, int n, int width, bool edge,
                            struct columns c, int from, int to) {
    v16 acc[TILE_TALL][TILE_WIDTH];
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        SIMD_UNROLL
        for (int i = 0; i < width; i++) {
            const float *o = t->o[r] + c.col + 16 * i;
            acc[r][i] = from == 0 ? v16_zero() : edge ? v16_load_n(o, c.lanes) : v16_load(o);
        }
    }
    value_chains(kind, t, n, width, edge, c, from, to, acc);
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        SIMD_UNROLL
        for (int i = 0; i < width; i++) {
            float *o = t->o[r] + c.col + 16 * i;
            if (edge)
                store_last(o, acc[r][i], c);
            else
                v16_store(o, acc[r][i]);
        }
    }
}

SIMD_INLINE void value_columns(enum attn_kind kind, const struct tile *t, int n, int from, int to) {
    int d = t->args->d_v, wide = tile_width(kind, n), col = 0;
    for (; col + 16 * wide <= d; col += 16 * wide)
        value_tile(kind, t, n, wide, false, (struct columns){col, 16, 16}, from, to);
    if (wide > 4)
        for (; col + 64 <= d; col += 64)
            value_tile(kind, t, n, 4, false, (struct columns){col, 16, 16}, from, to);
    for (; col + 16 <= d; col += 16)
        value_tile(kind, t, n, 1, false, (struct columns){col, 16, 16}, from, to);
    /* The rest of the columns: the last 16 once more, of which the new ones are kept; of q8 they
     * begin a vector, so that it has one scale. */
    if (col < d) {
        int first = d < 16 || kind == ATTN_Q8 ? col : d - 16;
        struct columns last = {first, d - first, d - col};
        value_tile(kind, t, n, 1, true, last, from, to);
    }
}

/* ---- a tile, a chunk ---- */

static struct tile tile_of_row(const struct tile *t, int r) {
    struct tile one = {.args = t->args, .n = 1};
    one.row[0] = t->row[r];
    one.n_key[0] = t->n_key[r];
    one.q[0] = t->q[r];
    one.p[0] = t->p[r];
    one.o[0] = t->o[r];
    return one;
}

/* Scores, weights and the first `shared` positions of the outputs. */
SIMD_INLINE void tile_run(enum attn_kind kind, const struct tile *t, int n, int n_group,
                          int shared) {
    score_groups(kind, t, n, n_group);
    for (int r = 0; r < n; r++)
        weights(kind, t, r);
    value_columns(kind, t, n, 0, shared);
}

SIMD_INLINE void tile_dispatch(enum attn_kind kind, const struct tile *t) {
    int most = 0, least = KV_CHUNK;
    for (int r = 0; r < t->n; r++) {
        most = t->n_key[r] > most ? t->n_key[r] : most;
        least = t->n_key[r] < least ? t->n_key[r] : least;
    }
    int n_group = (most + 15) / 16;
    int shared = most == least ? most : least & ~1; // rows part at a whole pair
    switch (t->n) {
    case 1: tile_run(kind, t, 1, n_group, shared); break;
    case 2: tile_run(kind, t, 2, n_group, shared); break;
    case 3: tile_run(kind, t, 3, n_group, shared); break;
    case 4: tile_run(kind, t, 4, n_group, shared); break;
    case 5: tile_run(kind, t, 5, n_group, shared); break;
    case TILE_TALL:
        if (tile_is_tall(kind)) tile_run(kind, t, TILE_TALL, n_group, shared);
        break;
    default: tile_run(kind, t, TILE_ROWS, n_group, shared); break;
    }
    for (int r = 0; r < t->n; r++) {
        struct tile one = tile_of_row(t, r);
        if (one.n_key[0] > shared) value_columns(kind, &one, 1, shared, one.n_key[0]);
    }
}

SIMD_INLINE void chunk(enum attn_kind kind, const struct attn_chunk_args *args) {
    int left = 0; // queries that see a key
    for (int r = 0; r < args->n_q; r++)
        left += args->n_key[r] > 0;
    struct tile t = {.args = args};
    int size = 0; // of the tile being filled
    for (int r = 0; r < args->n_q; r++) {
        if (args->n_key[r] <= 0) continue;
        if (t.n == 0) size = tile_rows(kind, left);
        t.row[t.n] = r;
        t.n_key[t.n] = args->n_key[r];
        t.q[t.n] = args->q[r];
        t.p[t.n] = args->scratch + (size_t)r * KV_CHUNK;
        t.o[t.n] = args->o + (size_t)r * args->o_stride;
        if (++t.n < size) continue;
        tile_dispatch(kind, &t);
        left -= t.n;
        t.n = 0;
    }
}

static void chunk_f32(const struct attn_chunk_args *args) { chunk(ATTN_F32, args); }
static void chunk_f16(const struct attn_chunk_args *args) { chunk(ATTN_F16, args); }
static void chunk_bf16_f32(const struct attn_chunk_args *args) { chunk(ATTN_BF16_F32, args); }
static void chunk_bf16(const struct attn_chunk_args *args) { chunk(ATTN_BF16, args); }
static void chunk_q8(const struct attn_chunk_args *args) { chunk(ATTN_Q8, args); }

/* ---- the fold ---- */

static void fold(const struct attn_fold_args *args) {
    int d = args->d_v;
    float old_m = *args->m, part_m = *args->part_m;
    if (args->fresh) {
        *args->m = part_m;
        *args->l = *args->part_l;
        memcpy(args->o, args->part_o, (size_t)d * sizeof args->o[0]);
        return;
    }
    float m = (old_m > part_m || old_m != old_m ? old_m : part_m) + 0.0f;
    v16 a = v16_exp(v16_set1(old_m - m)), b = v16_exp(v16_set1(part_m - m));
    v16 l = v16_fma(v16_set1(*args->l), a, v16_mul(v16_set1(*args->part_l), b));
    *args->m = m;
    v16_store_n(args->l, l, 1);
    for (int i = 0; i < d; i += 16) {
        int lanes = d - i < 16 ? d - i : 16;
        v16 part = v16_mul(v16_load_n(args->part_o + i, lanes), b);
        v16_store_n(args->o + i, v16_fma(v16_load_n(args->o + i, lanes), a, part), lanes);
    }
}

static void finish(float *o, float l, int d_v) {
    for (int i = 0; i < d_v; i += 16) {
        int lanes = d_v - i < 16 ? d_v - i : 16;
        v16_store_n(o + i, v16_div(v16_load_n(o + i, lanes), v16_set1(l)), lanes);
    }
}

void LEVEL_FN(fill_attn)(struct kernel_table *table) {
    table->attn_chunk[ATTN_F32] = chunk_f32;
    table->attn_chunk[ATTN_F16] = chunk_f16;
    table->attn_chunk[ATTN_BF16_F32] = chunk_bf16_f32;
    table->attn_chunk[ATTN_BF16] = chunk_bf16;
    table->attn_chunk[ATTN_Q8] = chunk_q8;
    table->attn_chunk_name[ATTN_F32] = LEVEL_STR("attn_f32");
    table->attn_chunk_name[ATTN_F16] = LEVEL_STR("attn_f16");
    table->attn_chunk_name[ATTN_BF16_F32] = LEVEL_STR("attn_bf16_f32");
    table->attn_chunk_name[ATTN_BF16] = LEVEL_STR("attn_bf16");
    table->attn_chunk_name[ATTN_Q8] = LEVEL_STR("attn_q8");
    table->attn_fold = fold;
    table->attn_finish = finish;
    table->row_name[KSLOT_attn_fold] = LEVEL_STR("attn_fold");
    table->row_name[KSLOT_attn_finish] = LEVEL_STR("attn_finish");
}
