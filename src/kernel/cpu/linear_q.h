/* What the integer linear bodies share: vectors of small integers and the ways rows become lanes.
 *
 * A v16i (kernel/cpu/simd.h) is 64 bytes here: four 16-byte quarters, or two halves. Sums of
 * integers are exact, so their order is free; only the float chain over blocks keeps the order of
 * docs/numerics.md. */
#ifndef JL_KERNEL_CPU_LINEAR_Q_H
#define JL_KERNEL_CPU_LINEAR_Q_H

#include "kernel/cpu/simd.h"
#include "kernel/kernel.h"
#include "tensor/xrow.h"

#if defined(JINLIN_LEVEL_AVX512)

#define Q_FN1_(name, op)                                                                           \
    SIMD_INLINE v16i name(v16i a) { return _mm512_##op(a); }
#define Q_FN2_(name, op)                                                                           \
    SIMD_INLINE v16i name(v16i a, v16i b) { return _mm512_##op(a, b); }
#define Q_SHIFT_(name, op)                                                                         \
    SIMD_INLINE v16i name(v16i a, int bits) { return _mm512_##op(a, (unsigned)bits); }

SIMD_INLINE v16i v16i_zero(void) { return _mm512_setzero_si512(); }
SIMD_INLINE void v16i_store(void *p, v16i a) { _mm512_storeu_si512(p, a); }
SIMD_INLINE v16i v16i_and(v16i a, v16i b) { return _mm512_and_si512(a, b); }
SIMD_INLINE v16i v16i_or(v16i a, v16i b) { return _mm512_or_si512(a, b); }
SIMD_INLINE v16i v16i_xor(v16i a, v16i b) { return _mm512_xor_si512(a, b); }
SIMD_INLINE v16i v16i_or_and(v16i a, v16i b, v16i c) { // a | (b & c)
    return _mm512_ternarylogic_epi32(a, b, c, 0xf8);
}
/* a + the sums of two signed products, 16 bits each */
SIMD_INLINE v16i v16i_dot16(v16i a, v16i b, v16i c) { return _mm512_dpwssd_epi32(a, b, c); }
SIMD_INLINE v16i v16i_settle(v16i a) { return a; } // see AVX2
SIMD_INLINE v16i v16i_halves(__m256i lo, __m256i hi) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(lo), hi, 1);
}
/* The low half shifted by `lo` bits, the high one by `hi`; words of 16 bits. */
SIMD_INLINE v16i v16i_sll_halves(v16i x, int lo, int hi) {
    return _mm512_sllv_epi16(
        x, v16i_halves(_mm256_set1_epi16((short)lo), _mm256_set1_epi16((short)hi)));
}
SIMD_INLINE v16i v16i_srl_halves(v16i x, int lo, int hi) {
    return _mm512_srlv_epi16(
        x, v16i_halves(_mm256_set1_epi16((short)lo), _mm256_set1_epi16((short)hi)));
}
/* 32 bytes twice, 16 bytes four times */
SIMD_INLINE v16i v16i_load_32x2(const void *p) {
    return _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)p));
}
SIMD_INLINE v16i v16i_load_16x4(const void *p) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)p));
}
SIMD_INLINE v16i v16i_quarters(__m128i a, __m128i b, __m128i c, __m128i d) {
    __m512i x = _mm512_inserti32x4(_mm512_castsi128_si512(a), b, 1);
    return _mm512_inserti32x4(_mm512_inserti32x4(x, c, 2), d, 3);
}
/* Dwords 0, 2 of each quarter of a, then of b; 1 and 3. */
SIMD_INLINE v16i v16i_even32(v16i a, v16i b) {
    return v16_bits(_mm512_shuffle_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), 0x88));
}
SIMD_INLINE v16i v16i_odd32(v16i a, v16i b) {
    return v16_bits(_mm512_shuffle_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), 0xdd));
}
/* Quarters 0, 2 of a and of b plus quarters 1, 3 of them. */
SIMD_INLINE v16i v16i_merge128(v16i a, v16i b) {
    return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}
