/* Columns of four F8_E4M3 a lane (kernel/cpu/columns.h) into floats or pairs of bf16.
 *
 * The exponent and mantissa bits of a normal code, moved to their places in a wider float, miss 120
 * in the exponent: an integer addition. Codes of the lowest exponent (zeros, denormals) and the two
 * NaN need more work; they are rare, so a column that holds one takes another path. */
#ifndef JL_KERNEL_CPU_COLUMNS_F8_H
#define JL_KERNEL_CPU_COLUMNS_F8_H

#include <stdbool.h>

#include "kernel/cpu/simd.h"

#if defined(JINLIN_LEVEL_AVX512)

/* Sixteen codes, the first (0) of four in each lane. */
SIMD_INLINE v16i f8_load(const uint8_t codes[16]) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)codes));
}

/* Does a lane hold a code that is no normal number? */
SIMD_INLINE bool f8_special(v16i column) {
    __m512i magnitude = _mm512_and_si512(column, _mm512_set1_epi8(0x7f));
    __m512i above = _mm512_sub_epi8(magnitude, _mm512_set1_epi8(8));
    return _mm512_cmpge_epu8_mask(above, _mm512_set1_epi8(0x77)) != 0;
}

/* Code j (0..3) of each lane as a float, of normal codes and of any. */
SIMD_INLINE v16i f8_bits_(v16i column, int j) {
    __m512i top = _mm512_srai_epi32(_mm512_slli_epi32(column, (unsigned)(24 - 8 * j)), 4);
    return _mm512_add_epi32(_mm512_and_si512(top, _mm512_set1_epi32((int)0x87f00000u)),
                            _mm512_set1_epi32(120 << 23));
}
SIMD_INLINE v16 f8_normal(v16i column, int j) { return _mm512_castsi512_ps(f8_bits_(column, j)); }
SIMD_INLINE v16 f8_any(v16i column, int j) {
    __m512i code = _mm512_srli_epi32(column, (unsigned)(8 * j)), bits = f8_bits_(column, j);
    __m512 small = _mm512_cvtepi32_ps(_mm512_and_si512(code, _mm512_set1_epi32(7)));
    small = _mm512_mul_ps(small, _mm512_set1_ps(0x1p-9f));
    __mmask16 low = _mm512_testn_epi32_mask(code, _mm512_set1_epi32(0x78));
    __mmask16 nan = _mm512_cmpeq_epi32_mask(_mm512_and_si512(code, _mm512_set1_epi32(0x7f)),
                                            _mm512_set1_epi32(0x7f));
    __m512i sign = _mm512_and_si512(bits, _mm512_set1_epi32((int)0x80000000u));
    bits = _mm512_mask_or_epi32(bits, low, _mm512_castps_si512(small), sign);
    return _mm512_castsi512_ps(_mm512_mask_mov_epi32(bits, nan, _mm512_set1_epi32(0x7fc00000)));
}

/* Codes 2h and 2h + 1 of each lane as a pair of bf16. */
SIMD_INLINE v16i f8_words_(v16i column, int h) { // each code in the upper half of a word
    const __m512i first = _mm512_broadcast_i32x4(
        _mm_setr_epi8(-1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13));
    const __m512i second = _mm512_broadcast_i32x4(
        _mm_setr_epi8(-1, 2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15));
    return _mm512_shuffle_epi8(column, h ? second : first);
}
SIMD_INLINE v16i f8_word_bits_(v16i words) {
    __m512i moved = _mm512_and_si512(_mm512_srai_epi16(words, 4), _mm512_set1_epi16((short)0x87f0));
    return _mm512_add_epi16(moved, _mm512_set1_epi16(120 << 7));
}
SIMD_INLINE v16i f8_normal_pair(v16i column, int h) { return f8_word_bits_(f8_words_(column, h)); }
SIMD_INLINE v16i f8_any_pair(v16i column, int h) {
    const __m512i small = _mm512_broadcast_i32x4( // m * 2^-9 for m = 0 .. 7
        _mm_setr_epi16(0, 0x3b00, 0x3b80, 0x3bc0, 0x3c00, 0x3c20, 0x3c40, 0x3c60));
    __m512i words = f8_words_(column, h), bits = f8_word_bits_(words);
    __mmask32 low = _mm512_testn_epi16_mask(words, _mm512_set1_epi16(0x7800));
    __m512i magnitude = _mm512_and_si512(words, _mm512_set1_epi16(0x7f00));
    __mmask32 nan = _mm512_cmpeq_epi16_mask(magnitude, _mm512_set1_epi16(0x7f00));
    __m512i value = _mm512_permutexvar_epi16(_mm512_srli_epi16(magnitude, 8), small);
    value = _mm512_or_si512(value, _mm512_and_si512(words, _mm512_set1_epi16((short)0x8000)));
    bits = _mm512_mask_mov_epi16(bits, low, value);
    return _mm512_mask_mov_epi16(bits, nan, _mm512_set1_epi16(0x7fc0));
}

#elif defined(JINLIN_LEVEL_NEON)

SIMD_INLINE v16i f8_load(const uint8_t codes[16]) {
    uint8x16_t all = vld1q_u8(codes);
    uint16x8_t low = vmovl_u8(vget_low_u8(all)), high = vmovl_high_u8(all);
    return (v16i){
        V16_S32_(vmovl_u16(vget_low_u16(low))),
        V16_S32_(vmovl_high_u16(low)),
        V16_S32_(vmovl_u16(vget_low_u16(high))),
        V16_S32_(vmovl_high_u16(high)),
    };
}

