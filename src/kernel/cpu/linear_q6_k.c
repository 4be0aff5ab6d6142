/* Linear steps of Q6_K weights; kernel/ref/linear.c is the readable form.
 *
 * Quants are kept as 0 .. 63; the 32 that is too much goes through the sums of activations. */
#include "kernel/cpu/linear_q_gemm.h"
#include "kernel/fill.h"

enum { BLOCK = 256, BYTES = 210 };

/* ---- few rows ---- */

/* The scales of a superblock of 16 rows. */
struct header {
    v16 d;
    _Alignas(64) int16_t scale[8][2][16]; // of the two rows of a pair
};

SIMD_INLINE void read_header(const struct q_rows *rows, size_t at, struct header *h) {
    v16i row[4]; // the last 16 bytes of the block, d in the last two
    SIMD_UNROLL
    for (int i = 0; i < 4; i++)
        row[i] = q_gather16(rows, i, at + BYTES - 16);
    v16i last = v16i_unhi64(v16i_unhi32(row[0], row[1]), v16i_unhi32(row[2], row[3]));
    h->d = v16_from_f16_low(v16i_srl32(last, 16));
    SIMD_UNROLL
    for (int i = 0; i < 8; i++) {
        for (int half = 0; half < 2; half++) {
            const uint8_t *p = rows->p[q_pair_row(i) + 4 * half] + at + Q6_K_SCALES;
            _mm256_storeu_si256((__m256i *)h->scale[i][half], _mm256_cvtepi8_epi16(q_load16(p)));
        }
    }
}

/* The four sub-blocks of 16 in a vector: int16 scales 4c .. 4c+3, one a quarter. */
SIMD_INLINE v16i spread(const int16_t scale[16], int c) {
    static const uint8_t index[2][64] = {
#define Q2(n) (n), (n) + 1
#define Q16(n) Q2(n), Q2(n), Q2(n), Q2(n), Q2(n), Q2(n), Q2(n), Q2(n)
        {Q16(0), Q16(2), Q16(4), Q16(6)},
        {Q16(8), Q16(10), Q16(12), Q16(14)},
#undef Q16
#undef Q2
    };
    return v16i_shuffle8(v16i_load_16x4(scale + c / 2 * 8), v16i_load(index[c % 2]));
}

#if defined(JINLIN_LEVEL_AVX512)
SIMD_INLINE v16i sll_halves(v16i x, int lo, int hi) {
    return _mm512_sllv_epi16(
        x, v16i_halves(_mm256_set1_epi16((short)lo), _mm256_set1_epi16((short)hi)));
}
SIMD_INLINE v16i srl_halves(v16i x, int lo, int hi) {
    return _mm512_srlv_epi16(
        x, v16i_halves(_mm256_set1_epi16((short)lo), _mm256_set1_epi16((short)hi)));
}
#else
SIMD_INLINE v16i sll_halves(v16i x, int lo, int hi) {
    return (v16i){_mm256_slli_epi16(x.lo, lo), _mm256_slli_epi16(x.hi, hi)};
}
SIMD_INLINE v16i srl_halves(v16i x, int lo, int hi) {
    return (v16i){_mm256_srli_epi16(x.lo, lo), _mm256_srli_epi16(x.hi, hi)};
}
#endif

/* 64 elements: quarters 0 and 1 (c even) or 2 and 3 of half c/2. */
SIMD_INLINE v16i quants(const uint8_t *block, int c) {
    v16i low = v16i_load(block + c / 2 * 64);
    v16i high = v16i_load_32x2(block + Q6_K_HIGH + c / 2 * 32);
    low = v16i_and(c % 2 ? v16i_srl16(low, 4) : low, v16i_set8(15));
    high = c % 2 ? srl_halves(high, 0, 2) : sll_halves(high, 4, 2);
    return v16i_or_and(low, high, v16i_set8(0x30));
}

