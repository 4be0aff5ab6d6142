/* Linear steps of Q4_K weights; kernel/ref/linear.c is the readable form. */
#include "kernel/cpu/linear_q_gemm.h"
#include "kernel/fill.h"

enum { BLOCK = 256, BYTES = 144 };

/* Sub-block scales of four rows, one in each quarter: from the header (d, dmin, 12 packed bytes) to
 * int8 scale[8], min[8]. See q4_k_scale in tensor/blocks.h. */
SIMD_INLINE v16i unpack_scales(v16i header) {
    const v16i from =
        v16i_load_16x4((const uint8_t[16]){4, 5, 6, 7, 4, 5, 6, 7, 8, 9, 10, 11, 8, 9, 10, 11});
    const v16i last = v16i_load_16x4((const uint8_t[16]){128, 128, 128, 128, 12, 13, 14, 15, 128,
                                                         128, 128, 128, 12, 13, 14, 15});
    const v16i from_shift = v16i_load_16x4((const int32_t[4]){0, 2, 0, 2});
    const v16i last_shift = v16i_load_16x4((const int32_t[4]){0, 0, 0, 4});
    const v16i from_mask =
        v16i_load_16x4((const int32_t[4]){0x3f3f3f3f, 0x30303030, 0x3f3f3f3f, 0x30303030});
    v16i low = v16i_srlv32(v16i_shuffle8(header, last), last_shift);
    v16i high = v16i_srlv32(v16i_shuffle8(header, from), from_shift);
    return v16i_or_and(v16i_and(low, v16i_set8(15)), high, from_mask);
}

/* Sums of 32 activations from sums of 16. */
SIMD_INLINE void sums_of_32(const int16_t *sum, int16_t out[8]) {
    __m256i pairs = _mm256_loadu_si256((const __m256i *)sum);
    __m256i wide = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    __m128i low = _mm256_castsi256_si128(wide), high = _mm256_extracti128_si256(wide, 1);
    _mm_storeu_si128((__m128i *)out, _mm_packs_epi32(low, high));
}

/* ---- few rows ---- */

/* The header's part of a superblock of 16 rows. */
struct header {
    v16 d, dmin;
    v16i min[4];        // quarter l of vector i: eight int16 minima of row 4l + i
    uint8_t scale[256]; // 16 bytes a row: eight scales, eight minima; row 4l + i at 64i + 16l
};

SIMD_INLINE void read_header(const struct q_rows *rows, size_t at, struct header *h) {
    v16i row[4];
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        row[i] = q_gather16(rows, i, at);
        v16i unpacked = unpack_scales(row[i]);
        v16i_store(h->scale + 64 * i, unpacked);
        h->min[i] = v16i_unhi8(unpacked, v16i_zero());
    }
    v16i both = v16i_unlo64(v16i_unlo32(row[0], row[1]), v16i_unlo32(row[2], row[3]));
    h->d = v16_from_f16_low(both);
    h->dmin = v16_from_f16_low(v16i_srl32(both, 16));
}

/* Int16 scales from a row's eight bytes: that of sub-block `sub` throughout the low half, that of
 * sub + 2 throughout the high one. */
SIMD_INLINE v16i spread(v16i scales, int sub) {
    __m256i low = _mm256_set1_epi16((short)(0x8000 | sub)); // a byte's index, and a zero
    __m256i high = _mm256_set1_epi16((short)(0x8000 | (sub + 2)));
    return v16i_shuffle8(scales, v16i_halves(low, high));
}