/* The low half of a and of b plus the high half of them. */
SIMD_INLINE v16i v16i_merge256(v16i a, v16i b) {
    return _mm512_add_epi32(_mm512_shuffle_i64x2(a, b, 0x44), _mm512_shuffle_i64x2(a, b, 0xee));
}
SIMD_INLINE v16 v16_from_i32(v16i a) { return _mm512_cvtepi32_ps(a); }
/* f16 in the low halves of 16 int32 */
SIMD_INLINE v16 v16_from_f16_low(v16i a) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(a)); }

#else

#define Q_FN1_(name, op)                                                                           \
    SIMD_INLINE v16i name(v16i a) { return (v16i){_mm256_##op(a.lo), _mm256_##op(a.hi)}; }
#define Q_FN2_(name, op)                                                                           \
    SIMD_INLINE v16i name(v16i a, v16i b) {                                                        \
        return (v16i){_mm256_##op(a.lo, b.lo), _mm256_##op(a.hi, b.hi)};                           \
    }
#define Q_SHIFT_(name, op)                                                                         \
    SIMD_INLINE v16i name(v16i a, int bits) {                                                      \
        return (v16i){_mm256_##op(a.lo, bits), _mm256_##op(a.hi, bits)};                           \
    }

SIMD_INLINE v16i v16i_zero(void) { return (v16i){_mm256_setzero_si256(), _mm256_setzero_si256()}; }
SIMD_INLINE void v16i_store(void *p, v16i a) {
    _mm256_storeu_si256((__m256i *)p, a.lo);
    _mm256_storeu_si256((__m256i *)p + 1, a.hi);
}
Q_FN2_(v16i_and, and_si256)
Q_FN2_(v16i_or, or_si256)
Q_FN2_(v16i_xor, xor_si256)
SIMD_INLINE v16i v16i_or_and(v16i a, v16i b, v16i c) { return v16i_or(a, v16i_and(b, c)); }
SIMD_INLINE v16i v16i_dot16(v16i a, v16i b, v16i c) {
    return (v16i){_mm256_add_epi32(a.lo, _mm256_madd_epi16(b.lo, c.lo)),
                  _mm256_add_epi32(a.hi, _mm256_madd_epi16(b.hi, c.hi))};
}
/* Keeps gcc from moving the sums of an unrolled loop behind all of its products, which it then has
 * to spill. */
SIMD_INLINE v16i v16i_settle(v16i a) {
    __asm__("" : "+x"(a.lo), "+x"(a.hi));
    return a;
}
SIMD_INLINE v16i v16i_halves(__m256i lo, __m256i hi) { return (v16i){lo, hi}; }
SIMD_INLINE v16i v16i_sll_halves(v16i x, int lo, int hi) {
    return (v16i){_mm256_slli_epi16(x.lo, lo), _mm256_slli_epi16(x.hi, hi)};
}
SIMD_INLINE v16i v16i_srl_halves(v16i x, int lo, int hi) {
    return (v16i){_mm256_srli_epi16(x.lo, lo), _mm256_srli_epi16(x.hi, hi)};
}
SIMD_INLINE v16i v16i_load_32x2(const void *p) {
    __m256i half = _mm256_loadu_si256((const __m256i *)p);
    return (v16i){half, half};
}
SIMD_INLINE v16i v16i_load_16x4(const void *p) {
    __m256i half = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)p));
    return (v16i){half, half};
}
SIMD_INLINE v16i v16i_quarters(__m128i a, __m128i b, __m128i c, __m128i d) {
    return (v16i){_mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1),
                  _mm256_inserti128_si256(_mm256_castsi128_si256(c), d, 1)};
}
#define Q_SHUFFLE_PS_(a, b, which)                                                                 \
    _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), which))