SIMD_INLINE uint8x16_t f8_special_quarter_(int32x4_t column) { // set bits: below 8, or 127
    uint8x16_t magnitude = vandq_u8(vreinterpretq_u8_s32(column), vdupq_n_u8(0x7f));
    return vcgeq_u8(vsubq_u8(magnitude, vdupq_n_u8(8)), vdupq_n_u8(0x77));
}
SIMD_INLINE bool f8_special(v16i column) {
    uint8x16_t a = vorrq_u8(f8_special_quarter_(column.q0), f8_special_quarter_(column.q1));
    uint8x16_t b = vorrq_u8(f8_special_quarter_(column.q2), f8_special_quarter_(column.q3));
    return vmaxvq_u8(vorrq_u8(a, b)) != 0;
}

SIMD_INLINE int32x4_t f8_bits_quarter_(int32x4_t column, int j) {
    int32x4_t top = vshlq_s32(column, vdupq_n_s32(24 - 8 * j));
    top = vandq_s32(vshrq_n_s32(top, 4), vdupq_n_s32((int32_t)0x87f00000u));
    return vaddq_s32(top, vdupq_n_s32(120 << 23));
}
SIMD_INLINE v16 f8_normal(v16i column, int j) {
#define OP_(q) vreinterpretq_f32_s32(f8_bits_quarter_(column.q, j))
    return V16_EACH_(v16, OP_);
#undef OP_
}
SIMD_INLINE float32x4_t f8_any_quarter_(int32x4_t column, int j) {
    int32x4_t code = vshlq_s32(column, vdupq_n_s32(-8 * j)), bits = f8_bits_quarter_(column, j);
    float32x4_t small = vcvtq_f32_s32(vandq_s32(code, vdupq_n_s32(7)));
    small = vmulq_f32(small, vdupq_n_f32(0x1p-9f));
    uint32x4_t low = vceqq_s32(vandq_s32(code, vdupq_n_s32(0x78)), vdupq_n_s32(0));
    int32x4_t magnitude = vandq_s32(code, vdupq_n_s32(0x7f));
    uint32x4_t nan = vceqq_s32(magnitude, vdupq_n_s32(0x7f));
    int32x4_t sign = vandq_s32(bits, vdupq_n_s32((int32_t)0x80000000u));
    bits = vbslq_s32(low, vorrq_s32(vreinterpretq_s32_f32(small), sign), bits);
    return vreinterpretq_f32_s32(vbslq_s32(nan, vdupq_n_s32(0x7fc00000), bits));
}
SIMD_INLINE v16 f8_any(v16i column, int j) {
#define OP_(q) f8_any_quarter_(column.q, j)
    return V16_EACH_(v16, OP_);
#undef OP_
}

#else

SIMD_INLINE v16i f8_load(const uint8_t codes[16]) {
    __m128i all = _mm_loadu_si128((const __m128i *)codes);
    return (v16i){_mm256_cvtepu8_epi32(all), _mm256_cvtepu8_epi32(_mm_srli_si128(all, 8))};
}

SIMD_INLINE int f8_special_half_(__m256i column) { // top bits: below 8, or 127
    __m256i magnitude = _mm256_and_si256(column, _mm256_set1_epi8(0x7f));
    return _mm256_movemask_epi8(_mm256_or_si256(_mm256_sub_epi8(magnitude, _mm256_set1_epi8(8)),
                                                _mm256_add_epi8(magnitude, _mm256_set1_epi8(1))));
}
SIMD_INLINE bool f8_special(v16i column) {
    return (f8_special_half_(column.lo) | f8_special_half_(column.hi)) != 0;
}

SIMD_INLINE __m256i f8_bits_half_(__m256i column, int j) {
    __m256i top = _mm256_srai_epi32(_mm256_slli_epi32(column, 24 - 8 * j), 4);
    return _mm256_add_epi32(_mm256_and_si256(top, _mm256_set1_epi32((int)0x87f00000u)),
                            _mm256_set1_epi32(120 << 23));
}
SIMD_INLINE v16 f8_normal(v16i column, int j) {
    return (v16){_mm256_castsi256_ps(f8_bits_half_(column.lo, j)),
                 _mm256_castsi256_ps(f8_bits_half_(column.hi, j))};
}
SIMD_INLINE __m256 f8_any_half_(__m256i column, int j) {
    __m256i code = _mm256_srli_epi32(column, 8 * j), bits = f8_bits_half_(column, j);
    __m256 small = _mm256_cvtepi32_ps(_mm256_and_si256(code, _mm256_set1_epi32(7)));
    small = _mm256_mul_ps(small, _mm256_set1_ps(0x1p-9f));
    __m256i exponent = _mm256_and_si256(code, _mm256_set1_epi32(0x78));
    __m256i low = _mm256_cmpeq_epi32(exponent, _mm256_setzero_si256());
    __m256i magnitude = _mm256_and_si256(code, _mm256_set1_epi32(0x7f));
    __m256i nan = _mm256_cmpeq_epi32(magnitude, _mm256_set1_epi32(0x7f));
    __m256i sign = _mm256_and_si256(bits, _mm256_set1_epi32((int)0x80000000u));
    bits = _mm256_blendv_epi8(bits, _mm256_or_si256(_mm256_castps_si256(small), sign), low);
    return _mm256_castsi256_ps(_mm256_blendv_epi8(bits, _mm256_set1_epi32(0x7fc00000), nan));
}
SIMD_INLINE v16 f8_any(v16i column, int j) {
    return (v16){f8_any_half_(column.lo, j), f8_any_half_(column.hi, j)};
}

#endif

#endif
