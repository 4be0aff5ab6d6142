/* kernel/cpu/simd.h on AVX-512 F, BW, DQ, VL, BF16: a v16 is one register. */
#ifndef JL_KERNEL_CPU_SIMD_AVX512_H
#define JL_KERNEL_CPU_SIMD_AVX512_H

#define SIMD_REGISTERS 32   // v16 values that the register file holds
#define SIMD_SPLITS_PAIRS 0 // v16_dpbf16 works on the two floats of a pair apart
#define SIMD_DOTS 1         // four products of bytes are added to an int32 by one instruction

typedef __m512 v16;
typedef __m512i v16i;
typedef __mmask16 v16m; // one truth value a lane
typedef __m128i v4i;
typedef __m256i v8i;

SIMD_INLINE __mmask16 v16_first_(int n) { return (__mmask16)((1u << n) - 1u); }

SIMD_INLINE v16 v16_zero(void) { return _mm512_setzero_ps(); }
SIMD_INLINE v16 v16_set1(float x) { return _mm512_set1_ps(x); }
SIMD_INLINE v16 v16_load(const float *p) { return _mm512_loadu_ps(p); }
SIMD_INLINE void v16_store(float *p, v16 x) { _mm512_storeu_ps(p, x); }
SIMD_INLINE v16 v16_load_n(const float *p, int n) {
    return _mm512_maskz_loadu_ps(v16_first_(n), p);
}
SIMD_INLINE void v16_store_n(float *p, v16 x, int n) { _mm512_mask_storeu_ps(p, v16_first_(n), x); }

SIMD_INLINE v16 v16_add(v16 a, v16 b) { return _mm512_add_ps(a, b); }
SIMD_INLINE v16 v16_sub(v16 a, v16 b) { return _mm512_sub_ps(a, b); }
SIMD_INLINE v16 v16_mul(v16 a, v16 b) { return _mm512_mul_ps(a, b); }
SIMD_INLINE v16 v16_div(v16 a, v16 b) { return _mm512_div_ps(a, b); }
SIMD_INLINE v16 v16_sqrt(v16 a) { return _mm512_sqrt_ps(a); }
SIMD_INLINE v16 v16_fma(v16 a, v16 b, v16 c) { return _mm512_fmadd_ps(a, b, c); }   // a*b + c
SIMD_INLINE v16 v16_fms(v16 a, v16 b, v16 c) { return _mm512_fmsub_ps(a, b, c); }   // a*b - c
SIMD_INLINE v16 v16_fnma(v16 a, v16 b, v16 c) { return _mm512_fnmadd_ps(a, b, c); } // c - a*b

/* The same value, of which the compiler knows nothing. */
SIMD_INLINE v16 v16_opaque(v16 x) {
    __asm__("" : "+v"(x));
    return x;
}

