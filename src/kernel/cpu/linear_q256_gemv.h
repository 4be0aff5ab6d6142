/* Few rows against superblocks of 256: lanes run over k. A vector holds 64 quants of one weight
 * row, and a superblock is four of them; sub-scales come in where pairs of products meet
 * (VPMADDWD). */
#ifndef JL_KERNEL_CPU_LINEAR_Q256_GEMV_H
#define JL_KERNEL_CPU_LINEAR_Q256_GEMV_H

#include "kernel/cpu/linear_q256_form.h"

/* Sub-scales of 16 rows, those of row 4l + i at [..][i][l]: 16 bytes in order, or, where they may
 * be negative, eight int16 a group in the order of quants(); on ARM all are int32 in that order.
 * And what multiplies the sums of activations, in int16: the minima, or the scales again for the
 * offset. */
struct q256_scales {
#if defined(JINLIN_LEVEL_NEON)
    int32_t dwords[4][4][16];
#else
    _Alignas(64) uint8_t bytes[4][4][16];
    int16_t words[2][4][4][8];
#endif
    v16i side[2][4];
};

SIMD_INLINE v16i q256_signed_words(v16i bytes, int group) {
    v16i zero = v16i_zero();
    return v16i_sra16(group ? v16i_unhi8(zero, bytes) : v16i_unlo8(zero, bytes), 8);
}

#if defined(JINLIN_LEVEL_NEON)

SIMD_INLINE void q256_keep_scales(const struct q256_form *form, struct q256_scales *s, int i,
                                  v16i scale) {
    v16i ordered = v16i_shuffle8(scale, v16i_load_16x4(form->order));
    v16i_store(s->dwords[i][0], v16i_widen_i8_(vreinterpretq_s8_s32(ordered.q0)));
    v16i_store(s->dwords[i][1], v16i_widen_i8_(vreinterpretq_s8_s32(ordered.q1)));
    v16i_store(s->dwords[i][2], v16i_widen_i8_(vreinterpretq_s8_s32(ordered.q2)));
    v16i_store(s->dwords[i][3], v16i_widen_i8_(vreinterpretq_s8_s32(ordered.q3)));
}

/* The scales of vector c of row i, each throughout its sub-block. */
SIMD_INLINE v16i q256_spread(const struct q256_form *form, const struct q256_scales *s, int i,
                             int c) {
    const int32_t *scale = s->dwords[i % 4][i / 4] + (form->n_sub == 8 ? 2 : 4) * c;
    if (form->n_sub == 8) {
        int32x4_t first = vld1q_dup_s32(scale), second = vld1q_dup_s32(scale + 1);
        return (v16i){first, first, second, second};
    }
    return (v16i){vld1q_dup_s32(scale), vld1q_dup_s32(scale + 1), vld1q_dup_s32(scale + 2),
                  vld1q_dup_s32(scale + 3)};
}

#else

SIMD_INLINE void q256_keep_scales(const struct q256_form *form, struct q256_scales *s, int i,
                                  v16i scale) {
    if (!form->scale_signed) {
        v16i_store(s->bytes[i], scale);
        return;
    }
    v16i ordered = v16i_shuffle8(scale, v16i_load_16x4(form->order));
    SIMD_UNROLL
    for (int group = 0; group < form->n_sub / 8; group++)
        v16i_store(s->words[group][i], q256_signed_words(ordered, group));
}

/* Four int16 numbers, one throughout each quarter; indices of bytes of an int16 likewise. */
SIMD_INLINE v16i q256_quarters16(int a, int b, int c, int d) {
    return v16i_quarters(v4i_set16(a), v4i_set16(b), v4i_set16(c), v4i_set16(d));
}
enum { Q256_BYTE = 0x8000, Q256_WORD = 0x0100 }; // a byte and a zero; both bytes of a word

/* The scales of vector c of row i, each throughout its sub-block. */
SIMD_INLINE v16i q256_spread(const struct q256_form *form, const struct q256_scales *s, int i,
                             int c) {
    const uint8_t *sub = form->order + (form->n_sub == 8 ? 2 * c : 4 * c);
    if (!form->scale_signed) {
        v16i at = form->n_sub == 8 ? q256_quarters16(Q256_BYTE | sub[0], Q256_BYTE | sub[0],
                                                     Q256_BYTE | sub[1], Q256_BYTE | sub[1])
                                   : q256_quarters16(Q256_BYTE | sub[0], Q256_BYTE | sub[1],
                                                     Q256_BYTE | sub[2], Q256_BYTE | sub[3]);
        return v16i_shuffle8(v16i_load_16x4(s->bytes[i % 4][i / 4]), at);
    }
    int first = form->n_sub == 8 ? 2 * c : 4 * (c % 2), step = form->n_sub == 8 ? 0 : 1;
    int group = form->n_sub == 8 ? 0 : c / 2, second = first + 1 + step;
    v16i at = q256_quarters16(Q256_WORD + 0x0202 * first, Q256_WORD + 0x0202 * (first + step),
                              Q256_WORD + 0x0202 * second, Q256_WORD + 0x0202 * (second + step));
    return v16i_shuffle8(v16i_load_16x4(s->words[group][i % 4][i / 4]), at);
}