SIMD_INLINE void gemv_tile(const struct linear_args *args, int o, int r0, int n) {
    const struct xrow_layout layout = xrow_layout(XFMT_Q8_256, args->n_in);
    const struct q_rows rows = q_rows_at(args, o, 0);
    const uint8_t *next = rows.next;
    v16 acc[4];
    SIMD_UNROLL
    for (int r = 0; r < n; r++)
        acc[r] = v16_zero();
    for (int b = 0; b < args->n_in / BLOCK; b++) {
        struct header h;
        read_header(&rows, (size_t)b * BYTES, &h);
        v16i pair[4][8];
        for (int i = 0; i < 8; i++) {
            v16i part[2][4];
            SIMD_UNROLL
            for (int half = 0; half < 2; half++) {
                q_prefetch(&next, BYTES);
                const uint8_t *w = rows.p[q_pair_row(i) + 4 * half] + (size_t)b * BYTES;
                SIMD_UNROLL
                for (int r = 0; r < n; r++)
                    part[half][r] = v16i_zero();
                SIMD_UNROLL
                for (int c = 0; c < 4; c++) {
                    v16i q = quants(w, c), scale = spread(h.scale[i][half], c);
                    SIMD_UNROLL
                    for (int r = 0; r < n; r++) {
                        const uint8_t *x = args->x + (size_t)(r0 + r) * args->x_stride;
                        v16i pairs = v16i_maddubs(q, v16i_load(x + b * BLOCK + 64 * c));
                        part[half][r] = v16i_dot16(part[half][r], pairs, scale);
                    }
                }
            }
            SIMD_UNROLL
            for (int r = 0; r < n; r++) {
                const uint8_t *x = args->x + (size_t)(r0 + r) * args->x_stride;
                v16i sums = v16i_load_32x2(x + layout.sum_at + 32 * (size_t)b);
                v16i over = v16i_dot16(v16i_zero(), v16i_load(h.scale[i]), sums);
                pair[r][i] = v16i_sub(v16i_merge256(part[0][r], part[1][r]), v16i_sll32(over, 5));
            }
        }
        SIMD_UNROLL
        for (int r = 0; r < n; r++) {
            const uint8_t *x = args->x + (size_t)(r0 + r) * args->x_stride;
            v16 d_x = v16_set1(((const float *)(const void *)(x + layout.d_at))[b]);
            acc[r] = v16_fma(v16_from_i32(q_sum_pairs(pair[r])), v16_mul(h.d, d_x), acc[r]);
        }
    }
    SIMD_UNROLL
    for (int r = 0; r < n; r++)
        v16_store_n(args->y + (size_t)(r0 + r) * args->y_stride + o, acc[r], q_lanes(args, o));
}

Q_GEMV(gemv_tile)

/* ---- many rows ---- */

#if defined(JINLIN_LEVEL_AVX512)
/* A sub-sum starts at -32 times its sum of activations; scales are int32. */
enum { STEP_SCALE = 1, SCALE_STEPS = 17, RUNS = 1 };
#else
/* Sub-sums are pairs of int16, each of four products of at most 63 * 127, and are scaled twice a
 * sub-block; the superblock starts with what is too much, from scales in pairs. */
enum { STEP_PAIR = 1, STEP_SCALE = 9, SCALE_STEPS = 25, RUNS = 2 };
#endif

static void panel_scales(const struct q_rows *rows, size_t at, const struct q_panel *p, int step,
                         int vec) {
    v16i h[4];
    q_columns(rows, at + BYTES - 16, h);
    q_put(p->scale, step, vec, v16_bits(v16_from_f16_low(v16i_srl32(h[3], 16))));
    q_columns(rows, at + Q6_K_SCALES, h);
    for (int j = 0; j < 16; j++) {
        v16i scale = v16i_sra32(v16i_sll32(h[j / 4], 24 - 8 * (j % 4)), 24);
#if !defined(JINLIN_LEVEL_AVX512)
        v16i other = v16i_sra32(v16i_sll32(h[j / 4], 24 - 8 * (j % 4 | 1)), 24);
        v16i word = v16i_and(scale, v16i_set1(0xffff));
        if (j % 2 == 0)
            q_put(p->scale, step + STEP_PAIR + j / 2, vec, v16i_or(word, v16i_sll32(other, 16)));
        scale = v16i_or(word, v16i_sll32(scale, 16));
#endif
        q_put(p->scale, step + STEP_SCALE + j, vec, scale);
    }
}

/* High bits of quarter i into bits 4 and 5 of each byte. */
SIMD_INLINE v16i high_bits(v16i x, int i) {
    v16i moved = i < 2 ? v16i_sll16(x, 4 - 2 * i) : v16i_srl16(x, 2 * i - 4);
    return v16i_and(moved, v16i_set8(0x30));
}

