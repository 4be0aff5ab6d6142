/* Activations into the Q8 forms; kernel/ref/xconv.c is the readable form. */
#include "kernel/cpu/linear_q.h"
#include "kernel/fill.h"

#include <math.h>

/* 16 floats to int8, clamped; their sum. The clamp is done on floats: what is out of int32's range
 * would convert to its smallest value. */
SIMD_INLINE __m128i round16(v16 x, v16 inverse) {
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

SIMD_INLINE int sum16(__m128i q) {
    __m128i unsigned_q = _mm_xor_si128(q, _mm_set1_epi8(-128));
    __m128i sums = _mm_sad_epu8(unsigned_q, _mm_setzero_si128());
    return _mm_cvtsi128_si32(sums) + _mm_extract_epi16(sums, 4) - 16 * 128;
}

/* |x| as integers: their order is that of the values, NaN above all. */
SIMD_INLINE v16i max_bits(v16i most, v16 x) {
    v16i bits = v16i_and(v16_bits(x), v16i_set1(0x7fffffff));
#if defined(JINLIN_LEVEL_AVX512)
    return _mm512_max_epi32(most, bits);
#else
    return (v16i){_mm256_max_epi32(most.lo, bits.lo), _mm256_max_epi32(most.hi, bits.hi)};
#endif
}
SIMD_INLINE uint32_t reduce_max(v16i x) {
#if defined(JINLIN_LEVEL_AVX512)
    return (uint32_t)_mm512_reduce_max_epi32(x);
#else
    __m256i a = _mm256_max_epi32(x.lo, x.hi);
    __m128i b = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    b = _mm_max_epi32(b, _mm_shuffle_epi32(b, 0x4e));
    return (uint32_t)_mm_cvtsi128_si32(_mm_max_epi32(b, _mm_shuffle_epi32(b, 0xb1)));
#endif
}

SIMD_INLINE void quantize_row(const float *x, uint8_t *row, int n, enum xfmt fmt, int size) {
    const struct xrow_layout layout = xrow_layout(fmt, n);
    float *d = (float *)(void *)(row + layout.d_at);
    int16_t *sum = (int16_t *)(void *)(row + layout.sum_at);
    for (int at = 0; at < n; at += size) {
        v16i most_bits = v16i_zero();
        for (int i = 0; i < size; i += 16)
            most_bits = max_bits(most_bits, v16_load(x + at + i));
        uint32_t most = reduce_max(most_bits);
        float amax;
        memcpy(&amax, &most, sizeof amax);
        bool finite = most < 0x7f800000u;
        float step = finite ? amax / 127.0f : NAN;
        d[at / size] = step;
        if (!finite || step == 0) {
            memset(row + at, 0, (size_t)size);
            memset(&sum[at / 16], 0, (size_t)size / 16 * sizeof sum[0]);
            continue;
        }
        v16 inverse = v16_set1(127.0f / amax);
        for (int i = at; i < at + size; i += 16) {
            __m128i q = round16(v16_load(x + i), inverse);
            _mm_storeu_si128((__m128i *)(row + i), q);
            sum[i / 16] = (int16_t)sum16(q);
        }
    }
}

static void to_q8_32(const float *x, void *row, int n) { quantize_row(x, row, n, XFMT_Q8_32, 32); }
static void to_q8_256(const float *x, void *row, int n) {
    quantize_row(x, row, n, XFMT_Q8_256, 256);
}

void LEVEL_FN(fill_xconv_q)(struct kernel_table *table) {
    table->to_q8_32 = to_q8_32;
    table->to_q8_256 = to_q8_256;
    table->row_name[KSLOT_to_q8_32] = LEVEL_STR("to_q8_32");
    table->row_name[KSLOT_to_q8_256] = LEVEL_STR("to_q8_256");
}
