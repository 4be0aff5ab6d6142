/* kernel/cpu/linear_q.h on x86: vectors of small integers. */
#ifndef JL_KERNEL_CPU_SIMD_Q_X86_H
#define JL_KERNEL_CPU_SIMD_Q_X86_H

/* ---- 64 bytes ---- */

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
SIMD_INLINE v16i v16i_halves(v8i lo, v8i hi) {
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
SIMD_INLINE v16i v16i_quarters(v4i a, v4i b, v4i c, v4i d) {
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
SIMD_INLINE v16i v16i_halves(v8i lo, v8i hi) { return (v16i){lo, hi}; }
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
SIMD_INLINE v16i v16i_quarters(v4i a, v4i b, v4i c, v4i d) {
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

/* Adds 16 to a byte, whose bit 4 is clear, where `chosen` has its one of `bits`. */
#if defined(JINLIN_LEVEL_AVX512)
SIMD_INLINE v16i v16i_add_bit4(v16i w, v16i chosen, v16i bits) {
    return _mm512_mask_add_epi8(w, _mm512_test_epi8_mask(chosen, bits), w, _mm512_set1_epi8(16));
}
#else
SIMD_INLINE __m256i v16i_add_bit4_half_(__m256i w, __m256i chosen, __m256i bits) {
    __m256i is_set = _mm256_cmpeq_epi8(_mm256_and_si256(chosen, bits), bits);
    return _mm256_or_si256(w, _mm256_and_si256(is_set, _mm256_set1_epi8(16)));
}
SIMD_INLINE v16i v16i_add_bit4(v16i w, v16i chosen, v16i bits) {
    return (v16i){v16i_add_bit4_half_(w.lo, chosen.lo, bits.lo),
                  v16i_add_bit4_half_(w.hi, chosen.hi, bits.hi)};
}
#endif

/* The bytes of x, negated where their bit of `signs` is set, plus `offset`. */
#if defined(JINLIN_LEVEL_AVX512)
SIMD_INLINE v16i v16i_negate8(v16i size, uint64_t signs, unsigned offset) {
    v16i base = v16i_set8(offset);
    return _mm512_mask_sub_epi8(_mm512_add_epi8(base, size), (__mmask64)signs, base, size);
}
#else
SIMD_INLINE __m256i v16i_negate8_half_(__m256i size, uint32_t signs, unsigned offset) {
    const __m256i place = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                           2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bit = _mm256_set1_epi64x((int64_t)UINT64_C(0x8040201008040201));
    __m256i mine = _mm256_shuffle_epi8(_mm256_set1_epi32((int)signs), place);
    __m256i minus = _mm256_cmpeq_epi8(_mm256_and_si256(mine, bit), bit); // -1: negate
    __m256i turned = _mm256_sub_epi8(_mm256_xor_si256(size, minus), minus);
    return _mm256_add_epi8(turned, _mm256_set1_epi8((char)offset));
}
SIMD_INLINE v16i v16i_negate8(v16i size, uint64_t signs, unsigned offset) {
    return (v16i){v16i_negate8_half_(size.lo, (uint32_t)signs, offset),
                  v16i_negate8_half_(size.hi, (uint32_t)(signs >> 32), offset)};
}
#endif

/* ---- dots ---- */

/* Sums of products that do not end a block yet, and what they add to its sum once they are scaled:
 * int32 times an int32 scale, or, without VNNI, pairs of int16 times a pair of equal int16 scales.
 * On AVX2 int16 holds q_run_steps() products of weights up to `most`. */
#if defined(JINLIN_LEVEL_AVX512)
SIMD_INLINE v16i q_sub_dot(v16i acc, v16i w, v16i x) { return _mm512_dpbusd_epi32(acc, w, x); }
SIMD_INLINE v16i q_add_scaled(v16i total, v16i sub, v16i scale) {
    return v16i_add32(total, v16i_mul32(sub, scale));
}
SIMD_INLINE int q_run_steps(int most, int steps) { return (void)most, steps; }
#else
SIMD_INLINE v16i q_sub_dot(v16i acc, v16i w, v16i x) {
    return v16i_settle(v16i_add16(acc, v16i_maddubs(w, x)));
}
SIMD_INLINE v16i q_add_scaled(v16i total, v16i sub, v16i scale) {
    return v16i_dot16(total, sub, scale);
}
SIMD_INLINE int q_run_steps(int most, int steps) {
    int fit = 32767 / (2 * 127 * most), run = 1;
    while (2 * run <= fit && 2 * run <= steps)
        run *= 2;
    return run;
}
#endif

/* The same for signed weights. AVX-512 multiplies unsigned by signed bytes: weights are stored
 * Q_SIGNED_BIAS too high, which that many times the sum of the activations takes back. AVX2
 * multiplies |w| by x with the sign of w. */
#if defined(JINLIN_LEVEL_AVX512) && !defined(JINLIN_LEVEL_AMX)
enum { Q_SIGNED_BIAS = 128 };
SIMD_INLINE v16i q_signed(v16i w) { return v16i_xor(w, v16i_set8(128)); }
SIMD_INLINE v16i q_signed_sub_dot(v16i acc, v16i w, v16i x) { return q_sub_dot(acc, w, x); }
#else
enum { Q_SIGNED_BIAS = 0 };
SIMD_INLINE v16i q_signed(v16i w) { return w; }
SIMD_INLINE v16i q_signed_sub_dot(v16i acc, v16i w, v16i x) {
    return q_sub_dot(acc, v16i_abs8(w), v16i_sign8(x, w));
}
#endif

/* a + the products of 64 quants with activations, pairs of them times a pair of int16 scales. */
SIMD_INLINE v16i q_dot_scaled(v16i a, v16i q, v16i x, bool is_signed, v16i scale) {
    v16i pairs = v16i_maddubs(is_signed ? v16i_abs8(q) : q, is_signed ? v16i_sign8(x, q) : x);
    return v16i_settle(v16i_dot16(a, pairs, scale));
}

/* ---- 32 and 16 bytes ---- */

/* The sums of eight pairs. */
SIMD_INLINE void q_add_pairs16(const int16_t *x, int16_t *out) {
    v8i wide = _mm256_madd_epi16(_mm256_loadu_si256((const __m256i *)x), _mm256_set1_epi16(1));
    v4i low = _mm256_castsi256_si128(wide), high = _mm256_extracti128_si256(wide, 1);
    _mm_storeu_si128((__m128i *)out, _mm_packs_epi32(low, high));
}

SIMD_INLINE v4i q_load16(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)p); }
SIMD_INLINE v8i q_load32(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
SIMD_INLINE void v4i_store(void *p, v4i x) { _mm_storeu_si128((__m128i *)p, x); }
SIMD_INLINE void v8i_store(void *p, v8i x) { _mm256_storeu_si256((__m256i *)p, x); }
SIMD_INLINE v4i v4i_set16(int x) { return _mm_set1_epi16((short)x); }
SIMD_INLINE v8i v8i_set8(int x) { return _mm256_set1_epi8((char)x); }
SIMD_INLINE v8i v8i_set16(int x) { return _mm256_set1_epi16((short)x); }
SIMD_INLINE v8i v8i_set32(int32_t x) { return _mm256_set1_epi32(x); }
SIMD_INLINE v8i v8i_set64(int64_t x) { return _mm256_set1_epi64x(x); }
SIMD_INLINE v8i v8i_twice(v4i x) { return _mm256_broadcastsi128_si256(x); }
SIMD_INLINE v8i v8i_and(v8i a, v8i b) { return _mm256_and_si256(a, b); }
SIMD_INLINE v8i v8i_or(v8i a, v8i b) { return _mm256_or_si256(a, b); }
SIMD_INLINE v8i v8i_xor(v8i a, v8i b) { return _mm256_xor_si256(a, b); }
SIMD_INLINE v8i v8i_mul16(v8i a, v8i b) { return _mm256_mullo_epi16(a, b); }
SIMD_INLINE v8i v8i_srl16(v8i a, int bits) { return _mm256_srli_epi16(a, bits); }
SIMD_INLINE v8i v8i_sll16(v8i a, int bits) { return _mm256_slli_epi16(a, bits); }
SIMD_INLINE v8i v8i_sll32(v8i a, int bits) { return _mm256_slli_epi32(a, bits); }
SIMD_INLINE v8i v8i_shuffle8(v8i a, v8i at) { return _mm256_shuffle_epi8(a, at); } // within halves
SIMD_INLINE v8i v8i_words(v4i bytes) { return _mm256_cvtepu8_epi16(bytes); }
/* 32 words below 256, in order, as bytes. */
SIMD_INLINE v8i v8i_bytes(v8i a, v8i b) {
    return _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xd8);
}
/* The dwords of even and of odd index of 64 bytes. */
SIMD_INLINE void v8i_unzip32(const void *p, v8i *even, v8i *odd) {
    __m256 a = _mm256_loadu_ps((const float *)p), b = _mm256_loadu_ps((const float *)p + 8);
    __m256d first = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88));
    __m256d second = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0xdd));
    *even = _mm256_castpd_si256(_mm256_permute4x64_pd(first, 0xd8));
    *odd = _mm256_castpd_si256(_mm256_permute4x64_pd(second, 0xd8));
}
SIMD_INLINE v4i v8i_low(v8i x) { return _mm256_castsi256_si128(x); }
SIMD_INLINE v4i v8i_high(v8i x) { return _mm256_extracti128_si256(x, 1); }

