/* kernel/cpu/simd.h on AVX2, FMA, F16C: a v16 is two registers. */
#ifndef JL_KERNEL_CPU_SIMD_AVX2_H
#define JL_KERNEL_CPU_SIMD_AVX2_H

#define SIMD_REGISTERS 8    // v16 values that the register file holds
#define SIMD_SPLITS_PAIRS 1 // v16_dpbf16 works on the two floats of a pair apart
#define SIMD_DOTS 0         // four products of bytes are added to an int32 by one instruction

typedef struct {
    __m256 lo, hi;
} v16;
typedef struct {
    __m256i lo, hi;
} v16i;
typedef v16 v16m; // all bits of a lane set or clear
typedef __m128i v4i;
typedef __m256i v8i;

/* Sixteen set lanes, then sixteen clear ones: a mask of n lanes starts at 16 - n. */
static const int32_t v16_first_table_[32] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                             -1, -1, -1, -1, -1, -1, -1, -1};
SIMD_INLINE v16i v16_first_(int n) {
    const int32_t *row = v16_first_table_ + 16 - n;
    return (v16i){_mm256_loadu_si256((const __m256i *)row),
                  _mm256_loadu_si256((const __m256i *)(row + 8))};
}

SIMD_INLINE v16 v16_zero(void) { return (v16){_mm256_setzero_ps(), _mm256_setzero_ps()}; }
SIMD_INLINE v16 v16_set1(float x) { return (v16){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
SIMD_INLINE v16 v16_load(const float *p) {
    return (v16){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
SIMD_INLINE void v16_store(float *p, v16 x) {
    _mm256_storeu_ps(p, x.lo);
    _mm256_storeu_ps(p + 8, x.hi);
}
SIMD_INLINE v16 v16_load_n(const float *p, int n) {
    if (n == 16) return v16_load(p);
    v16i m = v16_first_(n);
    return (v16){_mm256_maskload_ps(p, m.lo), _mm256_maskload_ps(p + 8, m.hi)};
}
SIMD_INLINE void v16_store_n(float *p, v16 x, int n) { // masked stores are slow on some CPUs
    if (n == 16) {
        v16_store(p, x);
        return;
    }
    v16i m = v16_first_(n);
    _mm256_maskstore_ps(p, m.lo, x.lo);
    _mm256_maskstore_ps(p + 8, m.hi, x.hi);
}

SIMD_INLINE v16 v16_add(v16 a, v16 b) {
    return (v16){_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
SIMD_INLINE v16 v16_sub(v16 a, v16 b) {
    return (v16){_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
SIMD_INLINE v16 v16_mul(v16 a, v16 b) {
    return (v16){_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
SIMD_INLINE v16 v16_div(v16 a, v16 b) {
    return (v16){_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
SIMD_INLINE v16 v16_sqrt(v16 a) { return (v16){_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }
SIMD_INLINE v16 v16_fma(v16 a, v16 b, v16 c) { // a*b + c
    return (v16){_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
SIMD_INLINE v16 v16_fms(v16 a, v16 b, v16 c) { // a*b - c
    return (v16){_mm256_fmsub_ps(a.lo, b.lo, c.lo), _mm256_fmsub_ps(a.hi, b.hi, c.hi)};
}
SIMD_INLINE v16 v16_fnma(v16 a, v16 b, v16 c) { // c - a*b
    return (v16){_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
}

/* The same value, of which the compiler knows nothing. */
SIMD_INLINE v16 v16_opaque(v16 x) {
    __asm__("" : "+x"(x.lo), "+x"(x.hi));
    return x;
}

SIMD_INLINE v16m v16_gt(v16 a, v16 b) {
    return (v16m){_mm256_cmp_ps(a.lo, b.lo, _CMP_GT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_GT_OQ)};
}
SIMD_INLINE v16 v16_select(v16m m, v16 yes, v16 no) {
    return (v16){_mm256_blendv_ps(no.lo, yes.lo, m.lo), _mm256_blendv_ps(no.hi, yes.hi, m.hi)};
}

/* The larger; NaN if either is. Which zero max(+0, -0) gives is not defined. */
SIMD_INLINE __m256 v16_max_half_(__m256 a, __m256 b) { // the instruction yields b for a NaN
    return _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}
SIMD_INLINE v16 v16_max(v16 a, v16 b) {
    return (v16){v16_max_half_(a.lo, b.lo), v16_max_half_(a.hi, b.hi)};
}
/* Lanes from n on become `fill`. */
SIMD_INLINE v16 v16_first_n(v16 x, int n, v16 fill) {
    v16i m = v16_first_(n);
    return (v16){_mm256_blendv_ps(fill.lo, x.lo, _mm256_castsi256_ps(m.lo)),
                 _mm256_blendv_ps(fill.hi, x.hi, _mm256_castsi256_ps(m.hi))};
}

/* The contract's tree: lane j += lane j+8, then +4, +2, +1. */
SIMD_INLINE float v16_reduce_add(v16 x) {
    __m256 s8 = _mm256_add_ps(x.lo, x.hi);
    __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}

/* The largest lane; NaN if any is. */
SIMD_INLINE __m128 v16_max_quarter_(__m128 a, __m128 b) { // the instruction yields b for a NaN
    return _mm_blendv_ps(_mm_max_ps(a, b), a, _mm_cmpunord_ps(a, a));
}
SIMD_INLINE float v16_reduce_max(v16 x) {
    __m256 h = v16_max_half_(x.lo, x.hi);
    __m128 m = v16_max_quarter_(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    m = v16_max_quarter_(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(v16_max_quarter_(m, _mm_movehdup_ps(m)));
}

/* 32 floats in memory order a, b: those of even and of odd index; zip is the inverse. */
SIMD_INLINE __m256 v16_pick_half_(__m256 lo, __m256 hi, int odd) {
    __m256 mixed = odd ? _mm256_shuffle_ps(lo, hi, 0xdd) : _mm256_shuffle_ps(lo, hi, 0x88);
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), 0xd8));
}
SIMD_INLINE void v16_unzip(v16 a, v16 b, v16 *even, v16 *odd) {
    *even = (v16){v16_pick_half_(a.lo, a.hi, 0), v16_pick_half_(b.lo, b.hi, 0)};
    *odd = (v16){v16_pick_half_(a.lo, a.hi, 1), v16_pick_half_(b.lo, b.hi, 1)};
}
SIMD_INLINE v16 v16_zip_half_(__m256 even, __m256 odd) {
    __m256 lo = _mm256_unpacklo_ps(even, odd), hi = _mm256_unpackhi_ps(even, odd);
    return (v16){_mm256_permute2f128_ps(lo, hi, 0x20), _mm256_permute2f128_ps(lo, hi, 0x31)};
}
SIMD_INLINE void v16_zip(v16 even, v16 odd, v16 *a, v16 *b) {
    *a = v16_zip_half_(even.lo, odd.lo);
    *b = v16_zip_half_(even.hi, odd.hi);
}

/* ---- integers and bits ---- */

SIMD_INLINE v16i v16_bits(v16 x) {
    return (v16i){_mm256_castps_si256(x.lo), _mm256_castps_si256(x.hi)};
}
SIMD_INLINE v16i v16i_sub(v16i a, v16i b) {
    return (v16i){_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)};
}
SIMD_INLINE v16i v16i_sra1(v16i a) {
    return (v16i){_mm256_srai_epi32(a.lo, 1), _mm256_srai_epi32(a.hi, 1)};
}
/* 2^n of each lane, -127 < n < 128 */
SIMD_INLINE __m256 v16_pow2_half_(__m256i n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
SIMD_INLINE v16 v16_pow2(v16i n) { return (v16){v16_pow2_half_(n.lo), v16_pow2_half_(n.hi)}; }
SIMD_INLINE v16i v16i_load(const void *p) {
    const __m256i *half = (const __m256i *)p;
    return (v16i){_mm256_loadu_si256(half), _mm256_loadu_si256(half + 1)};
}
SIMD_INLINE v16i v16i_load_n(const void *p, int n) {
    v16i m = v16_first_(n);
    const int *lane = (const int *)p;
    return (v16i){_mm256_maskload_epi32(lane, m.lo), _mm256_maskload_epi32(lane + 8, m.hi)};
}
SIMD_INLINE v16i v16i_set1(int32_t x) { return (v16i){_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
/* 16 int8 as floats */
SIMD_INLINE v16 v16_load_i8(const void *p) {
    __m128i q = _mm_loadu_si128((const __m128i *)p);
    return (v16){_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q)),
                 _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(q, 8)))};
}

/* ---- 16-bit floats ---- */

SIMD_INLINE __m256i v16_load_u16_n_(const void *p, int n) { // no 16-bit masked load on AVX2
    uint16_t lanes[16] = {0};
    memcpy(lanes, p, (size_t)n * sizeof lanes[0]);
    return _mm256_loadu_si256((const __m256i *)lanes);
}
SIMD_INLINE v16 v16_from_f16_(__m256i h) {
    return (v16){_mm256_cvtph_ps(_mm256_castsi256_si128(h)),
                 _mm256_cvtph_ps(_mm256_extracti128_si256(h, 1))};
}
SIMD_INLINE v16 v16_load_f16(const void *p) {
    const __m128i *half = (const __m128i *)p;
    return (v16){_mm256_cvtph_ps(_mm_loadu_si128(half)),
                 _mm256_cvtph_ps(_mm_loadu_si128(half + 1))};
}
SIMD_INLINE v16 v16_load_f16_n(const void *p, int n) {
    return v16_from_f16_(v16_load_u16_n_(p, n));
}
SIMD_INLINE __m256 v16_widen_bf16_(__m128i h) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}
SIMD_INLINE v16 v16_from_bf16(__m256i h) {
    return (v16){v16_widen_bf16_(_mm256_castsi256_si128(h)),
                 v16_widen_bf16_(_mm256_extracti128_si256(h, 1))};
}
SIMD_INLINE v16 v16_load_bf16(const void *p) {
    const __m128i *half = (const __m128i *)p;
    return (v16){v16_widen_bf16_(_mm_loadu_si128(half)),
                 v16_widen_bf16_(_mm_loadu_si128(half + 1))};
}
SIMD_INLINE v16 v16_load_bf16_n(const void *p, int n) {
    return v16_from_bf16(v16_load_u16_n_(p, n));
}
/* Nearest even, denormals to signed zeros: eight bf16 in the low halves of eight int32. */
SIMD_INLINE __m256i v16_round_bf16_(__m256 x) {
    const __m256i one = _mm256_set1_epi32(1);
    __m256i u = _mm256_castps_si256(x);
    __m256i high = _mm256_srli_epi32(u, 16);
    __m256i bias = _mm256_add_epi32(_mm256_set1_epi32(0x7fff), _mm256_and_si256(high, one));
    __m256i y = _mm256_srli_epi32(_mm256_add_epi32(u, bias), 16);
    __m256i magnitude = _mm256_and_si256(u, _mm256_set1_epi32(0x7fffffff));
    __m256i is_nan = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7f800000));
    y = _mm256_blendv_epi8(y, _mm256_or_si256(high, _mm256_set1_epi32(0x40)), is_nan);
    __m256i is_tiny = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x00800000), magnitude);
    return _mm256_blendv_epi8(y, _mm256_and_si256(high, _mm256_set1_epi32(0x8000)), is_tiny);
}
SIMD_INLINE __m256i v16_to_bf16(v16 x) {
    __m256i mixed = _mm256_packus_epi32(v16_round_bf16_(x.lo), v16_round_bf16_(x.hi));
    return _mm256_permute4x64_epi64(mixed, 0xd8);
}
SIMD_INLINE void v16_store_bf16(void *p, v16 x) {
    _mm256_storeu_si256((__m256i *)p, v16_to_bf16(x));
}
SIMD_INLINE void v16_store_bf16_n(void *p, v16 x, int n) {
    uint16_t lanes[16];
    v16_store_bf16(lanes, x);
    memcpy(p, lanes, (size_t)n * sizeof lanes[0]);
}

/* 32 16-bit floats, a's first: nearest even; of f16 denormals are kept, and a NaN is the quiet one
 * of its sign without payload, as tensor/dtype.h has it. */
SIMD_INLINE __m256i v16_to_f16_(v16 x) {
    __m256i h = _mm256_setr_m128i(_mm256_cvtps_ph(x.lo, _MM_FROUND_TO_NEAREST_INT),
                                  _mm256_cvtps_ph(x.hi, _MM_FROUND_TO_NEAREST_INT));
    __m256i magnitude = _mm256_and_si256(h, _mm256_set1_epi16(0x7fff));
    __m256i is_nan = _mm256_cmpgt_epi16(magnitude, _mm256_set1_epi16(0x7c00));
    return _mm256_andnot_si256(_mm256_and_si256(is_nan, _mm256_set1_epi16(0x01ff)), h);
}
SIMD_INLINE v16i v16i_pack_f16(v16 a, v16 b) { return (v16i){v16_to_f16_(a), v16_to_f16_(b)}; }
SIMD_INLINE v16i v16i_pack_bf16(v16 a, v16 b) { return (v16i){v16_to_bf16(a), v16_to_bf16(b)}; }

/* ---- pairs of bf16 ---- */

/* The first and second of each pair as floats. */
SIMD_INLINE v16 v16_pair_even(v16i x) {
    return (v16){_mm256_castsi256_ps(_mm256_slli_epi32(x.lo, 16)),
                 _mm256_castsi256_ps(_mm256_slli_epi32(x.hi, 16))};
}
SIMD_INLINE v16 v16_pair_odd(v16i x) {
    __m256i high = _mm256_set1_epi32((int)0xffff0000u);
    return (v16){_mm256_castsi256_ps(_mm256_and_si256(x.lo, high)),
                 _mm256_castsi256_ps(_mm256_and_si256(x.hi, high))};
}
/* acc = fma(w odd, x odd, acc), then fma(w even, x even, acc), lane by lane. */
SIMD_INLINE v16 v16_dpbf16(v16 acc, v16i w, v16i x) {
    acc = v16_fma(v16_pair_odd(w), v16_pair_odd(x), acc);
    return v16_fma(v16_pair_even(w), v16_pair_even(x), acc);
}
/* One pair in all lanes. */
SIMD_INLINE v16i v16i_set1_pair(const uint16_t *pair) {
    int32_t both;
    memcpy(&both, pair, sizeof both);
    return v16i_set1(both);
}
/* The low halves of a and b as pairs; the high halves. */
SIMD_INLINE v16i v16i_low_halves(v16i a, v16i b) {
    return (v16i){_mm256_blend_epi16(a.lo, _mm256_slli_epi32(b.lo, 16), 0xaa),
                  _mm256_blend_epi16(a.hi, _mm256_slli_epi32(b.hi, 16), 0xaa)};
}
SIMD_INLINE v16i v16i_high_halves(v16i a, v16i b) {
    return (v16i){_mm256_blend_epi16(_mm256_srli_epi32(a.lo, 16), b.lo, 0xaa),
                  _mm256_blend_epi16(_mm256_srli_epi32(a.hi, 16), b.hi, 0xaa)};
}
/* Pairs whose second element counts as +0. */
SIMD_INLINE v16i v16i_drop_odd(v16i x) {
    __m256i low = _mm256_set1_epi32(0x0000ffff);
    return (v16i){_mm256_and_si256(x.lo, low), _mm256_and_si256(x.hi, low)};
}

#endif
