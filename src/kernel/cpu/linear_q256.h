/* The frame of the types with superblocks of 256: a type says how its bytes unpack to quants,
 * sub-scales and minima; gemv, panels and tiles follow.
 *
 * gemv: lanes run over k. A vector holds 64 quants of one weight row, and a superblock is four of
 * them; sub-scales come in where pairs of products meet (VPMADDWD). gemm: panels as
 * linear_q_gemm.h lays them out. */
#ifndef JL_KERNEL_CPU_LINEAR_Q256_H
#define JL_KERNEL_CPU_LINEAR_Q256_H

#include "kernel/cpu/linear_q_gemm.h"

/* A superblock's factors of 16 rows (lanes), and its int8 sub-scales and minima: quarter l of
 * vector i holds those of row 4l + i, in order. Eight minima stand behind their eight scales, in
 * the upper half of the quarter; sixteen in `min`. */
struct q256_header {
    v16 d, dmin;
    v16i scale[4], min[4];
};

enum { Q256_LOOK = 192 };
/* A superblock of 16 rows on its way into a panel. */
struct q256_slice {
    const struct q_rows *rows;
    size_t at; // of the superblock in each row
    const struct q_panel *panel;
    int step, vec;   // where its 64 steps start
    v16i factor[16]; // sub-scales as int16, twice a lane; where they are folded into the quants
};

/* Constant in each file, so that everything it decides is decided by the compiler. */
struct q256_form {
    int bytes;      // of a superblock
    int n_sub;      // sub-blocks with a scale (and minimum): 8 or 16
    int most;       // quants are stored as 0 .. most, `offset` higher than they count
    int offset;     // a power of two or 0; not with has_min
    bool is_signed; // quants are int8 (most is 128, offset 0)
    bool has_min;
    bool scale_signed; // sub-scales may be negative
    uint8_t order[16]; // the sub-blocks as quants() gives them
    void (*header)(const struct q_rows *rows, size_t at, struct q256_header *h);
    v16i (*quants)(const uint8_t *block, int c); // vector c of 4
    /* Writes what quants() reads in place of the block, up to Q256_LOOK bytes: what is cheaper to
     * do for a whole block than vector by vector. Or NULL. */
    void (*look)(const uint8_t *block, uint8_t *out);
    /* Puts a part of the 64 steps (q256_put()), or NULL: quants() is used. */
    void (*slice)(const struct q256_form *form, const struct q256_slice *slice, int i);
    int n_slice;
    /* AVX-512 panels: a quant's product with its sub-scale, `fold_offset` higher, fits a byte: one
     * vector of four quants times the factor of each. NULL: sub-sums are scaled instead. */
    v16i (*fold)(v16i quants, v16i factor);
    int fold_offset;
};

SIMD_INLINE bool q256_folds(const struct q256_form *form) {
#if defined(JINLIN_LEVEL_AVX512)
    return form->fold != NULL;
#else
    return (void)form, false;
#endif
}

/* Elements 4i .. 4i+3 of 16 rows into the panel. */
SIMD_INLINE void q256_put(const struct q256_form *form, const struct q256_slice *slice, int i,
                          v16i quants) {
    if (q256_folds(form)) quants = form->fold(quants, slice->factor[i * form->n_sub / 64]);
    q_put(slice->panel->q, slice->step + i, slice->vec, quants);
}

/* The elements of half h of the vectors start at this one. */
SIMD_INLINE int q256_first(const struct q256_form *form, int h) {
    return form->n_sub == 8 ? 32 * form->order[h] : 16 * form->order[2 * h];
}

/* ---- few rows ---- */

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