SIMD_INLINE v16i v16i_even32(v16i a, v16i b) {
    return (v16i){Q_SHUFFLE_PS_(a.lo, b.lo, 0x88), Q_SHUFFLE_PS_(a.hi, b.hi, 0x88)};
}
SIMD_INLINE v16i v16i_odd32(v16i a, v16i b) {
    return (v16i){Q_SHUFFLE_PS_(a.lo, b.lo, 0xdd), Q_SHUFFLE_PS_(a.hi, b.hi, 0xdd)};
}
SIMD_INLINE __m256i v16i_merge128_half_(__m256i a, __m256i b) {
    return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
                            _mm256_permute2x128_si256(a, b, 0x31));
}
SIMD_INLINE v16i v16i_merge128(v16i a, v16i b) {
    return (v16i){v16i_merge128_half_(a.lo, a.hi), v16i_merge128_half_(b.lo, b.hi)};
}
SIMD_INLINE v16i v16i_merge256(v16i a, v16i b) {
    return (v16i){_mm256_add_epi32(a.lo, a.hi), _mm256_add_epi32(b.lo, b.hi)};
}
SIMD_INLINE v16 v16_from_i32(v16i a) {
    return (v16){_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)};
}
SIMD_INLINE v16 v16_from_f16_low(v16i a) {
    __m256i low = _mm256_set1_epi32(0xffff);
    __m256i mixed = _mm256_packus_epi32(_mm256_and_si256(a.lo, low), _mm256_and_si256(a.hi, low));
    return v16_from_f16_(_mm256_permute4x64_epi64(mixed, 0xd8));
}

#endif

/* x with the sign that w has; 0 is positive. |w| times it is w times x. */
#if defined(JINLIN_LEVEL_AVX512)
SIMD_INLINE v16i v16i_sign8(v16i x, v16i w) {
    return _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(w), _mm512_setzero_si512(), x);
}
#else
Q_FN2_(v16i_sign8, sign_epi8) // w of 0 gives 0: the product is the same
#endif
Q_FN1_(v16i_abs8, abs_epi8)
Q_FN2_(v16i_add8, add_epi8)
Q_FN2_(v16i_sub8, sub_epi8)
Q_FN2_(v16i_add16, add_epi16)
Q_FN2_(v16i_sub16, sub_epi16)
Q_FN2_(v16i_mul16, mullo_epi16)
Q_FN2_(v16i_add32, add_epi32)
Q_FN2_(v16i_mul32, mullo_epi32)
Q_FN2_(v16i_maddubs, maddubs_epi16) // unsigned by signed bytes, pairs added in 16 bits
Q_FN2_(v16i_shuffle8, shuffle_epi8) // within quarters
Q_FN2_(v16i_unlo8, unpacklo_epi8)
Q_FN2_(v16i_unhi8, unpackhi_epi8)
Q_FN2_(v16i_unlo32, unpacklo_epi32)
Q_FN2_(v16i_unhi32, unpackhi_epi32)
Q_FN2_(v16i_unlo64, unpacklo_epi64)
Q_FN2_(v16i_unhi64, unpackhi_epi64)
Q_FN2_(v16i_srlv32, srlv_epi32)
Q_SHIFT_(v16i_srl16, srli_epi16)
Q_SHIFT_(v16i_sll16, slli_epi16)
Q_SHIFT_(v16i_sra16, srai_epi16)
Q_SHIFT_(v16i_srl32, srli_epi32)
Q_SHIFT_(v16i_sll32, slli_epi32)
Q_SHIFT_(v16i_sra32, srai_epi32)

