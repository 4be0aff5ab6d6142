/* Linear steps of IQ1_M weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_book.h"
#include "kernel/fill.h"

enum { BYTES = 56, OFFSET = 16 };

/* 4 x 3 bits of each word, the top four left out, as bytes. */
SIMD_INLINE v16i threes(v16i words) { // one an int32
    v16i sixes =
        v16i_or_and(v16i_and(words, v16i_set1(0x3f)), v16i_sll32(words, 10), v16i_set1(0x3f0000));
    return v16i_or_and(v16i_and(sixes, v16i_set1(0x070007)), v16i_sll32(sixes, 5),
                       v16i_set1(0x07000700));
}

SIMD_INLINE void header(const struct q_rows *rows, size_t at, struct q256_header *h) {
    const v16i widen = v16i_load_16x4(
        (const uint8_t[16]){8, 9, 128, 128, 10, 11, 128, 128, 12, 13, 128, 128, 14, 15, 128, 128});
    v16i row[4];
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        row[i] = q_gather16(rows, i, at + BYTES - 16);
        h->scale[i] = book_odd(threes(v16i_shuffle8(row[i], widen)));
    }
    q_transpose(row); // columns 2 and 3: two words each, whose top nibbles make d
    v16i d = v16i_and(v16i_srl32(row[2], 12), v16i_set1(0xf));
    d = v16i_or_and(d, v16i_srl32(row[2], 24), v16i_set1(0xf0));
    d = v16i_or_and(d, v16i_srl32(row[3], 4), v16i_set1(0xf00));
    d = v16i_or_and(d, v16i_srl32(row[3], 16), v16i_set1(0xf000));
    h->d = v16_mul(v16_from_f16_low(d), v16_set1(0.125f));
}

/* What is added to 8 * grid in each of eight groups: OFFSET and one more, or one less where bit 3
 * of the group's nibble is set. Two groups a 128-bit lane. */
SIMD_INLINE v16i shifts(uint32_t nibbles) {
    static const uint8_t byte[64] = {
#define Q8_(x) x, x, x, x, x, x, x, x
        Q8_(0), Q8_(0), Q8_(1), Q8_(1), Q8_(2), Q8_(2), Q8_(3), Q8_(3),
#undef Q8_
    };
    static const uint8_t bit[16] = {8, 8, 8, 8, 8, 8, 8, 8, 128, 128, 128, 128, 128, 128, 128, 128};
    v16i mine =
        v16i_and(v16i_shuffle8(v16i_set1((int32_t)nibbles), v16i_load(byte)), v16i_load_16x4(bit));
    v16i down = v16i_and(v16i_or(v16i_srl16(mine, 2), v16i_srl16(mine, 6)), v16i_set8(2)); // 2 or 0
    return v16i_sub8(v16i_set8(OFFSET + 1), down);
}

/* `signs` are the nibbles of all groups. */
SIMD_INLINE void look(const uint8_t *block, uint8_t *out) {
    static const uint8_t spread_at[32] = {0, 0x80, 0, 0x80, 1, 0x80, 1, 0x80, 2, 0x80, 2, 0x80,
                                          3, 0x80, 3, 0x80, 4, 0x80, 4, 0x80, 5, 0x80, 5, 0x80,
                                          6, 0x80, 6, 0x80, 7, 0x80, 7, 0x80};
    const v8i spread = q_load32(spread_at);
    const v8i factor = v8i_set32(0x00100100); // 2^8, 2^4
    SIMD_UNROLL
    for (int h = 0; h < 2; h++)
        v8i_store(book_out(out)->at + 16 * h,
                  book_places(block + 16 * h, book_all64(block + IQ1_M_HIGH + 8 * h), spread,
                              factor, 0, 0x700));
    v4i_store(book_out(out)->signs, q_load16(block + IQ1_M_HIGH));
}

SIMD_INLINE v16i quants(const uint8_t *p, int c) {
    const struct book_look *seen = book_seen(p);
    uint32_t nibbles;
    memcpy(&nibbles, (const uint8_t *)seen->signs + 4 * c, sizeof nibbles);
    return v16i_add8(book_eights(codebook_iq1, seen, c), shifts(nibbles));
}

static const struct q256_form form = {
    .bytes = BYTES,
    .n_sub = 16,
    .quant_most = 9,
    .scale_most = 15,
    .most = OFFSET + 9,
    .offset = OFFSET,
    .order = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    .header = header,
    .quants = quants,
    .look = look,
};

Q_BODIES(q256, form)

enum { GEMM_ROWS = 5 };

Q_FILL(iq1_m, DTYPE_IQ1_M, GEMM_ROWS)