#endif

SIMD_INLINE void q256_scales_from(const struct q256_form *form, const struct q256_header *h,
                                  struct q256_scales *s) {
    const v16i zero = v16i_zero();
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        q256_keep_scales(form, s, i, h->scale[i]);
        SIMD_UNROLL
        for (int group = 0; group < form->n_sub / 8; group++)
            if (!form->has_min) s->side[group][i] = q256_signed_words(h->scale[i], group);
        if (form->has_min && form->n_sub == 8) {
            s->side[0][i] = v16i_unhi8(h->scale[i], zero);
        } else if (form->has_min) {
            s->side[0][i] = v16i_unlo8(h->min[i], zero);
            s->side[1][i] = v16i_unhi8(h->min[i], zero);
        }
    }
}

/* Of each of 16 rows: minima, or scales, times the sums of activations. */
SIMD_INLINE v16i q256_side(const struct q256_form *form, const struct q256_scales *s,
                           const int16_t *sum) {
    int16_t sums[16];
    v16i part[4];
    q256_sums(form, sum, sums);
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        part[i] = v16i_dot16(v16i_zero(), s->side[0][i], v16i_load_16x4(sums));
        if (form->n_sub == 16)
            part[i] = v16i_dot16(part[i], s->side[1][i], v16i_load_16x4(sums + 8));
    }
    return q_sum_quarters(part);
}

/* sum[r] = one weight row times n activation rows: partial sums in all lanes. */
SIMD_INLINE void q256_dot(const struct q256_form *form, const uint8_t *w,
                          const struct q256_scales *s, int i, const v16i x[4][4], int n,
                          v16i sum[4]) {
    SIMD_UNROLL
    for (int r = 0; r < n; r++)
        sum[r] = v16i_zero();
    _Alignas(64) uint8_t seen[Q256_LOOK];
    if (form->look) {
        form->look(w, seen);
        __asm__("" : "+m"(seen)); // from memory: compilers would take it apart in registers, slowly
        w = seen;
    }
    SIMD_UNROLL
    for (int c = 0; c < 4; c++) {
        v16i q = form->quants(w, c), scale = q256_spread(form, s, i, c);
        SIMD_UNROLL
        for (int r = 0; r < n; r++)
            sum[r] = q_dot_scaled(sum[r], q, x[r][c], form->is_signed, scale);
    }
}

SIMD_INLINE void q256_gemv(const struct q256_form *form, const struct linear_args *args, int o,
                           int r0, int n) {
    const struct xrow_layout layout = xrow_layout(XFMT_Q8_256, args->n_in);
    const struct q_rows rows = q_rows_at(args, o, 0);
    const uint8_t *next = rows.next, *row[4];
    v16 acc[4];
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        row[r] = linear_x(args, r0 + r);
        acc[r] = v16_zero();
    }
    for (int b = 0; b < args->n_in / 256; b++) {
        size_t at = (size_t)b * (size_t)form->bytes;
        struct q256_header h;
        struct q256_scales s;
        form->header(&rows, at, &h);
        q256_scales_from(form, &h, &s);
        v16i x[4][4], pair[4][8];
        SIMD_UNROLL
        for (int r = 0; r < n; r++) {
            const uint8_t *q = row[r] + 256 * b;
            SIMD_UNROLL
            for (int c = 0; c < 4; c++)
                x[r][c] = v16i_halves(q_load32(q + q256_first(form, 2 * c)),
                                      q_load32(q + q256_first(form, 2 * c + 1)));
        }
        for (int i = 0; i < 8; i++) {
            int first = q_pair_row(i), second = first + 4;
            v16i low[4], high[4];
            q_prefetch(&next, 2 * form->bytes);
            q256_dot(form, rows.p[first] + at, &s, first, x, n, low);
            q256_dot(form, rows.p[second] + at, &s, second, x, n, high);
            SIMD_UNROLL
            for (int r = 0; r < n; r++)
                pair[r][i] = v16i_merge256(low[r], high[r]);
        }
        SIMD_UNROLL
        for (int r = 0; r < n; r++) {
            const int16_t *sum = (const int16_t *)(const void *)(row[r] + layout.sum_at) + 16 * b;
            v16 d_x = v16_set1(((const float *)(const void *)(row[r] + layout.d_at))[b]);
            v16i total = q_sum_pairs(pair[r]), side = v16i_zero();
            if (form->has_min || form->offset) side = q256_side(form, &s, sum);
            if (form->offset)
                total = v16i_sub(total, v16i_sll32(side, __builtin_ctz((unsigned)form->offset)));
            acc[r] = v16_fma(v16_from_i32(total), v16_mul(h.d, d_x), acc[r]);
            if (form->has_min) acc[r] = v16_fnma(v16_from_i32(side), v16_mul(h.dmin, d_x), acc[r]);
        }
    }
    SIMD_UNROLL
    for (int r = 0; r < n; r++)
        v16_store_n(args->y + (size_t)(r0 + r) * args->y_stride + o, acc[r], q_lanes(args, o));
}

#endif
