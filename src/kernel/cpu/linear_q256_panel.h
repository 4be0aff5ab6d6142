/* Panels of superblocks of 256, laid out as linear_q_gemm.h says, and what a tile's rows bring to
 * them. */
#ifndef JL_KERNEL_CPU_LINEAR_Q256_PANEL_H
#define JL_KERNEL_CPU_LINEAR_Q256_PANEL_H

#if defined(JINLIN_LEVEL_AMX)
#include "kernel/cpu/linear_q256_digits.h"
#else
#include "kernel/cpu/linear_q256_form.h"
#endif

#if defined(JINLIN_LEVEL_AMX)

SIMD_INLINE int q256_planes(const struct q256_form *form) { return q256_digits(form).n; }

/* Elements 4i .. 4i+3 of 16 rows into the panel: products with the digits of their sub-scale. */
SIMD_INLINE void q256_put(const struct q256_form *form, const struct q256_slice *slice, int i,
                          v16i quants) {
    const struct q256_digits digits = q256_digits(form);
    const v16i *factor = slice->factor[i * form->n_sub / 64];
    if (form->offset && !form->fold) quants = v16i_sub8(quants, v16i_set8((unsigned)form->offset));
    for (int p = 0; p < digits.n; p++)
        q_put(slice->panel->q, slice->step + 64 * p + i, slice->vec,
              form->fold ? form->fold(quants, factor[0]) : q256_times(&digits, quants, factor[p]));
}

/* What multiplies the quants of a sub-block, int16 twice a lane. */
SIMD_INLINE void q256_factor(const struct q256_form *form, v16i scale,
                             v16i factor[Q256_PLANES_MOST]) {
    const struct q256_digits digits = q256_digits(form);
    q256_split(&digits, scale, factor);
}

#else

SIMD_INLINE int q256_planes(const struct q256_form *form) { return (void)form, 1; }

/* Elements 4i .. 4i+3 of 16 rows into the panel. */
SIMD_INLINE void q256_put(const struct q256_form *form, const struct q256_slice *slice, int i,
                          v16i quants) {
    if (q256_folds(form)) quants = form->fold(quants, slice->factor[i * form->n_sub / 64][0]);
    q_put(slice->panel->q, slice->step + i, slice->vec, quants);
}

/* What multiplies the quants of a sub-block, int16 twice a lane. */
SIMD_INLINE void q256_factor(const struct q256_form *form, v16i scale,
                             v16i factor[Q256_PLANES_MOST]) {
    (void)form;
    factor[0] = scale;
}

#endif

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
                q256_factor(form, q256_twice16(scale), slice->factor[j + i]);
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
        slice.step = 64 * b * q256_planes(form);
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

/* What multiplies the sums of activations of a superblock, of 16 outputs. */
enum { Q256_PAIRS_MOST = 8 };
SIMD_INLINE void q256_pairs_load(const struct q256_form *form, const uint8_t *scale,
                                 v16i side[Q256_PAIRS_MOST]) {
    SIMD_UNROLL
    for (int j = 0; j < q256_n_pair(form); j++)
        side[j] = v16i_load(scale + (q256_step_pair(form) + j) * Q_STEP);
}

/* The products of them with a row's sums. */
SIMD_INLINE v16i q256_pairs(const struct q256_form *form, const v16i side[Q256_PAIRS_MOST],
                            const int32_t *aux) {
    v16i total = v16i_zero();
    SIMD_UNROLL
    for (int j = 0; j < q256_n_pair(form); j++)
        total = v16i_dot16(total, side[j], v16i_set1(aux[j]));
    return total;
}

#endif
