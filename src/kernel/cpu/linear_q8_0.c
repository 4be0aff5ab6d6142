/* Linear steps of Q8_0 weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_q32.h"
#include "kernel/fill.h"
#include "tensor/blocks_q.h"

enum { BLOCK = 32, BYTES = 34 };

/* Two rows of 32 bytes share a vector: fewer pieces to bring together than q32_gemv would have. */
#if SIMD_DOTS
SIMD_INLINE v16i dot(v16i w, v16i x) { return q_signed_sub_dot(v16i_zero(), w, x); }
#else
SIMD_INLINE v16i dot(v16i w, v16i x) {
    v16i pairs = v16i_maddubs(v16i_abs8(w), v16i_sign8(x, w));
    return v16i_dot16(v16i_zero(), pairs, v16i_set1(0x00010001));
}
#endif

SIMD_INLINE void gemv_tile(const struct linear_args *args, int o, int r0, int n) {
    const struct xrow_layout layout = xrow_layout(XFMT_Q8_32, args->n_in);
    const struct q_rows rows = q_rows_at(args, o, 0);
    const uint8_t *next = rows.next;
    const uint8_t *x[4];
    v16 acc[4];
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        x[r] = linear_x(args, r0 + r);
        acc[r] = v16_zero();
    }
    for (int b = 0; b < args->n_in / BLOCK; b++) {
        size_t at = (size_t)b * BYTES;
        v16i w[8];
        SIMD_UNROLL
        for (int i = 0; i < 8; i++) {
            int row = q_pair_row(i);
            q_prefetch(&next, 2 * BYTES);
            w[i] = q_signed(v16i_halves(q_load32(rows.p[row] + at + Q8_0_Q),
                                        q_load32(rows.p[row + 4] + at + Q8_0_Q)));
        }
        v16 d_w = q_f16_at(&rows, at);
        SIMD_UNROLL
        for (int r = 0; r < n; r++) {
            v16i q = v16i_load_32x2(x[r] + b * BLOCK), pair[8];
            SIMD_UNROLL
            for (int i = 0; i < 8; i++)
                pair[i] = dot(w[i], q);
            const int16_t *sum = (const int16_t *)(const void *)(x[r] + layout.sum_at) + 2 * b;
            float d_x = ((const float *)(const void *)(x[r] + layout.d_at))[b];
            v16i total = v16i_sub(q_sum_pairs(pair), v16i_set1(Q_SIGNED_BIAS * (sum[0] + sum[1])));
            acc[r] = v16_fma(v16_from_i32(total), v16_mul(d_w, v16_set1(d_x)), acc[r]);
        }
    }
    SIMD_UNROLL
    for (int r = 0; r < n; r++)
        v16_store_n(args->y + (size_t)(r0 + r) * args->y_stride + o, acc[r], q_lanes(args, o));
}

Q_GEMV(gemv_tile)

SIMD_INLINE void unpack(const struct q_rows *rows, size_t at, struct q32_block *out) {
    q_columns(rows, at + Q8_0_Q, out->w);
    q_columns(rows, at + Q8_0_Q + 16, out->w + 4);
    out->d = q_f16_at(rows, at);
}

static const struct q32_form form = {
    .bytes = BYTES,
    .most = 128,
    .is_signed = true,
    .unpack = unpack,
};

Q_GEMM_BODY(q32, form)

/* From this many rows on the panel pays: measured with weights in DRAM. */
enum { GEMM_ROWS = 5 };

Q_FILL(q8_0, DTYPE_Q8_0, GEMM_ROWS)