/* Four entries of eight bytes. Each is broadcast by its load and blended in: blends find a free
 * port where shuffles, of which the rest has many, would wait for theirs. */
SIMD_INLINE v8i v8i_fetch64(const uint64_t *book, const uint16_t at[4]) {
    v8i x[4];
    SIMD_UNROLL
    for (int i = 0; i < 4; i++)
        x[i] = _mm256_set1_epi64x((int64_t)book[at[i]]);
    v8i a = _mm256_blend_epi32(x[0], x[1], 0x0c), b = _mm256_blend_epi32(x[2], x[3], 0xc0);
    return _mm256_blend_epi32(a, b, 0xf0);
}
/* Eight entries of four bytes. */
SIMD_INLINE v8i v8i_fetch32(const uint32_t *book, const uint16_t at[8]) {
    v8i x[8];
    SIMD_UNROLL
    for (int i = 0; i < 8; i++)
        x[i] = _mm256_set1_epi32((int)book[at[i]]);
    v8i a = _mm256_blend_epi32(x[0], x[1], 0x02), b = _mm256_blend_epi32(x[2], x[3], 0x08);
    v8i c = _mm256_blend_epi32(x[4], x[5], 0x20), d = _mm256_blend_epi32(x[6], x[7], 0x80);
    return _mm256_blend_epi32(_mm256_blend_epi32(a, b, 0x0c), _mm256_blend_epi32(c, d, 0xc0), 0xf0);
}

