/* Linear steps of Q8_0 weights; kernel/ref/linear.c is the readable form. */
#include "kernel/cpu/linear_q_gemm.h"
#include "kernel/fill.h"

enum { BLOCK = 32, BYTES = 34 };

/* AVX-512 multiplies unsigned by signed bytes: weights are read 128 too high, which `bias` = 128
 * times the sum of the activations takes back. AVX2 multiplies |w| by x with the sign of w. */
#if defined(JINLIN_LEVEL_AVX512)
SIMD_INLINE v16i weights(v16i w) { return v16i_xor(w, v16i_set8(128)); }
SIMD_INLINE v16i dot(v16i acc, v16i w, v16i x) { return _mm512_dpbusd_epi32(acc, w, x); }
SIMD_INLINE int bias(const int16_t *sum) { return 128 * (sum[0] + sum[1]); }
#else
SIMD_INLINE v16i weights(v16i w) { return w; }
Q_FN2_(sign8, sign_epi8)
SIMD_INLINE v16i dot(v16i acc, v16i w, v16i x) {
    v16i pairs = v16i_maddubs(v16i_abs8(w), sign8(x, w));
    return v16i_dot16(acc, pairs, v16i_set1(0x00010001));
}
SIMD_INLINE int bias(const int16_t *sum) { return 0 * sum[0]; }
#endif

/* ---- few rows ---- */

SIMD_INLINE void gemv_tile(const struct linear_args *args, int o, int r0, int n) {
    const struct xrow_layout layout = xrow_layout(XFMT_Q8_32, args->n_in);
    const struct q_rows rows = q_rows_at(args, o, 0);
    const uint8_t *x[4];
    v16 acc[4];
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        x[r] = args->x + (size_t)(r0 + r) * args->x_stride;
        acc[r] = v16_zero();
    }
    for (int b = 0; b < args->n_in / BLOCK; b++) {
        q_prefetch(args, o, b, BYTES);
        size_t at = (size_t)b * BYTES;
        v16i w[8];
        uint16_t half[16];
        SIMD_UNROLL
        for (int i = 0; i < 8; i++) {
            int row = q_pair_row(i);
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
            v16i total = v16i_sub(q_sum_pairs(pair), v16i_set1(bias(sum)));
            acc[r] = v16_fma(v16_from_i32(total), v16_mul(d_w, v16_set1(d_x)), acc[r]);
        }
    }
    SIMD_UNROLL
    for (int r = 0; r < n; r++)
        v16_store_n(args->y + (size_t)(r0 + r) * args->y_stride + o, acc[r], q_lanes(args, o));
}

static void gemv(const struct linear_args *args) { Q_GEMV(args, gemv_tile); }

/* ---- many rows ---- */

static void panel(const struct q_rows *rows, const struct q_panel *p, int vec) {
    for (int b = 0; b < p->n_block; b++) {
        size_t at = (size_t)b * BYTES;
        for (int c = 0; c < BLOCK / 16; c++) {
            v16i column[4];
            q_columns(rows, at + Q8_0_Q + 16 * (size_t)c, column);
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
    for (int r = 0; r < n; r++)
        for (int b = 0; b < t->panel.n_block; b++)
            t->aux[r][b] = -bias(t->sum[r] + 2 * b);
}

SIMD_INLINE void tile(const struct q_tile *t, int n) {
    const uint8_t *q = t->panel.q;
    const float *scale = (const float *)(const void *)t->panel.scale;
    for (int b = 0; b < t->panel.n_block; b++, q += BLOCK / 4 * Q_STEP, scale += 16 * Q_WIDTH) {
        v16i total[Q_ROWS][Q_WIDTH];
        SIMD_UNROLL
        for (int r = 0; r < n; r++) {
            v16i from = v16i_set1(t->aux[r][b]);
            SIMD_UNROLL
            for (int v = 0; v < Q_WIDTH; v++)
                total[r][v] = from;
        }
        for (int k = 0; k < BLOCK / 4; k++) {
            v16i w[Q_WIDTH];
            SIMD_UNROLL
            for (int v = 0; v < Q_WIDTH; v++)
                w[v] = v16i_load(q + (size_t)k * Q_STEP + 64 * v);
            SIMD_UNROLL
            for (int r = 0; r < n; r++) {
                v16i x = v16i_set1(q_load_i32(t->x[r] + BLOCK * b + 4 * k));
                SIMD_UNROLL
                for (int v = 0; v < Q_WIDTH; v++)
                    total[r][v] = dot(total[r][v], w[v], x);
            }
        }
        SIMD_UNROLL
        for (int r = 0; r < n; r++) {
            v16 d_x = v16_set1(t->d[r][b]);
            SIMD_UNROLL
            for (int v = 0; v < Q_WIDTH; v++) {
                float *acc = t->acc + Q_WIDTH * 16 * r + 16 * v;
                v16 d = v16_mul(v16_load(scale + 16 * v), d_x);
                v16_store(acc, v16_fma(v16_from_i32(total[r][v]), d, v16_load(acc)));
            }
        }
    }
}

Q_TILES(tile)

static const struct q_type type = {XFMT_Q8_32, BLOCK, BYTES, 1, panel, prepare, tiles};

static void gemm(const struct linear_args *args) { q_gemm(args, &type); }
static size_t scratch_bytes(int n_in) { return q_gemm_scratch(&type, n_in); }

void LEVEL_FN(fill_linear_q8_0)(struct kernel_table *table) {
    static const struct linear_body bodies[] = {
        {gemv, LEVEL_STR("gemv_q8_0"), NULL, 16},
        {gemm, LEVEL_STR("gemm_q8_0"), scratch_bytes, 16 * Q_WIDTH},
    };
    table->gemv[DTYPE_Q8_0][XFMT_Q8_32] = &bodies[0];
    table->gemm[DTYPE_Q8_0][XFMT_Q8_32] = &bodies[1];
    table->gemm_rows[DTYPE_Q8_0][XFMT_Q8_32] = 5;
}