/* Sums of activations, one a sub-block, eight a group. */
SIMD_INLINE void q256_sums(const struct q256_form *form, const int16_t *sum, int16_t out[16]) {
    if (form->n_sub == 16)
        v8i_store(out, q_load32((const uint8_t *)(const void *)sum));
    else
        q_add_pairs16(sum, out);
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

/* ---- many rows ---- */

SIMD_INLINE v16i q256_twice16(v16i x) {
    return v16i_or(v16i_and(x, v16i_set1(0xffff)), v16i_sll32(x, 16));
}

/* Steps of a superblock's scales in the panel: d; dmin with has_min; what multiplies the sums of
 * activations, in pairs; the sub-scales. An offset is taken back by where a sub-sum starts, or,
 * where sub-sums are int16, by the scales in pairs. */
SIMD_INLINE int q256_offset(const struct q256_form *form) {
    if (q256_folds(form)) return form->fold_offset;
    return form->is_signed ? Q_SIGNED_BIAS : form->offset;
}
#if SIMD_DOTS
SIMD_INLINE bool q256_has_pairs(const struct q256_form *form) { return form->has_min; }
SIMD_INLINE bool q256_from_aux(const struct q256_form *form) { return q256_offset(form) != 0; }
SIMD_INLINE v16i q256_panel_scale(v16i scale) { return scale; }
#else
SIMD_INLINE bool q256_has_pairs(const struct q256_form *form) {
    return form->has_min || form->offset;
}
SIMD_INLINE bool q256_from_aux(const struct q256_form *form) { return (void)form, false; }
SIMD_INLINE v16i q256_panel_scale(v16i scale) { return q256_twice16(scale); }
#endif

SIMD_INLINE int q256_n_pair(const struct q256_form *form) {
    return q256_has_pairs(form) ? form->n_sub / 2 : 0;
}
SIMD_INLINE int q256_step_pair(const struct q256_form *form) { return form->has_min ? 2 : 1; }
SIMD_INLINE int q256_step_scale(const struct q256_form *form) {
    return q256_step_pair(form) + q256_n_pair(form);
}
SIMD_INLINE int q256_scale_steps(const struct q256_form *form) {
    return q256_step_scale(form) + (q256_folds(form) ? 0 : form->n_sub);
}

/* Byte i of each lane, as int32. */
SIMD_INLINE v16i q256_byte(v16i x, int i) { return v16i_sra32(v16i_sll32(x, 24 - 8 * i), 24); }

SIMD_INLINE void q256_panel_scales(const struct q256_form *form, struct q256_slice *slice,
                                   int step) {
    const struct q_panel *p = slice->panel;
    int vec = slice->vec;
    struct q256_header h;
    form->header(slice->rows, slice->at, &h);
    q_put(p->scale, step, vec, v16_bits(h.d));
    if (form->has_min) q_put(p->scale, step + 1, vec, v16_bits(h.dmin));
    q_transpose(h.scale);
    if (form->has_min && form->n_sub == 16) q_transpose(h.min);
    const v16i *side = !form->has_min ? h.scale : form->n_sub == 8 ? h.scale + 2 : h.min;
    const v16i low = v16i_set1(0xffff);
    SIMD_UNROLL
    for (int j = 0; j < q256_n_pair(form); j++) {
        v16i a = q256_byte(side[j / 2], j % 2 * 2), b = q256_byte(side[j / 2], j % 2 * 2 + 1);
        q_put(p->scale, step + q256_step_pair(form) + j, vec,
              v16i_or(v16i_and(a, low), v16i_sll32(b, 16)));
    }
    for (int j = 0; j < form->n_sub; j += 4) {
        SIMD_UNROLL
        for (int i = 0; i < 4; i++) {
            v16i scale = q256_byte(h.scale[j / 4], i);
            if (q256_folds(form))
                slice->factor[j + i] = q256_twice16(scale);
            else
                q_put(p->scale, step + q256_step_scale(form) + j + i, vec, q256_panel_scale(scale));
        }
    }
}

/* The quants of vector c of 16 rows into the panel, row by row. */
SIMD_INLINE void q256_put_rows(const struct q256_form *form, const struct q256_slice *slice,
                               int c) {
    _Alignas(64) uint8_t bytes[16][64];
    struct q_rows plain;
    for (int i = 0; i < 16; i++) {
        v16i q = form->quants(slice->rows->p[i] + slice->at, c);
        v16i_store(bytes[i], form->is_signed ? q_signed(q) : q);
        plain.p[i] = bytes[i];
    }
    SIMD_UNROLL
    for (int part = 0; part < 4; part++) {
        v16i column[4];
        int first = q256_first(form, 2 * c + part / 2) + 16 * (part % 2);
        q_columns(&plain, 16 * (size_t)part, column);
        SIMD_UNROLL
        for (int i = 0; i < 4; i++)
            q256_put(form, slice, first / 4 + i, column[i]);
    }
}

SIMD_INLINE void q256_panel(const struct q256_form *form, const struct q_rows *rows,
                            const struct q_panel *p, int vec) {
    const uint8_t *next = rows->next;
    struct q256_slice slice = {.rows = rows, .panel = p, .vec = vec};
    for (int b = 0; b < p->n_block; b++) {
        slice.at = (size_t)b * (size_t)form->bytes;
        slice.step = 64 * b;
        q256_panel_scales(form, &slice, b * q256_scale_steps(form));
        if (form->slice) {
            for (int i = 0; i < form->n_slice; i++) {
                q_prefetch(&next, 16 * form->bytes / form->n_slice);
                form->slice(form, &slice, i);
            }
            continue;
        }
        _Alignas(64) uint8_t seen[16][Q256_LOOK];
        struct q_rows seen_rows = *rows;
        struct q256_slice from = slice;
        for (int i = 0; i < 16 && form->look; i++) {
            form->look(rows->p[i] + slice.at, seen[i]);
            seen_rows.p[i] = seen[i];
            from.rows = &seen_rows;
            from.at = 0;
        }
        SIMD_UNROLL
        for (int c = 0; c < 4; c++) {
            q_prefetch(&next, 4 * form->bytes);
            q256_put_rows(form, &from, c);
        }
    }
}

SIMD_INLINE int q256_sum_of(const int16_t *sum, int n) {
    int total = 0;
    for (int j = 0; j < n; j++)
        total += sum[j];
    return total;
}

/* aux: sums of activations in pairs of int16, or what the offset adds to each sum that is scaled.
 */
SIMD_INLINE void q256_prepare(const struct q256_form *form, const struct q_tile *t, int n) {
    if (!q256_has_pairs(form) && !q256_from_aux(form)) return;
    for (int r = 0; r < n; r++)
        for (int b = 0; b < t->panel.n_block; b++) {
            int16_t sum[16];
            q256_sums(form, t->sum[r] + 16 * b, sum);
            if (q256_has_pairs(form))
                memcpy(t->aux[r] + form->n_sub / 2 * b, sum, 2 * (size_t)form->n_sub);
            else if (!q256_folds(form))
                for (int j = 0; j < form->n_sub; j++)
                    t->aux[r][form->n_sub * b + j] = -q256_offset(form) * sum[j];
            else
                t->aux[r][b] = -q256_offset(form) * q256_sum_of(sum, form->n_sub);
        }
}

/* The pairs of a superblock times the sums of activations of row r, for vector v of outputs. */
SIMD_INLINE v16i q256_pairs(const struct q256_form *form, const struct q_tile *t,
                            const uint8_t *scale, int b, int r, int v) {
    v16i total = v16i_zero();
    SIMD_UNROLL
    for (int j = 0; j < q256_n_pair(form); j++)
        total = v16i_dot16(total, v16i_load(scale + (q256_step_pair(form) + j) * Q_STEP + 64 * v),
                           v16i_set1(t->aux[r][form->n_sub / 2 * b + j]));
    return total;
}

/* Where the sum of a superblock starts. */
SIMD_INLINE void q256_start(const struct q256_form *form, const struct q_tile *t,
                            const uint8_t *scale, int b, int n, v16i total[Q_ROWS][Q_WIDTH]) {
    q_start(t, q256_folds(form) && q256_from_aux(form) ? b : -1, n, total);
    if (form->has_min || !q256_has_pairs(form)) return;
    for (int r = 0; r < n; r++)
        for (int v = 0; v < Q_WIDTH; v++) {
            v16i over = q256_pairs(form, t, scale, b, r, v);
            total[r][v] =
                v16i_sub(v16i_zero(), v16i_sll32(over, __builtin_ctz((unsigned)form->offset)));
        }
}

/* The minima's part of the chain. */
SIMD_INLINE void q256_chain_min(const struct q256_form *form, const struct q_tile *t,
                                const uint8_t *scale, int b, int n, v16 acc[Q_ROWS][Q_WIDTH]) {
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        v16 d_x = v16_set1(t->d[r][b]);
        SIMD_UNROLL
        for (int v = 0; v < Q_WIDTH; v++) {
            v16i minima = q256_pairs(form, t, scale, b, r, v);
            const float *dmin = (const float *)(const void *)(scale + Q_STEP + 64 * v);
            acc[r][v] = v16_fnma(v16_from_i32(minima), v16_mul(v16_load(dmin), d_x), acc[r][v]);
        }
    }
}

