/* Linear steps of MXFP4 weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_q32.h"
#include "kernel/fill.h"
#include "tensor/codebook.h"

enum { BYTES = 17, OFFSET = 16 };

/* 2^(e - 128): e - 1 is the exponent of a float; 0 and 1 would be denormal, which counts as zero;
 * 255 is NaN. */
SIMD_INLINE v16 scales(const struct q_rows *rows, size_t at) {
    uint8_t e[16];
    uint32_t bits[16];
    SIMD_UNROLL
    for (int i = 0; i < 8; i++) {
        e[i] = rows->p[i][at];
        e[i + 8] = rows->p[i + 8][at];
    }
    __m128i code = q_load16(e), exponent = _mm_subs_epu8(code, _mm_set1_epi8(1));
    __m128i nan = _mm_cmpeq_epi8(code, _mm_set1_epi8(-1));
    SIMD_UNROLL
    for (int i = 0; i < 2; i++) {
        __m256i quiet = _mm256_and_si256(_mm256_cvtepi8_epi32(nan), _mm256_set1_epi32(0x7fc00000));
        __m256i number = _mm256_slli_epi32(_mm256_cvtepu8_epi32(exponent), 23);
        _mm256_storeu_si256((__m256i *)bits + i, _mm256_or_si256(number, quiet));
        exponent = _mm_srli_si128(exponent, 8);
        nan = _mm_srli_si128(nan, 8);
    }
    return v16_load((const float *)(const void *)bits);
}

SIMD_INLINE void unpack(const struct q_rows *rows, size_t at, struct q32_block *out) {
    const v16i book = v16i_add8(v16i_load_16x4(codebook_fp4), v16i_set8(OFFSET));
    q32_nibbles(rows, at + MXFP4_Q, out->w);
    SIMD_UNROLL
    for (int i = 0; i < 8; i++)
        out->w[i] = v16i_shuffle8(book, out->w[i]);
    out->d = scales(rows, at);
}

static const struct q32_form form = {
    .bytes = BYTES,
    .most = OFFSET + 12,
    .offset = OFFSET,
    .unpack = unpack,
};

Q_BODIES(q32, form)

enum { GEMM_ROWS = 5 };

void LEVEL_FN(fill_linear_mxfp4)(struct kernel_table *table) {
    static const struct linear_body bodies[] = {
        {gemv, LEVEL_STR("gemv_mxfp4"), NULL, 16},
        {gemm, LEVEL_STR("gemm_mxfp4"), scratch_bytes, 16 * Q_WIDTH},
    };
    q_fill(table, DTYPE_MXFP4, GEMM_ROWS, bodies);
}