static void panel(const struct q_rows *rows, const struct q_panel *p, int vec) {
    const v16i low4 = v16i_set8(15);
    const uint8_t *next = rows->next;
    for (int b = 0; b < p->n_block; b++) {
        size_t at = (size_t)b * BYTES;
        panel_scales(rows, at, p, b * SCALE_STEPS, vec);
        for (int c = 0; c < 4; c++) { // 16 bytes: a half of the quarters of half c/2
            size_t low_at = at + (size_t)(c / 2 * 64 + c % 2 * 16);
            q_prefetch(&next, 4 * BYTES);
            v16i a[4], d[4], high[4];
            q_columns(rows, low_at, a);
            q_columns(rows, low_at + 32, d);
            q_columns(rows, at + Q6_K_HIGH + 16 * (size_t)c, high);
            int step = BLOCK / 4 * b + c / 2 * 32 + c % 2 * 4;
            SIMD_UNROLL
            for (int i = 0; i < 4; i++) {
                v16i a_high = v16i_srl16(a[i], 4), d_high = v16i_srl16(d[i], 4), h = high[i];
                q_put(p->q, step + i, vec, v16i_or(v16i_and(a[i], low4), high_bits(h, 0)));
                q_put(p->q, step + 8 + i, vec, v16i_or(v16i_and(d[i], low4), high_bits(h, 1)));
                q_put(p->q, step + 16 + i, vec, v16i_or(v16i_and(a_high, low4), high_bits(h, 2)));
                q_put(p->q, step + 24 + i, vec, v16i_or(v16i_and(d_high, low4), high_bits(h, 3)));
            }
        }
    }
}

#if defined(JINLIN_LEVEL_AVX512)
static void prepare(const struct q_tile *t, int n) {
    for (int r = 0; r < n; r++)
        for (int i = 0; i < 16 * t->panel.n_block; i++)
            t->aux[r][i] = -32 * t->sum[r][i];
}
SIMD_INLINE void start(const struct q_tile *t, const uint8_t *scale, int b, int n,
                       v16i total[Q_ROWS][Q_WIDTH]) {
    (void)scale, (void)b;
    q_start(t, -1, n, total);
}
#else
static void prepare(const struct q_tile *t, int n) { // pairs of sums
    for (int r = 0; r < n; r++)
        memcpy(t->aux[r], t->sum[r], 32 * (size_t)t->panel.n_block);
}
SIMD_INLINE void start(const struct q_tile *t, const uint8_t *scale, int b, int n,
                       v16i total[Q_ROWS][Q_WIDTH]) {
    for (int r = 0; r < n; r++) {
        for (int v = 0; v < Q_WIDTH; v++) {
            v16i over = v16i_zero();
            for (int j = 0; j < 8; j++)
                over = v16i_dot16(over, v16i_load(scale + (STEP_PAIR + j) * Q_STEP + 64 * v),
                                  v16i_set1(t->aux[r][8 * b + j]));
            total[r][v] = v16i_sub(v16i_zero(), v16i_sll32(over, 5));
        }
    }
}
#endif

SIMD_INLINE void tile(const struct q_tile *t, int n) {
    const uint8_t *q = t->panel.q, *scale = t->panel.scale;
    v16 acc[Q_ROWS][Q_WIDTH];
    q_acc_load(t, n, acc);
    for (int b = 0; b < t->panel.n_block; b++, scale += SCALE_STEPS * Q_STEP) {
        v16i total[Q_ROWS][Q_WIDTH];
        start(t, scale, b, n, total);
        for (int j = 0; j < 16; j++) {
            SIMD_UNROLL
            for (int run = 0; run < RUNS; run++, q += 4 / RUNS * Q_STEP) {
                v16i sub[Q_ROWS][Q_WIDTH];
                q_start(t, RUNS == 1 ? 16 * b + j : -1, n, sub);
                q_products(t, q, BLOCK * b + 16 * j + 16 / RUNS * run, 4 / RUNS, n, q_sub_dot, sub);
                q_scale_sums(scale + (STEP_SCALE + j) * Q_STEP, n, sub, total);
            }
        }
        q_chain(t, scale, b, n, total, acc);
    }
    q_acc_store(t, n, acc);
}

Q_TILES(tile)

static const struct q_type type = {XFMT_Q8_256, BLOCK, BYTES, SCALE_STEPS, panel, prepare, tiles};

static void gemm(const struct linear_args *args) { q_gemm(args, &type); }
static size_t scratch_bytes(int n_in) { return q_gemm_scratch(&type, n_in); }

/* From this many rows on the panel pays: measured with weights in DRAM. */
#if defined(JINLIN_LEVEL_AVX512)
enum { GEMM_ROWS = 9 };
#else
enum { GEMM_ROWS = 4 };
#endif

void LEVEL_FN(fill_linear_q6_k)(struct kernel_table *table) {
    static const struct linear_body bodies[] = {
        {gemv, LEVEL_STR("gemv_q6_k"), NULL, 16},
        {gemm, LEVEL_STR("gemm_q6_k"), scratch_bytes, 16 * Q_WIDTH},
    };
    table->gemv[DTYPE_Q6_K][XFMT_Q8_256] = &bodies[0];
    table->gemm[DTYPE_Q6_K][XFMT_Q8_256] = &bodies[1];
    table->gemm_rows[DTYPE_Q6_K][XFMT_Q8_256] = GEMM_ROWS;
}