SIMD_INLINE v16i v16i_set8(unsigned x) { return v16i_set1((int32_t)(x * 0x01010101u)); }
SIMD_INLINE __m128i q_load16(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)p); }
SIMD_INLINE __m256i q_load32(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
SIMD_INLINE int32_t q_load_i32(const void *p) {
    int32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* ---- sixteen weight rows ---- */

/* Rows from output o on; where fewer than 16 are left the last one repeats, and is not stored.
 * `next`: the 16 rows after them, one behind the other, for q_prefetch; these here if there are no
 * more. */
struct q_rows {
    const uint8_t *p[16];
    const uint8_t *next;
};

SIMD_INLINE struct q_rows q_rows_at(const struct linear_args *args, int o, size_t offset) {
    int next = o + 16 < args->out1 ? o + 16 : o;
    struct q_rows rows = {.next = args->w + (size_t)next * args->w_stride + offset};
    for (int i = 0; i < 16; i++) {
        int row = o + i < args->out1 ? o + i : args->out1 - 1;
        rows.p[i] = args->w + (size_t)row * args->w_stride + offset;
    }
    return rows;
}

/* Quarter l of vector i: 16 bytes of row 4l + i. */
SIMD_INLINE v16i q_gather16(const struct q_rows *rows, int i, size_t at) {
    return v16i_quarters(q_load16(rows->p[i] + at), q_load16(rows->p[i + 4] + at),
                         q_load16(rows->p[i + 8] + at), q_load16(rows->p[i + 12] + at));
}

/* 16 bytes of 16 rows as four vectors: lane o of column c is int32 c of row o. */
SIMD_INLINE void q_transpose(v16i row[4]) {
    v16i a = v16i_unlo32(row[0], row[1]), b = v16i_unlo32(row[2], row[3]);
    v16i c = v16i_unhi32(row[0], row[1]), d = v16i_unhi32(row[2], row[3]);
    row[0] = v16i_unlo64(a, b);
    row[1] = v16i_unhi64(a, b);
    row[2] = v16i_unlo64(c, d);
    row[3] = v16i_unhi64(c, d);
}

SIMD_INLINE void q_columns(const struct q_rows *rows, size_t at, v16i column[4]) {
    SIMD_UNROLL
    for (int i = 0; i < 4; i++)
        column[i] = q_gather16(rows, i, at);
    q_transpose(column);
}

SIMD_INLINE v16i q_merge32(v16i a, v16i b) {
    return v16i_add32(v16i_unlo32(a, b), v16i_unhi32(a, b));
}
SIMD_INLINE v16i q_merge64(v16i a, v16i b) {
    return v16i_add32(v16i_unlo64(a, b), v16i_unhi64(a, b));
}

/* Row of the low half of pair i; the high half holds the row four further. */
SIMD_INLINE int q_pair_row(int i) { return i < 4 ? i : i + 4; }

/* Eight pairs of rows, each row eight partial sums: lane o is the sum of row o. */
SIMD_INLINE v16i q_sum_pairs(const v16i pair[8]) {
    v16i a = q_merge64(q_merge32(pair[0], pair[1]), q_merge32(pair[2], pair[3]));
    v16i b = q_merge64(q_merge32(pair[4], pair[5]), q_merge32(pair[6], pair[7]));
    return v16i_merge128(a, b);
}

/* Four vectors with the four partial sums of row 4l + i in quarter l of vector i. */
SIMD_INLINE v16i q_sum_quarters(const v16i part[4]) {
    return q_merge64(q_merge32(part[0], part[1]), q_merge32(part[2], part[3]));
}

/* Brings the next `bytes` of the next rows to L2 while these are worked on: memory then sees one
 * long stream, not sixteen. L1 would be too small, and its fill buffers too few. */
SIMD_INLINE void q_prefetch(const uint8_t **next, int bytes) {
    for (int line = 0; line < bytes; line += 64)
        _mm_prefetch((const char *)*next + line, _MM_HINT_T1);
    *next += bytes;
}

SIMD_INLINE int q_lanes(const struct linear_args *args, int o) {
    return args->out1 - o < 16 ? args->out1 - o : 16;
}

#endif
