/* Linear steps of Q8_0 weights; kernel/ref/linear.c is the readable form. */
#include "kernel/cpu/linear_q_gemm.h"
#include "kernel/fill.h"

enum { BLOCK = 32, BYTES = 34 };

/* AVX-512 multiplies unsigned by signed bytes: weights are read 128 too high, which BIAS times the
 * sum of the activations takes back. AVX2 multiplies |w| by x with the sign of w. */
#if defined(JINLIN_LEVEL_AVX512)
SIMD_INLINE v16i weights(v16i w) { return v16i_xor(w, v16i_set8(128)); }
SIMD_INLINE v16i dot(v16i acc, v16i w, v16i x) { return _mm512_dpbusd_epi32(acc, w, x); }
enum { BIAS = 128 };
#else
SIMD_INLINE v16i weights(v16i w) { return w; }
Q_FN2_(sign8, sign_epi8)
SIMD_INLINE v16i dot(v16i acc, v16i w, v16i x) {
    v16i pairs = v16i_maddubs(v16i_abs8(w), sign8(x, w));
    return v16i_settle(v16i_dot16(acc, pairs, v16i_set1(0x00010001)));
}
enum { BIAS = 0 };
#endif

/* ---- few rows ---- */

SIMD_INLINE void gemv_tile(const struct linear_args *args, int o, int r0, int n) {
    const struct xrow_layout layout = xrow_layout(XFMT_Q8_32, args->n_in);
    const struct q_rows rows = q_rows_at(args, o, 0);
    const uint8_t *next = rows.next;
    const uint8_t *x[4];
    v16 acc[4];
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        x[r] = args->x + (size_t)(r0 + r) * args->x_stride;
        acc[r] = v16_zero();
    }
    for (int b = 0; b < args->n_in / BLOCK; b++) {
        size_t at = (size_t)b * BYTES;
        v16i w[8];
        uint16_t half[16];
        SIMD_UNROLL
        for (int i = 0; i < 8; i++) {
            int row = q_pair_row(i);
            q_prefetch(&next, 2 * BYTES);
            w[i] = weights(v16i_halves(q_load32(rows.p[row] + at + Q8_0_Q),
                                       q_load32(rows.p[row + 4] + at + Q8_0_Q)));
        }
        SIMD_UNROLL
        for (int i = 0; i < 8; i++) {
            memcpy(&half[i], rows.p[i] + at, 2);
            memcpy(&half[i + 8], rows.p[i + 8] + at, 2);
        }
        v16 d_w = v16_load_f16(half);
        SIMD_UNROLL
        for (int r = 0; r < n; r++) {
            v16i q = v16i_load_32x2(x[r] + b * BLOCK), pair[8];
            SIMD_UNROLL
            for (int i = 0; i < 8; i++)
                pair[i] = dot(v16i_zero(), w[i], q);
            const int16_t *sum = (const int16_t *)(const void *)(x[r] + layout.sum_at) + 2 * b;
            float d_x = ((const float *)(const void *)(x[r] + layout.d_at))[b];
            v16i total = v16i_sub(q_sum_pairs(pair), v16i_set1(BIAS * (sum[0] + sum[1])));
            acc[r] = v16_fma(v16_from_i32(total), v16_mul(d_w, v16_set1(d_x)), acc[r]);
        }
    }
    SIMD_UNROLL
    for (int r = 0; r < n; r++)
        v16_store_n(args->y + (size_t)(r0 + r) * args->y_stride + o, acc[r], q_lanes(args, o));
}

Q_GEMV(gemv_tile)

/* ---- many rows ---- */

static void panel(const struct q_rows *rows, const struct q_panel *p, int vec) {
    const uint8_t *next = rows->next;
    for (int b = 0; b < p->n_block; b++) {
        size_t at = (size_t)b * BYTES;
        for (int c = 0; c < BLOCK / 16; c++) {
            q_prefetch(&next, 8 * BYTES);
            v16i column[4];
            q_columns(rows, at + Q8_0_Q + 16 * (size_t)c, column);
            SIMD_UNROLL
            for (int i = 0; i < 4; i++)
                q_put(p->q, BLOCK / 4 * b + 4 * c + i, vec, weights(column[i]));
        }
        uint16_t half[16];
        for (int i = 0; i < 16; i++)
            memcpy(&half[i], rows->p[i] + at, 2);
        q_put(p->scale, b, vec, v16_bits(v16_load_f16(half)));
    }
}

static void prepare(const struct q_tile *t, int n) {
    const v16i minus = v16i_set1((int32_t)((0x10000u - BIAS) % 0x10000u * 0x10001u));
    for (int r = 0; r < n; r++)
        for (int b = 0; b < t->panel.n_block; b += 16) {
            int left = t->panel.n_block - b, lanes = left < 16 ? left : 16;
            v16i sums = v16i_load_n(t->sum[r] + 2 * b, lanes);
            v16i_store(t->aux[r] + b, v16i_dot16(v16i_zero(), sums, minus));
        }
}

SIMD_INLINE void tile(const struct q_tile *t, int n) {
    const uint8_t *q = t->panel.q, *scale = t->panel.scale;
    v16 acc[Q_ROWS][Q_WIDTH];
    q_acc_load(t, n, acc);
    for (int b = 0; b < t->panel.n_block; b++, q += BLOCK / 4 * Q_STEP, scale += Q_STEP) {
        v16i total[Q_ROWS][Q_WIDTH];
        q_start(t, BIAS ? b : -1, n, total);
        q_products(t, q, BLOCK * b, BLOCK / 4, n, dot, total);
        q_chain(t, scale, b, n, total, acc);
    }
    q_acc_store(t, n, acc);
}

Q_TILES(tile)

static const struct q_type type = {XFMT_Q8_32, BLOCK, BYTES, 1, panel, prepare, tiles};

static void gemm(const struct linear_args *args) { q_gemm(args, &type); }
static size_t scratch_bytes(int n_in) { return q_gemm_scratch(&type, n_in); }

/* From this many rows on the panel pays: measured with weights in DRAM. */
enum { GEMM_ROWS = 5 };

void LEVEL_FN(fill_linear_q8_0)(struct kernel_table *table) {
    static const struct linear_body bodies[] = {
        {gemv, LEVEL_STR("gemv_q8_0"), NULL, 16},
        {gemm, LEVEL_STR("gemm_q8_0"), scratch_bytes, 16 * Q_WIDTH},
    };
    table->gemv[DTYPE_Q8_0][XFMT_Q8_32] = &bodies[0];
    table->gemm[DTYPE_Q8_0][XFMT_Q8_32] = &bodies[1];
    table->gemm_rows[DTYPE_Q8_0][XFMT_Q8_32] = GEMM_ROWS;
}
