/* Vectors of quants from codebooks (tensor/codebook.h), 64 at a time, for the frame of
 * kernel/cpu/linear_q256.h.
 *
 * Entries are fetched one by one: nearly as fast as a gather where that is fast, and several times
 * faster elsewhere. Their places are computed side by side, and go through memory. */
#ifndef JL_KERNEL_CPU_LINEAR_BOOK_H
#define JL_KERNEL_CPU_LINEAR_BOOK_H

#include "kernel/cpu/linear_q256.h"
#include "tensor/codebook.h"

/* What a type's look() leaves for quants(): the places of all entries of a superblock, and its
 * signs, or whatever else tells the groups apart. */
struct book_look {
    uint16_t at[64];
    uint64_t signs[4];
};
_Static_assert(sizeof(struct book_look) <= Q256_LOOK, "look() has that much room");

SIMD_INLINE const struct book_look *book_seen(const uint8_t *p) {
    return (const struct book_look *)(const void *)p;
}
SIMD_INLINE struct book_look *book_out(uint8_t *p) { return (struct book_look *)(void *)p; }

/* ---- entries ---- */

/* Each entry is broadcast by its load, and blended in: blends find a free port where shuffles, of
 * which the rest has many, would wait for theirs. */
SIMD_INLINE __m256i book_half_of_eights(const uint64_t *book, const uint16_t at[4]) {
    __m256i x[4];
    SIMD_UNROLL
    for (int i = 0; i < 4; i++)
        x[i] = _mm256_set1_epi64x((int64_t)book[at[i]]);
    __m256i a = _mm256_blend_epi32(x[0], x[1], 0x0c), b = _mm256_blend_epi32(x[2], x[3], 0xc0);
    return _mm256_blend_epi32(a, b, 0xf0);
}

/* Vector c of a superblock of 32 entries. */
SIMD_INLINE v16i book_eights(const uint64_t *book, const struct book_look *seen, int c) {
    const uint16_t *at = seen->at + 8 * c;
    return v16i_halves(book_half_of_eights(book, at), book_half_of_eights(book, at + 4));
}

SIMD_INLINE __m256i book_half_of_fours(const uint32_t *book, const uint16_t at[8]) {
    __m256i x[8];
    SIMD_UNROLL
    for (int i = 0; i < 8; i++)
        x[i] = _mm256_set1_epi32((int)book[at[i]]);
    __m256i a = _mm256_blend_epi32(x[0], x[1], 0x02), b = _mm256_blend_epi32(x[2], x[3], 0x08);
    __m256i c = _mm256_blend_epi32(x[4], x[5], 0x20), d = _mm256_blend_epi32(x[6], x[7], 0x80);
    return _mm256_blend_epi32(_mm256_blend_epi32(a, b, 0x0c), _mm256_blend_epi32(c, d, 0xc0), 0xf0);
}

/* Vector c of a superblock of 64 entries. */
SIMD_INLINE v16i book_fours(const uint32_t *book, const struct book_look *seen, int c) {
    const uint16_t *at = seen->at + 16 * c;
    return v16i_halves(book_half_of_fours(book, at), book_half_of_fours(book, at + 8));
}

/* ---- places ---- */

SIMD_INLINE void book_store(void *p, __m256i x) { _mm256_storeu_si256((__m256i *)p, x); }

/* Sixteen bytes as words. */
SIMD_INLINE __m256i book_words(const uint8_t *p) { return _mm256_cvtepu8_epi16(q_load16(p)); }

/* Sixteen places: low[i], and above it bits `mask` of factor[i] times the byte or word of `high`
 * that `spread` (by byte, 0x80 for none) puts into word i; then shifted right by `down`. */
SIMD_INLINE __m256i book_places(const uint8_t *low, __m256i high, __m256i spread, __m256i factor,
                                int down, int mask) {
    __m256i moved = _mm256_mullo_epi16(_mm256_shuffle_epi8(high, spread), factor);
    __m256i above =
        _mm256_and_si256(_mm256_srli_epi16(moved, down), _mm256_set1_epi16((short)mask));
    return _mm256_or_si256(book_words(low), above);
}