SIMD_INLINE void gemv_tile(const struct linear_args *args, int o, int r0, int n) {
    const struct xrow_layout layout = xrow_layout(XFMT_Q8_256, args->n_in);
    const struct q_rows rows = q_rows_at(args, o, 0);
    const uint8_t *next = rows.next;
    const v16i low4 = v16i_set8(15);
    v16 acc[4];
    SIMD_UNROLL
    for (int r = 0; r < n; r++)
        acc[r] = v16_zero();
    for (int b = 0; b < args->n_in / BLOCK; b++) {
        struct header h;
        read_header(&rows, (size_t)b * BYTES, &h);
        v16i x[4][4], part[4][16];
        SIMD_UNROLL
        for (int r = 0; r < n; r++) {
            const uint8_t *q = args->x + (size_t)(r0 + r) * args->x_stride + b * BLOCK;
            SIMD_UNROLL
            for (int c = 0; c < 4; c++) { // sub-blocks 0 2, 1 3, 4 6, 5 7
                const uint8_t *at = q + c / 2 * 128 + c % 2 * 32;
                x[r][c] = v16i_halves(q_load32(at), q_load32(at + 64));
            }
        }
        for (int i = 0; i < 16; i++) {
            q_prefetch(&next, BYTES);
            const uint8_t *w = rows.p[i] + (size_t)b * BYTES + Q4_K_Q;
            v16i scales = v16i_load_16x4(h.scale + i % 4 * 64 + i / 4 * 16);
            SIMD_UNROLL
            for (int r = 0; r < n; r++)
                part[r][i] = v16i_zero();
            SIMD_UNROLL
            for (int c = 0; c < 4; c++) {
                v16i q = v16i_load(w + c / 2 * 64);
                q = v16i_and(c % 2 ? v16i_srl16(q, 4) : q, low4);
                v16i scale = spread(scales, c / 2 * 4 + c % 2);
                SIMD_UNROLL
                for (int r = 0; r < n; r++)
                    part[r][i] = v16i_dot16(part[r][i], v16i_maddubs(q, x[r][c]), scale);
            }
        }
        SIMD_UNROLL
        for (int r = 0; r < n; r++) {
            const uint8_t *row = args->x + (size_t)(r0 + r) * args->x_stride;
            int16_t sum[8];
            sums_of_32((const int16_t *)(const void *)(row + layout.sum_at) + 16 * b, sum);
            v16i pair[8], mins[4], sums = v16i_load_16x4(sum);
            SIMD_UNROLL
            for (int i = 0; i < 8; i++) {
                int first = q_pair_row(i);
                pair[i] = v16i_merge256(part[r][first], part[r][first + 4]);
            }
            SIMD_UNROLL
            for (int i = 0; i < 4; i++)
                mins[i] = v16i_dot16(v16i_zero(), h.min[i], sums);
            v16 d_x = v16_set1(((const float *)(const void *)(row + layout.d_at))[b]);
            acc[r] = v16_fma(v16_from_i32(q_sum_pairs(pair)), v16_mul(h.d, d_x), acc[r]);
            v16 m = v16_from_i32(q_sum_quarters(mins));
            acc[r] = v16_fnma(m, v16_mul(h.dmin, d_x), acc[r]);
        }
    }
    SIMD_UNROLL
    for (int r = 0; r < n; r++)
        v16_store_n(args->y + (size_t)(r0 + r) * args->y_stride + o, acc[r], q_lanes(args, o));
}

Q_GEMV(gemv_tile)

/* ---- many rows ---- */

/* Steps of a block's scales in the panel: d, dmin, four of minima in pairs, eight of scales. */
enum { STEP_MIN = 2, STEP_SCALE = 6, SCALE_STEPS = 14 };

#if defined(JINLIN_LEVEL_AVX512)
/* Sub-sums are int32; scales too. */
SIMD_INLINE v16i panel_scale(v16i scale) { return scale; }
#else
/* Sub-sums are pairs of int16: sixteen products of at most 15 * 127 each. */
SIMD_INLINE v16i panel_scale(v16i scale) { return v16i_or(scale, v16i_sll32(scale, 16)); }
#endif

/* Four bytes a lane, one scale or minimum each. */
SIMD_INLINE v16i byte_of(v16i x, int i) { return v16i_and(v16i_srl32(x, 8 * i), v16i_set1(255)); }

static void panel_scales(const struct q_rows *rows, size_t at, const struct q_panel *p, int step,
                         int vec) {
    v16i h[4]; // d and dmin; scales and minima of 0-3; of 4-7 in nibbles
    q_columns(rows, at, h);
    q_put(p->scale, step, vec, v16_bits(v16_from_f16_low(h[0])));
    q_put(p->scale, step + 1, vec, v16_bits(v16_from_f16_low(v16i_srl32(h[0], 16))));
    v16i six = v16i_set8(63), nibble = v16i_set8(15), high = v16i_set8(0x30);
    v16i scale[2] = {v16i_and(h[1], six),
                     v16i_or_and(v16i_and(h[3], nibble), v16i_srl32(h[1], 2), high)};
    v16i min[2] = {v16i_and(h[2], six),
                   v16i_or_and(v16i_and(v16i_srl32(h[3], 4), nibble), v16i_srl32(h[2], 2), high)};
    for (int i = 0; i < 2; i++) {
        v16i m = min[i];
        v16i pair0 = v16i_or(byte_of(m, 0), v16i_sll32(byte_of(m, 1), 16));
        v16i pair1 = v16i_or(byte_of(m, 2), v16i_sll32(byte_of(m, 3), 16));
        q_put(p->scale, step + STEP_MIN + 2 * i, vec, pair0);
        q_put(p->scale, step + STEP_MIN + 2 * i + 1, vec, pair1);
        for (int j = 0; j < 4; j++)
            q_put(p->scale, step + STEP_SCALE + 4 * i + j, vec, panel_scale(byte_of(scale[i], j)));
    }
}