SIMD_INLINE v16m v16_gt(v16 a, v16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
SIMD_INLINE v16 v16_select(v16m m, v16 yes, v16 no) { return _mm512_mask_blend_ps(m, no, yes); }

/* The larger; NaN if either is. Which zero max(+0, -0) gives is not defined. */
SIMD_INLINE v16 v16_max(v16 a, v16 b) {
    return _mm512_mask_max_ps(a, _mm512_cmp_ps_mask(a, a, _CMP_ORD_Q), a, b);
}
/* Lanes from n on become `fill`. */
SIMD_INLINE v16 v16_first_n(v16 x, int n, v16 fill) {
    return _mm512_mask_blend_ps(v16_first_(n), fill, x);
}

/* The contract's tree: lane j += lane j+8, then +4, +2, +1. */
SIMD_INLINE float v16_reduce_add(v16 x) {
    __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}

/* The largest lane; NaN if any is. */
SIMD_INLINE __m128 v16_max_quarter_(__m128 a, __m128 b) { // the instruction yields b for a NaN
    return _mm_blendv_ps(_mm_max_ps(a, b), a, _mm_cmpunord_ps(a, a));
}
SIMD_INLINE float v16_reduce_max(v16 x) {
    __m128 a = v16_max_quarter_(_mm512_castps512_ps128(x), _mm512_extractf32x4_ps(x, 1));
    __m128 b = v16_max_quarter_(_mm512_extractf32x4_ps(x, 2), _mm512_extractf32x4_ps(x, 3));
    __m128 m = v16_max_quarter_(a, b);
    m = v16_max_quarter_(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(v16_max_quarter_(m, _mm_movehdup_ps(m)));
}

/* 32 floats in memory order a, b: those of even and of odd index; zip is the inverse. */
SIMD_INLINE void v16_unzip(v16 a, v16 b, v16 *even, v16 *odd) {
    __m512i i = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    *even = _mm512_permutex2var_ps(a, i, b);
    *odd = _mm512_permutex2var_ps(a, _mm512_add_epi32(i, _mm512_set1_epi32(1)), b);
}
SIMD_INLINE void v16_zip(v16 even, v16 odd, v16 *a, v16 *b) {
    __m512i i = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    *a = _mm512_permutex2var_ps(even, i, odd);
    *b = _mm512_permutex2var_ps(even, _mm512_add_epi32(i, _mm512_set1_epi32(8)), odd);
}

/* ---- integers and bits ---- */

SIMD_INLINE v16i v16_bits(v16 x) { return _mm512_castps_si512(x); }
SIMD_INLINE v16i v16i_sub(v16i a, v16i b) { return _mm512_sub_epi32(a, b); }
SIMD_INLINE v16i v16i_sra1(v16i a) { return _mm512_srai_epi32(a, 1); }
/* 2^n of each lane, -127 < n < 128 */
SIMD_INLINE v16 v16_pow2(v16i n) {
    __m512i biased = _mm512_add_epi32(n, _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(biased, 23));
}
SIMD_INLINE v16i v16i_load(const void *p) { return _mm512_loadu_si512(p); }
SIMD_INLINE v16i v16i_load_n(const void *p, int n) {
    return _mm512_maskz_loadu_epi32(v16_first_(n), p);
}
SIMD_INLINE v16i v16i_set1(int32_t x) { return _mm512_set1_epi32(x); }
/* 16 int8 as floats */
SIMD_INLINE v16 v16_load_i8(const void *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}

/* ---- 16-bit floats ---- */

SIMD_INLINE v16 v16_load_f16(const void *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
SIMD_INLINE v16 v16_load_f16_n(const void *p, int n) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(v16_first_(n), p));
}
SIMD_INLINE v16 v16_from_bf16(__m256i h) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}
SIMD_INLINE v16 v16_load_bf16(const void *p) {
    return v16_from_bf16(_mm256_loadu_si256((const __m256i *)p));
}
SIMD_INLINE v16 v16_load_bf16_n(const void *p, int n) {
    return v16_from_bf16(_mm256_maskz_loadu_epi16(v16_first_(n), p));
}
/* Nearest even, denormals to signed zeros. */
SIMD_INLINE __m256i v16_to_bf16(v16 x) { return (__m256i)_mm512_cvtneps_pbh(x); }
SIMD_INLINE void v16_store_bf16(void *p, v16 x) {
    _mm256_storeu_si256((__m256i *)p, v16_to_bf16(x));
}
SIMD_INLINE void v16_store_bf16_n(void *p, v16 x, int n) {
    _mm256_mask_storeu_epi16(p, v16_first_(n), v16_to_bf16(x));
}

/* 32 16-bit floats, a's first: nearest even; of f16 denormals are kept, and a NaN is the quiet one
 * of its sign without payload, as tensor/dtype.h has it. */
SIMD_INLINE __m256i v16_to_f16_(v16 x) {
    __m256i h = _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
    __mmask16 is_nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    __m256i quiet = _mm256_and_si256(h, _mm256_set1_epi16((short)0xfe00));
    return _mm256_mask_blend_epi16(is_nan, h, quiet);
}
SIMD_INLINE v16i v16i_pack_f16(v16 a, v16 b) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(v16_to_f16_(a)), v16_to_f16_(b), 1);
}
SIMD_INLINE v16i v16i_pack_bf16(v16 a, v16 b) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(v16_to_bf16(a)), v16_to_bf16(b), 1);
}

/* ---- pairs of bf16 ---- */

/* acc = fma(w odd, x odd, acc), then fma(w even, x even, acc), lane by lane. */
SIMD_INLINE v16 v16_dpbf16(v16 acc, v16i w, v16i x) {
    return _mm512_dpbf16_ps(acc, (__m512bh)w, (__m512bh)x);
}
/* One pair in all lanes. */
SIMD_INLINE v16i v16i_set1_pair(const uint16_t *pair) {
    int32_t both;
    memcpy(&both, pair, sizeof both);
    return _mm512_set1_epi32(both);
}
/* The first and second of each pair as floats. */
SIMD_INLINE v16 v16_pair_even(v16i x) { return _mm512_castsi512_ps(_mm512_slli_epi32(x, 16)); }
SIMD_INLINE v16 v16_pair_odd(v16i x) {
    return _mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32((int)0xffff0000u)));
}
/* The low halves of a and b as pairs; the high halves. */
SIMD_INLINE v16i v16i_low_halves(v16i a, v16i b) {
    return _mm512_mask_blend_epi16(0xaaaaaaaau, a, _mm512_slli_epi32(b, 16));
}
SIMD_INLINE v16i v16i_high_halves(v16i a, v16i b) {
    return _mm512_mask_blend_epi16(0xaaaaaaaau, _mm512_srli_epi32(a, 16), b);
}
/* Pairs whose second element counts as +0. */
SIMD_INLINE v16i v16i_drop_odd(v16i x) {
    return _mm512_and_si512(x, _mm512_set1_epi32(0x0000ffff));
}

#endif
