/* Weight rows into lanes: a block is 16 rows by COLUMNS dwords, and comes out with one row a lane.
 *
 * Lines of weights are touched once a block (twice on AVX2): rows a power of two apart share a set
 * of the first cache, which holds fewer lines than a block has rows. */
#ifndef JL_KERNEL_CPU_COLUMNS_H
#define JL_KERNEL_CPU_COLUMNS_H

#include "kernel/cpu/simd.h"

/* SIMD_UNROLL for blocks. gcc's sanitizers would take minutes over all copies of an
 * unrolled block: there nothing is unrolled and a block is read by a call. */
#if defined(__clang__)
#define COLUMNS_UNROLL _Pragma("clang loop unroll(full)")
#define COLUMNS_INLINE SIMD_INLINE
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COLUMNS_UNROLL _Pragma("GCC unroll 1")
#define COLUMNS_INLINE static __attribute__((noinline))
#else
#define COLUMNS_UNROLL _Pragma("GCC unroll 16")
#define COLUMNS_INLINE SIMD_INLINE
#endif

#define COLUMNS 16      // dwords of each row in a block
#define COLUMN_BYTES 64 // the same, bytes

#if defined(JINLIN_LEVEL_AVX512)

/* The first 16 dwords of 16 rows that are `stride` bytes apart: column[j] has dword j of row i in
 * lane i. Four rows' dwords are gathered within 128-bit quarters, then the quarters are sorted. */
COLUMNS_INLINE void columns_load(const uint8_t *p, size_t stride, v16i column[COLUMNS]) {
    v16i a[16], b[16];
    COLUMNS_UNROLL
    for (int i = 0; i < 16; i++)
        a[i] = v16i_load(p + (size_t)i * stride);
    COLUMNS_UNROLL
    for (int i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
    }
    COLUMNS_UNROLL
    for (int i = 0; i < 16; i += 4) { // a[i + c]: column 4q + c of rows i .. i+3 in quarter q
        a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
        a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
        a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
        a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
    }
    COLUMNS_UNROLL
    for (int c = 0; c < 4; c++) {
        v16i even_low = _mm512_shuffle_i32x4(a[c], a[c + 4], 0x88);
        v16i even_high = _mm512_shuffle_i32x4(a[c + 8], a[c + 12], 0x88);
        v16i odd_low = _mm512_shuffle_i32x4(a[c], a[c + 4], 0xdd);
        v16i odd_high = _mm512_shuffle_i32x4(a[c + 8], a[c + 12], 0xdd);
        column[c] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
        column[c + 4] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
        column[c + 8] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
        column[c + 12] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
    }
}

SIMD_INLINE v16 columns_f32(v16i column) { return _mm512_castsi512_ps(column); }
SIMD_INLINE void columns_store(void *p, v16i column) { _mm512_storeu_si512(p, column); }

/* Lanes of two f16: the first and the second of each as floats. */
COLUMNS_INLINE void columns_f16(v16i column, v16 *even, v16 *odd) {
    const __m512i halves =
        _mm512_set_epi16(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1, 30, 28, 26, 24,
                         22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    v16i sorted = _mm512_permutexvar_epi16(halves, column);
    *even = _mm512_cvtph_ps(_mm512_castsi512_si256(sorted));
    *odd = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(sorted, 1));
}

#elif defined(JINLIN_LEVEL_NEON)

/* Dwords 0 .. 3 of four rows: column i has dword i of each row. */
SIMD_INLINE void columns_square_(const uint8_t *p, size_t stride, int32x4_t column[4]) {
    int32x4_t a = v16i_quarter_(p, 0), b = v16i_quarter_(p + stride, 0);
    int32x4_t c = v16i_quarter_(p + 2 * stride, 0), d = v16i_quarter_(p + 3 * stride, 0);
    int64x2_t ab_low = vreinterpretq_s64_s32(vzip1q_s32(a, b));
    int64x2_t ab_high = vreinterpretq_s64_s32(vzip2q_s32(a, b));
    int64x2_t cd_low = vreinterpretq_s64_s32(vzip1q_s32(c, d));
    int64x2_t cd_high = vreinterpretq_s64_s32(vzip2q_s32(c, d));
    column[0] = vreinterpretq_s32_s64(vzip1q_s64(ab_low, cd_low));
    column[1] = vreinterpretq_s32_s64(vzip2q_s64(ab_low, cd_low));
    column[2] = vreinterpretq_s32_s64(vzip1q_s64(ab_high, cd_high));
    column[3] = vreinterpretq_s32_s64(vzip2q_s64(ab_high, cd_high));
}

/* The first 16 dwords of 16 rows that are `stride` bytes apart: column[j] has dword j of row i in
 * lane i. Four rows' lines are read at a time. */
COLUMNS_INLINE void columns_load(const uint8_t *p, size_t stride, v16i column[COLUMNS]) {
#define FOUR_ROWS_(q)                                                                              \
    COLUMNS_UNROLL                                                                                 \
    for (int j = 0; j < COLUMNS; j += 4) {                                                         \
        int32x4_t square[4];                                                                       \
        columns_square_(p + 4 * j, stride, square);                                                \
        column[j].q = square[0], column[j + 1].q = square[1];                                      \
        column[j + 2].q = square[2], column[j + 3].q = square[3];                                  \
    }                                                                                              \
    p += 4 * stride;
    FOUR_ROWS_(q0)
    FOUR_ROWS_(q1)
    FOUR_ROWS_(q2)
    FOUR_ROWS_(q3)
#undef FOUR_ROWS_
}

