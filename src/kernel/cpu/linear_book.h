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

/* Vector c of a superblock of 32 entries. */
SIMD_INLINE v16i book_eights(const uint64_t *book, const struct book_look *seen, int c) {
    const uint16_t *at = seen->at + 8 * c;
    return v16i_halves(v8i_fetch64(book, at), v8i_fetch64(book, at + 4));
}

/* Vector c of a superblock of 64 entries. */
SIMD_INLINE v16i book_fours(const uint32_t *book, const struct book_look *seen, int c) {
    const uint16_t *at = seen->at + 16 * c;
    return v16i_halves(v8i_fetch32(book, at), v8i_fetch32(book, at + 8));
}

/* ---- places ---- */

/* Sixteen bytes as words. */
SIMD_INLINE v8i book_words(const uint8_t *p) { return v8i_words(q_load16(p)); }

/* Sixteen places: low[i], and above it bits `mask` of factor[i] times the byte or word of `high`
 * that `spread` (by byte, 0x80 for none) puts into word i; then shifted right by `down`. */
SIMD_INLINE v8i book_places(const uint8_t *low, v8i high, v8i spread, v8i factor, int down,
                            int mask) {
    v8i moved = v8i_mul16(v8i_shuffle8(high, spread), factor);
    v8i above = v8i_and(v8i_srl16(moved, down), v8i_set16(mask));
    return v8i_or(book_words(low), above);
}

SIMD_INLINE v8i book_all32(const uint8_t *p) { return v8i_set32(q_load_i32(p)); }
SIMD_INLINE v8i book_all64(const uint8_t *p) {
    int64_t x;
    memcpy(&x, p, sizeof x);
    return v8i_set64(x);
}

/* ---- signs: bit i of 64 negates byte i; what comes out is that much above `offset` ---- */

SIMD_INLINE v16i book_signed(v16i size, uint64_t signs, unsigned offset) {
    return v16i_negate8(size, signs, offset);
}

/* Seven signs a byte, completed: the eighth makes the number of set bits even. */
SIMD_INLINE v8i book_parity(v8i sevens) {
    static const uint8_t eighth[16] = {0,   128, 128, 0,   128, 0,   0,   128,
                                       128, 0,   0,   128, 0,   128, 128, 0};
    const v8i odd = v8i_twice(q_load16(eighth));
    v8i folded = v8i_xor(sevens, v8i_srl16(sevens, 4));
    folded = v8i_and(folded, v8i_set8(15));
    return v8i_or(sevens, v8i_shuffle8(odd, folded));
}

/* Signs of 32 groups, four sevens from the low bits of each int32. */
SIMD_INLINE v8i book_sevens(v8i words) {
    v8i high = v8i_and(words, v8i_set32(0x0fffc000));
    v8i fourteens = v8i_or(v8i_and(words, v8i_set32(0x3fff)), v8i_sll32(high, 2));
    high = v8i_and(fourteens, v8i_set16(0x3f80));
    return book_parity(v8i_or(v8i_and(fourteens, v8i_set16(0x7f)), v8i_sll16(high, 1)));
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
