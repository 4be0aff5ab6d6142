/* Scores against keys of q8, and values of q8 as floats: the parts of attn.c where int8 with scales
 * is not just another element.
 *
 * A block of 32 dims is an exact integer sum, so its order is free: lanes are keys, a step is four
 * dims of 16 keys. Between blocks the float chains rest in the scores' own place, and registers
 * hold sums of integers only. */
#ifndef JL_KERNEL_CPU_ATTN_Q8_H
#define JL_KERNEL_CPU_ATTN_Q8_H

#include "kernel/cpu/attn_tile.h"
#include "kernel/cpu/linear_q.h"
#include "tensor/kvchunk.h"

/* Where the parts of a group of 16 keys and of a query stand. */
struct q8_scene {
    const struct tile *t;
    struct xrow_layout query;
    size_t scales_at, group_bytes;
};

/* Whether the sums of n rows by `width` groups stay in registers beside a step's keys and four dims
 * of a query; where they take the sign trick, beside the keys' sizes and what it works with, too.
 */
SIMD_INLINE bool q8_fits(int n, int width) {
    int operands = SIMD_DOTS ? width + 1 : 2 * width + 2;
    return n * width + operands <= SIMD_REGISTERS;
}

SIMD_INLINE int q8_score_rows(int n) { // of a tile of n, that share a pass: even shares
    int most = n;
    while (!q8_fits(most, 1))
        most--;
    int passes = (n + most - 1) / most;
    return (n + passes - 1) / passes;
}

SIMD_INLINE int q8_score_width(int n) {
    int width = TILE_WIDTH;
    while (width > 1 && !q8_fits(n, width))
        width /= 2;
    return width;
}

/* sum + the products of four dims of 16 keys with those of a query. */
SIMD_INLINE v16i q8_dot(v16i sum, v16i key, v16i query) {
#if SIMD_DOTS
    return q_signed_sub_dot(sum, key, query);
#else
    return q_dot_scaled(sum, key, query, true, v16i_set1(0x00010001));
#endif
}

/* Block b, which has `steps` times four dims, of rows r0 .. r0+n-1 against `width` groups. */
SIMD_INLINE void q8_score_block(const struct q8_scene *s, int r0, int n, int width, int group,
                                int b, int steps) {
    const struct tile *t = s->t;
    const uint8_t *k = (const uint8_t *)t->args->k + s->group_bytes * (size_t)group;
    const uint8_t *step = k + 64 * (KV_Q8_BLOCK / 4) * (size_t)b;
    const uint8_t *query[TILE_ROWS];
    v16i sum[TILE_ROWS][TILE_WIDTH];
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        const uint8_t *row = (const uint8_t *)t->q[r0 + r];
        int16_t sums[2];
        memcpy(sums, row + s->query.sum_at + sizeof sums * (size_t)b, sizeof sums);
        v16i from = v16i_set1(-Q_SIGNED_BIAS * (sums[0] + sums[1]));
        query[r] = row + KV_Q8_BLOCK * (size_t)b;
        SIMD_UNROLL
        for (int g = 0; g < width; g++)
            sum[r][g] = from;
    }
    for (int i = 0; i < steps; i++, step += 64) {
        v16i w[TILE_WIDTH];
        SIMD_UNROLL
        for (int g = 0; g < width; g++)
            w[g] = q_signed(v16i_load(step + s->group_bytes * (size_t)g));
        SIMD_UNROLL
        for (int r = 0; r < n; r++) {
            v16i x = v16i_set1(q_load_i32(query[r] + 4 * i));
            SIMD_UNROLL
            for (int g = 0; g < width; g++)
                sum[r][g] = q8_dot(sum[r][g], w[g], x);
        }
    }
    const uint8_t *scales = k + s->scales_at + 64 * (size_t)b;
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        float d;
        memcpy(&d, (const uint8_t *)t->q[r0 + r] + s->query.d_at + sizeof d * (size_t)b, sizeof d);
        float *p = t->p[r0 + r] + 16 * group;
        SIMD_UNROLL
        for (int g = 0; g < width; g++) {
            v16 d_k = v16_load((const float *)(const void *)(scales + s->group_bytes * (size_t)g));
            v16 acc = b == 0 ? v16_zero() : v16_load(p + 16 * g);
            acc = v16_fma(v16_from_i32(sum[r][g]), v16_mul(d_k, v16_set1(d)), acc);
            v16_store(p + 16 * g, acc);
        }
    }
}

SIMD_INLINE void q8_score_tile(const struct q8_scene *s, int r0, int n, int width, int group) {
    int left = (int)kv_q8_width(s->t->args->d_k), b = 0;
    for (; left >= KV_Q8_BLOCK; left -= KV_Q8_BLOCK)
        q8_score_block(s, r0, n, width, group, b++, KV_Q8_BLOCK / 4);
    if (left > 0) q8_score_block(s, r0, n, width, group, b, KV_Q8_BLOCK / 8);
    v16 scale = v16_set1(s->t->args->scale);
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        float *p = s->t->p[r0 + r] + 16 * group;
        SIMD_UNROLL
        for (int g = 0; g < width; g++)
            v16_store(p + 16 * g, v16_mul(scale, v16_load(p + 16 * g)));
    }
}

SIMD_INLINE void q8_score_pass(const struct q8_scene *s, int r0, int n, int n_group) {
    int wide = q8_score_width(n), g = 0;
    for (; g + wide <= n_group; g += wide)
        q8_score_tile(s, r0, n, wide, g);
    for (; wide > 1 && g < n_group; g++)
        q8_score_tile(s, r0, n, 1, g);
}

/* The scores of n rows against the 16 keys of each of the first n_group groups. */
SIMD_INLINE void q8_scores(const struct tile *t, int n, int n_group) {
    int d = t->args->d_k, rows = q8_score_rows(n);
    struct q8_scene s = {
        .t = t,
        .query = xrow_layout(XFMT_Q8_32, kv_q8_query(d)),
        .scales_at = 16 * kv_q8_width(d),
        .group_bytes = 16 * kv_q8_bytes(d),
    };
    q8_score_pass(&s, 0, rows, n_group);
    if (n > rows) q8_score_pass(&s, rows, n - rows, n_group);
}

/* Elements col .. col+15 of a position's value, col a multiple of 16: they are of one block. */
SIMD_INLINE v16 q8_load_value(const uint8_t *value, size_t width, size_t col) {
    float d;
    memcpy(&d, value + width + col / KV_Q8_BLOCK * sizeof d, sizeof d);
    return v16_mul(v16_load_i8(value + col), v16_set1(d));
}

#endif