SIMD_INLINE v16 columns_f32(v16i column) { return v16_from_bits_(column); }
SIMD_INLINE void columns_store(void *p, v16i column) {
    v16_store((float *)p, v16_from_bits_(column));
}

/* Lanes of two f16: the first and the second of each as floats. */
COLUMNS_INLINE void columns_f16(v16i column, v16 *even, v16 *odd) {
#define OP_(q) v16_widen_f16_(vmovn_u32(V16_U32_(column.q)))
    *even = V16_EACH_(v16, OP_);
#undef OP_
#define OP_(q) v16_widen_f16_(vshrn_n_u32(V16_U32_(column.q), 16))
    *odd = V16_EACH_(v16, OP_);
#undef OP_
}

#else

SIMD_INLINE void columns_eighth_(const uint8_t *p, size_t stride, __m256i column[8]) {
    __m256i a[8], b[8];
    COLUMNS_UNROLL
    for (int i = 0; i < 4; i++) { // a[i]: dwords 0..3 of rows i and i + 4; a[i + 4]: dwords 4..7
        const __m128i *low = (const __m128i *)(p + (size_t)i * stride);
        const __m128i *high = (const __m128i *)(p + (size_t)(i + 4) * stride);
        a[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(low)),
                                       _mm_loadu_si128(high), 1);
        a[i + 4] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(low + 1)),
                                           _mm_loadu_si128(high + 1), 1);
    }
    COLUMNS_UNROLL
    for (int i = 0; i < 8; i += 2) {
        b[i] = _mm256_unpacklo_epi32(a[i], a[i + 1]);
        b[i + 1] = _mm256_unpackhi_epi32(a[i], a[i + 1]);
    }
    COLUMNS_UNROLL
    for (int i = 0; i < 8; i += 4) {
        column[i] = _mm256_unpacklo_epi64(b[i], b[i + 2]);
        column[i + 1] = _mm256_unpackhi_epi64(b[i], b[i + 2]);
        column[i + 2] = _mm256_unpacklo_epi64(b[i + 1], b[i + 3]);
        column[i + 3] = _mm256_unpackhi_epi64(b[i + 1], b[i + 3]);
    }
}

/* The first 16 dwords of 16 rows that are `stride` bytes apart: column[j] has dword j of row i in
 * lane i. A line's two halves are read with only seven other lines between them. */
COLUMNS_INLINE void columns_load(const uint8_t *p, size_t stride, v16i column[COLUMNS]) {
    __m256i half[8];
    COLUMNS_UNROLL
    for (int j = 0; j < 16; j += 8) {
        columns_eighth_(p + 4 * j, stride, half);
        COLUMNS_UNROLL
        for (int i = 0; i < 8; i++)
            column[j + i].lo = half[i];
    }
    p += 8 * stride;
    COLUMNS_UNROLL
    for (int j = 0; j < 16; j += 8) {
        columns_eighth_(p + 4 * j, stride, half);
        COLUMNS_UNROLL
        for (int i = 0; i < 8; i++)
            column[j + i].hi = half[i];
    }
}

SIMD_INLINE v16 columns_f32(v16i column) {
    return (v16){_mm256_castsi256_ps(column.lo), _mm256_castsi256_ps(column.hi)};
}
SIMD_INLINE void columns_store(void *p, v16i column) {
    _mm256_storeu_si256((__m256i *)p, column.lo);
    _mm256_storeu_si256((__m256i *)p + 1, column.hi);
}

/* Lanes of two f16: the first and the second of each as floats. */
SIMD_INLINE __m256i columns_sort_half_(__m256i x) {
    const __m256i halves = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15, 0,
                                            1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    return _mm256_permute4x64_epi64(_mm256_shuffle_epi8(x, halves), 0xd8);
}
COLUMNS_INLINE void columns_f16(v16i column, v16 *even, v16 *odd) {
    __m256i lo = columns_sort_half_(column.lo), hi = columns_sort_half_(column.hi);
    *even = (v16){_mm256_cvtph_ps(_mm256_castsi256_si128(lo)),
                  _mm256_cvtph_ps(_mm256_castsi256_si128(hi))};
    *odd = (v16){_mm256_cvtph_ps(_mm256_extracti128_si256(lo, 1)),
                 _mm256_cvtph_ps(_mm256_extracti128_si256(hi, 1))};
}

#endif

/* A block at the matrix's edge: `rows` rows of `bytes` bytes exist, the rest counts as zero bits.
 */
static __attribute__((noinline, unused)) void
columns_load_edge(const uint8_t *p, size_t stride, int rows, int bytes, v16i column[COLUMNS]) {
    uint8_t whole[16 * COLUMN_BYTES] = {0};
    for (int i = 0; i < rows; i++)
        memcpy(whole + i * COLUMN_BYTES, p + (size_t)i * stride, (size_t)bytes);
    columns_load(whole, COLUMN_BYTES, column);
}

#endif