/* 2^(e - 128) of 16 e: e - 1 is the exponent of a float; 0 and 1 would be denormal, which counts as
 * zero; 255 is NaN. */
SIMD_INLINE v16 v16_from_e8m0(const uint8_t e[16]) {
    uint32_t bits[16];
    v4i code = q_load16(e), exponent = _mm_subs_epu8(code, _mm_set1_epi8(1));
    v4i nan = _mm_cmpeq_epi8(code, _mm_set1_epi8(-1));
    SIMD_UNROLL
    for (int i = 0; i < 2; i++) {
        v8i quiet = _mm256_and_si256(_mm256_cvtepi8_epi32(nan), _mm256_set1_epi32(0x7fc00000));
        v8i number = _mm256_slli_epi32(_mm256_cvtepu8_epi32(exponent), 23);
        _mm256_storeu_si256((__m256i *)bits + i, _mm256_or_si256(number, quiet));
        exponent = _mm_srli_si128(exponent, 8);
        nan = _mm_srli_si128(nan, 8);
    }
    return v16_load((const float *)(const void *)bits);
}

/* ---- activations ---- */

/* 16 floats to int8, clamped; their sum. The clamp is done on floats: what is out of int32's range
 * would convert to its smallest value. */
SIMD_INLINE v4i q_round16(v16 x, v16 inverse) {
#if defined(JINLIN_LEVEL_AVX512)
    v16 scaled = _mm512_mul_ps(x, inverse);
    scaled = _mm512_max_ps(_mm512_min_ps(scaled, v16_set1(127)), v16_set1(-127));
    return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(scaled));
#else
    v16 scaled = v16_mul(x, inverse);
    const __m256 most = _mm256_set1_ps(127), least = _mm256_set1_ps(-127);
    __m256 a = _mm256_max_ps(_mm256_min_ps(scaled.lo, most), least);
    __m256 b = _mm256_max_ps(_mm256_min_ps(scaled.hi, most), least);
    __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b));
    words = _mm256_permute4x64_epi64(words, 0xd8);
    return _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
#endif
}

SIMD_INLINE int q_sum16(v4i q) {
    __m128i unsigned_q = _mm_xor_si128(q, _mm_set1_epi8(-128));
    __m128i sums = _mm_sad_epu8(unsigned_q, _mm_setzero_si128());
    return _mm_cvtsi128_si32(sums) + _mm_extract_epi16(sums, 4) - 16 * 128;
}

/* |x| as integers: their order is that of the values, NaN above all. */
SIMD_INLINE v16i q_max_bits(v16i most, v16 x) {
    v16i bits = v16i_and(v16_bits(x), v16i_set1(0x7fffffff));
#if defined(JINLIN_LEVEL_AVX512)
    return _mm512_max_epi32(most, bits);
#else
    return (v16i){_mm256_max_epi32(most.lo, bits.lo), _mm256_max_epi32(most.hi, bits.hi)};
#endif
}
SIMD_INLINE uint32_t q_reduce_max(v16i x) {
#if defined(JINLIN_LEVEL_AVX512)
    return (uint32_t)_mm512_reduce_max_epi32(x);
#else
    __m256i a = _mm256_max_epi32(x.lo, x.hi);
    __m128i b = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    b = _mm_max_epi32(b, _mm_shuffle_epi32(b, 0x4e));
    return (uint32_t)_mm_cvtsi128_si32(_mm_max_epi32(b, _mm_shuffle_epi32(b, 0xb1)));
#endif
}

#endif