static void panel(const struct q_rows *rows, const struct q_panel *p, int vec) {
    const v16i low4 = v16i_set8(15);
    const uint8_t *next = rows->next;
    for (int b = 0; b < p->n_block; b++) {
        size_t at = (size_t)b * BYTES;
        panel_scales(rows, at, p, b * SCALE_STEPS, vec);
        for (int c = 0; c < 8; c++) { // 16 bytes: a half of two sub-blocks
            q_prefetch(&next, 2 * BYTES);
            v16i column[4];
            q_columns(rows, at + Q4_K_Q + 16 * (size_t)c, column);
            int step = BLOCK / 4 * b + c / 2 * 16 + c % 2 * 4;
            SIMD_UNROLL
            for (int i = 0; i < 4; i++) {
                q_put(p->q, step + i, vec, v16i_and(column[i], low4));
                q_put(p->q, step + 8 + i, vec, v16i_and(v16i_srl16(column[i], 4), low4));
            }
        }
    }
}

static void prepare(const struct q_tile *t, int n) { // sums of 32 in pairs: four int32 a block
    for (int r = 0; r < n; r++)
        for (int b = 0; b < t->panel.n_block; b++)
            sums_of_32(t->sum[r] + 16 * b, (int16_t *)(void *)(t->aux[r] + 4 * b));
}

/* The minima's part of the chain. */
SIMD_INLINE void chain_minima(const struct q_tile *t, const uint8_t *scale, int b, int n,
                              v16 acc[Q_ROWS][Q_WIDTH]) {
    SIMD_UNROLL
    for (int r = 0; r < n; r++) {
        v16 d_x = v16_set1(t->d[r][b]);
        SIMD_UNROLL
        for (int v = 0; v < Q_WIDTH; v++) {
            const uint8_t *at = scale + 64 * v;
            v16i minima = v16i_zero();
            SIMD_UNROLL
            for (int j = 0; j < 4; j++)
                minima = v16i_dot16(minima, v16i_load(at + (STEP_MIN + j) * Q_STEP),
                                    v16i_set1(t->aux[r][4 * b + j]));
            v16 d = v16_mul(v16_load((const float *)(const void *)(at + Q_STEP)), d_x);
            acc[r][v] = v16_fnma(v16_from_i32(minima), d, acc[r][v]);
        }
    }
}

SIMD_INLINE void tile(const struct q_tile *t, int n) {
    const uint8_t *q = t->panel.q, *scale = t->panel.scale;
    v16 acc[Q_ROWS][Q_WIDTH];
    q_acc_load(t, n, acc);
    for (int b = 0; b < t->panel.n_block; b++, scale += SCALE_STEPS * Q_STEP) {
        v16i total[Q_ROWS][Q_WIDTH];
        q_start(t, -1, n, total);
        for (int j = 0; j < 8; j++, q += 8 * Q_STEP) {
            v16i sub[Q_ROWS][Q_WIDTH];
            q_start(t, -1, n, sub);
            q_products(t, q, BLOCK * b + 32 * j, 8, n, q_sub_dot, sub);
            q_scale_sums(scale + (STEP_SCALE + j) * Q_STEP, n, sub, total);
        }
        q_chain(t, scale, b, n, total, acc);
        chain_minima(t, scale, b, n, acc);
    }
    q_acc_store(t, n, acc);
}

Q_TILES(tile)

static const struct q_type type = {XFMT_Q8_256, BLOCK, BYTES, SCALE_STEPS, panel, prepare, tiles};

static void gemm(const struct linear_args *args) { q_gemm(args, &type); }
static size_t scratch_bytes(int n_in) { return q_gemm_scratch(&type, n_in); }

/* From this many rows on the panel pays: measured with weights in DRAM. */
#if defined(JINLIN_LEVEL_AVX512)
enum { GEMM_ROWS = 5 };
#else
enum { GEMM_ROWS = 4 };
#endif

void LEVEL_FN(fill_linear_q4_k)(struct kernel_table *table) {
    static const struct linear_body bodies[] = {
        {gemv, LEVEL_STR("gemv_q4_k"), NULL, 16},
        {gemm, LEVEL_STR("gemm_q4_k"), scratch_bytes, 16 * Q_WIDTH},
    };
    table->gemv[DTYPE_Q4_K][XFMT_Q8_256] = &bodies[0];
    table->gemm[DTYPE_Q4_K][XFMT_Q8_256] = &bodies[1];
    table->gemm_rows[DTYPE_Q4_K][XFMT_Q8_256] = GEMM_ROWS;
}
