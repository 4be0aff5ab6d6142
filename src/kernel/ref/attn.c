/* Attention over one chunk, one query and one scalar chain at a time: "Attention" of
 * docs/numerics.md in C. Layouts of keys and values: tensor/kvchunk.h. */
#include <math.h>
#include <string.h>

#include "kernel/fill.h"
#include "kernel/fmath.h"
#include "kernel/ref/lanes.h"
#include "tensor/kvchunk.h"
#include "tensor/xrow.h"

static size_t at(int row, int width, int col) { return (size_t)row * (size_t)width + (size_t)col; }

static float float_at(const uint8_t *p) {
    float x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* Element (position j, dim i) of a chunk of keys. */
static float key_at(enum attn_kind kind, const void *k, int d, int j, int i) {
    size_t plain = (at(j / 16, d, i)) * 16 + (size_t)(j % 16);
    switch (kind) {
    case ATTN_F32: return ((const float *)k)[plain];
    case ATTN_F16: return f32_from_f16(((const uint16_t *)k)[plain]);
    default:
        return f32_from_bf16(
            ((const uint16_t *)k)[at(j / 16, d / 2, i / 2) * 32 + (size_t)(j % 16 * 2 + i % 2)]);
    }
}

/* Element (position j, dim i) of a chunk of values. */
static float value_at(enum attn_kind kind, const void *v, int d, int j, int i) {
    switch (kind) {
    case ATTN_F32: return ((const float *)v)[at(j, d, i)];
    case ATTN_F16: return f32_from_f16(((const uint16_t *)v)[at(j, d, i)]);
    case ATTN_Q8: {
        const uint8_t *row = (const uint8_t *)v + (size_t)j * kv_q8_bytes(d);
        float scale = float_at(row + kv_q8_width(d) + (size_t)(i / KV_Q8_BLOCK) * sizeof(float));
        return (float)((const int8_t *)row)[i] * scale;
    }
    default: return f32_from_bf16(((const uint16_t *)v)[at(j / 2, 2 * d, 2 * i + j % 2)]);
    }
}

static float query_at(enum attn_kind kind, const void *q, int i) {
    return kind == ATTN_BF16 ? f32_from_bf16(((const uint16_t *)q)[i]) : ((const float *)q)[i];
}

/* The chain over blocks of key j and a query, each an exact sum of products of integers. */
static float score_q8(const struct attn_chunk_args *args, const void *q, int j) {
    int d = args->d_k;
    const uint8_t *group = (const uint8_t *)args->k + (size_t)(j / 16) * 16 * kv_q8_bytes(d);
    const int8_t *key = (const int8_t *)group, *query = q;
    const uint8_t *d_k = group + 16 * kv_q8_width(d) + 4 * (size_t)(j % 16);
    const uint8_t *d_q = (const uint8_t *)q + xrow_layout(XFMT_Q8_32, kv_q8_query(d)).d_at;
    float acc = 0.0f;
    for (int b = 0; b < (int)kv_q8_blocks(d); b++) {
        int32_t sum = 0;
        for (int i = b * KV_Q8_BLOCK; i < d && i < (b + 1) * KV_Q8_BLOCK; i++)
            sum += key[at(i / 4, 64, j % 16 * 4 + i % 4)] * query[i];
        float scale = float_at(d_k + 64 * (size_t)b) * float_at(d_q + 4 * (size_t)b);
        acc = fmaf((float)sum, scale, acc);
    }
    return args->scale * acc;
}

static float score(enum attn_kind kind, const struct attn_chunk_args *args, const void *q, int j) {
    if (kind == ATTN_Q8) return score_q8(args, q, j);
    float acc = 0.0f;
    for (int i = 0; i < args->d_k; i++) {
        int dim = kind == ATTN_BF16 ? i ^ 1 : i; // the pair rule takes the odd element first
        acc = fmaf(key_at(kind, args->k, args->d_k, j, dim), query_at(kind, q, dim), acc);
    }
    return args->scale * acc;
}

/* One output over the first n positions, whose weights are p. */
static float output(enum attn_kind kind, const struct attn_chunk_args *args, const float *p, int n,
                    int i) {
    float acc = 0.0f;
    if (kind != ATTN_BF16) {
        for (int j = 0; j < n; j++)
            acc = fmaf(value_at(kind, args->v, args->d_v, j, i), p[j], acc);
        return acc;
    }
    for (int j = 0; j < n; j += 2) {
        bool odd = j + 1 < n;
        float v_odd = odd ? value_at(kind, args->v, args->d_v, j + 1, i) : 0.0f;
        float p_odd = odd ? f32_from_bf16(bf16_from_f32(p[j + 1])) : 0.0f;
        acc = fmaf(v_odd, p_odd, acc);
        float p_even = f32_from_bf16(bf16_from_f32(p[j]));
        acc = fmaf(value_at(kind, args->v, args->d_v, j, i), p_even, acc);
    }
    return acc;
}

/* NaN when either is. */
static float larger(float a, float b) { return a > b || isnan(a) ? a : b; }

static void chunk(enum attn_kind kind, const struct attn_chunk_args *args, int r) {
    int n = args->n_key[r];
    float p[KV_CHUNK];
    float m = -INFINITY;
    for (int j = 0; j < n; j++) {
        p[j] = score(kind, args, args->q[r], j);
        m = larger(m, p[j]);
    }
    m = m + 0.0f; // a zero is +0, whichever zero came first
    float lane[LANES] = {0};
    for (int j = 0; j < n; j++) {
        p[j] = fmath_exp(p[j] - m);
        lane[j % LANES] = lane[j % LANES] + p[j];
    }
    args->m[r] = m;
    args->l[r] = lanes_sum(lane);
    for (int i = 0; i < args->d_v; i++)
        args->o[(size_t)r * args->o_stride + (size_t)i] = output(kind, args, p, n, i);
}

static void chunk_all(enum attn_kind kind, const struct attn_chunk_args *args) {
    for (int r = 0; r < args->n_q; r++)
        if (args->n_key[r] > 0) chunk(kind, args, r);
}

static void chunk_f32(const struct attn_chunk_args *args) { chunk_all(ATTN_F32, args); }
static void chunk_f16(const struct attn_chunk_args *args) { chunk_all(ATTN_F16, args); }
static void chunk_bf16_f32(const struct attn_chunk_args *args) { chunk_all(ATTN_BF16_F32, args); }
static void chunk_bf16(const struct attn_chunk_args *args) { chunk_all(ATTN_BF16, args); }
static void chunk_q8(const struct attn_chunk_args *args) { chunk_all(ATTN_Q8, args); }

static void fold(const struct attn_fold_args *args) {
    if (args->fresh) {
        *args->m = *args->part_m;
        *args->l = *args->part_l;
        memcpy(args->o, args->part_o, (size_t)args->d_v * sizeof args->o[0]);
        return;
    }
    float m = larger(*args->m, *args->part_m) + 0.0f;
    float a = fmath_exp(*args->m - m), b = fmath_exp(*args->part_m - m);
    *args->m = m;
    *args->l = fmaf(*args->l, a, *args->part_l * b);
    for (int i = 0; i < args->d_v; i++)
        args->o[i] = fmaf(args->o[i], a, args->part_o[i] * b);
}

static void finish(float *o, float l, int d_v) {
    for (int i = 0; i < d_v; i++)
        o[i] = o[i] / l;
}

void ref_fill_attn(struct kernel_table *table) {
    table->attn_chunk[ATTN_F32] = chunk_f32;
    table->attn_chunk[ATTN_F16] = chunk_f16;
    table->attn_chunk[ATTN_BF16_F32] = chunk_bf16_f32;
    table->attn_chunk[ATTN_BF16] = chunk_bf16;
    table->attn_chunk[ATTN_Q8] = chunk_q8;
    table->attn_chunk_name[ATTN_F32] = "attn_f32.ref";
    table->attn_chunk_name[ATTN_F16] = "attn_f16.ref";
    table->attn_chunk_name[ATTN_BF16_F32] = "attn_bf16_f32.ref";
    table->attn_chunk_name[ATTN_BF16] = "attn_bf16.ref";
    table->attn_chunk_name[ATTN_Q8] = "attn_q8.ref";
    table->attn_fold = fold;
    table->attn_finish = finish;
    table->row_name[KSLOT_attn_fold] = "attn_fold.ref";
    table->row_name[KSLOT_attn_finish] = "attn_finish.ref";
}