SIMD_INLINE __m256i book_all32(const uint8_t *p) { return _mm256_set1_epi32(q_load_i32(p)); }
SIMD_INLINE __m256i book_all64(const uint8_t *p) {
    int64_t x;
    memcpy(&x, p, sizeof x);
    return _mm256_set1_epi64x(x);
}

/* ---- signs: bit i of 64 negates byte i; what comes out is that much above `offset` ---- */

#if defined(JINLIN_LEVEL_AVX512)
SIMD_INLINE v16i book_signed(v16i size, uint64_t signs, unsigned offset) {
    v16i base = v16i_set8(offset);
    return _mm512_mask_sub_epi8(_mm512_add_epi8(base, size), (__mmask64)signs, base, size);
}
#else
SIMD_INLINE __m256i book_signed_half_(__m256i size, uint32_t signs, unsigned offset) {
    const __m256i place = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                           2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bit = _mm256_set1_epi64x((int64_t)UINT64_C(0x8040201008040201));
    __m256i mine = _mm256_shuffle_epi8(_mm256_set1_epi32((int)signs), place);
    __m256i minus = _mm256_cmpeq_epi8(_mm256_and_si256(mine, bit), bit); // -1: negate
    __m256i turned = _mm256_sub_epi8(_mm256_xor_si256(size, minus), minus);
    return _mm256_add_epi8(turned, _mm256_set1_epi8((char)offset));
}
SIMD_INLINE v16i book_signed(v16i size, uint64_t signs, unsigned offset) {
    return (v16i){book_signed_half_(size.lo, (uint32_t)signs, offset),
                  book_signed_half_(size.hi, (uint32_t)(signs >> 32), offset)};
}
#endif

/* Seven signs a byte, completed: the eighth makes the number of set bits even. */
SIMD_INLINE __m256i book_parity(__m256i sevens) {
    const __m256i odd = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -128, -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0));
    __m256i folded = _mm256_xor_si256(sevens, _mm256_srli_epi16(sevens, 4));
    folded = _mm256_and_si256(folded, _mm256_set1_epi8(15));
    return _mm256_or_si256(sevens, _mm256_shuffle_epi8(odd, folded));
}

/* Signs of 32 groups, four sevens from the low bits of each int32. */
SIMD_INLINE __m256i book_sevens(__m256i words) {
    __m256i high = _mm256_and_si256(words, _mm256_set1_epi32(0x0fffc000));
    __m256i fourteens = _mm256_or_si256(_mm256_and_si256(words, _mm256_set1_epi32(0x3fff)),
                                        _mm256_slli_epi32(high, 2));
    high = _mm256_and_si256(fourteens, _mm256_set1_epi16(0x3f80));
    return book_parity(_mm256_or_si256(_mm256_and_si256(fourteens, _mm256_set1_epi16(0x7f)),
                                       _mm256_slli_epi16(high, 1)));
}

/* ---- headers ---- */

/* The f16 that starts each row's block. */
SIMD_INLINE v16 book_d(const struct q_rows *rows, size_t at) {
    v16i row[4];
    SIMD_UNROLL
    for (int i = 0; i < 4; i++)
        row[i] = q_gather16(rows, i, at);
    return v16_from_f16_low(v16i_unlo64(v16i_unlo32(row[0], row[1]), v16i_unlo32(row[2], row[3])));
}

/* Scales 2s + 1 from bytes s. */
SIMD_INLINE v16i book_odd(v16i s) { return v16i_or(v16i_add16(s, s), v16i_set8(1)); }

/* Nibbles of bytes 8 .. 15 of each quarter, in order. */
SIMD_INLINE v16i book_nibbles(v16i x) {
    v16i low = v16i_and(x, v16i_set8(15)), high = v16i_and(v16i_srl16(x, 4), v16i_set8(15));
    return v16i_unhi8(low, high);
}

#endif