/* total[r][v] += the products of a superblock; q is where it starts. */
SIMD_INLINE void q256_products(const struct q256_form *form, const struct q_tile *t,
                               const uint8_t *q, const uint8_t *scale, int b, int n,
                               v16i total[Q_ROWS][Q_WIDTH]) {
    int steps = 64 / form->n_sub, run = q_run_steps(form->most, steps);
    q_dot_fn *dot = form->is_signed ? q_signed_sub_dot : q_sub_dot;
    for (int j = 0; j < form->n_sub; j++) {
        SIMD_UNROLL
        for (int i = 0; i < steps; i += run, q += run * Q_STEP) {
            v16i sub[Q_ROWS][Q_WIDTH];
            int k = 256 * b + 4 * (steps * j + i);
            if (q256_folds(form)) {
                q_products(t, q, k, run, n, dot, total);
                continue;
            }
            q_start(t, q256_from_aux(form) ? form->n_sub * b + j : -1, n, sub);
            q_products(t, q, k, run, n, dot, sub);
            q_scale_sums(scale + (q256_step_scale(form) + j) * Q_STEP, n, sub, total);
        }
    }
}

SIMD_INLINE void q256_tile(const struct q256_form *form, const struct q_tile *t, int n) {
    const uint8_t *q = t->panel.q, *scale = t->panel.scale;
    v16 acc[Q_ROWS][Q_WIDTH];
    q_acc_load(t, n, acc);
    for (int b = 0; b < t->panel.n_block; b++) {
        v16i total[Q_ROWS][Q_WIDTH];
        q256_start(form, t, scale, b, n, total);
        q256_products(form, t, q, scale, b, n, total);
        q_chain(t, scale, b, n, total, acc);
        if (form->has_min) q256_chain_min(form, t, scale, b, n, acc);
        q += 64 * Q_STEP;
        scale += q256_scale_steps(form) * Q_STEP;
    }
    q_acc_store(t, n, acc);
}

SIMD_INLINE struct q_type q256_type(const struct q256_form *form) {
    return (struct q_type){
        .xfmt = XFMT_Q8_256,
        .block = 256,
        .block_bytes = form->bytes,
        .scale_steps = q256_scale_steps(form),
    };
}

#endif
