/* Linear steps of IQ3_S weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_book.h"
#include "kernel/fill.h"

enum { BYTES = 110, OFFSET = 16 };

SIMD_INLINE void header(const struct q_rows *rows, size_t at, struct q256_header *h) {
    const v16i last = v16i_load_16x4(
        (const uint8_t[16]){8, 9, 10, 11, 12, 13, 14, 15, 128, 128, 128, 128, 128, 128, 128, 128});
    h->d = book_d(rows, at);
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        v16i nibbles = book_nibbles(q_gather16(rows, i, at + BYTES - 16)); // ours: the last eight
        h->scale[i] = v16i_shuffle8(book_odd(nibbles), last);
    }
}

SIMD_INLINE void look(const uint8_t *block, uint8_t *out) {
    static const uint8_t spread_at[32] = {0, 0x80, 0, 0x80, 0, 0x80, 0, 0x80, 0, 0x80, 0, 0x80,
                                          0, 0x80, 0, 0x80, 1, 0x80, 1, 0x80, 1, 0x80, 1, 0x80,
                                          1, 0x80, 1, 0x80, 1, 0x80, 1, 0x80};
    const v8i spread = q_load32(spread_at);
    static const uint16_t factors[16] = {
        1 << 8, 1 << 7, 1 << 6, 1 << 5, 1 << 4, 1 << 3, 1 << 2, 1 << 1,
        1 << 8, 1 << 7, 1 << 6, 1 << 5, 1 << 4, 1 << 3, 1 << 2, 1 << 1}; // bit i of a byte to bit 8
    const v8i factor = q_load32((const uint8_t *)factors);
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        uint16_t both;
        memcpy(&both, block + IQ3_S_HIGH + 2 * i, sizeof both);
        v8i_store(book_out(out)->at + 16 * i,
                  book_places(block + IQ3_S_Q + 16 * i, v8i_set16(both), spread, factor, 0, 0x100));
    }
    v8i_store(book_out(out)->signs, q_load32(block + IQ3_S_SIGNS));
}

SIMD_INLINE v16i quants(const uint8_t *p, int c) {
    const struct book_look *seen = book_seen(p);
    return book_signed(book_fours(codebook_iq3_s, seen, c), seen->signs[c], OFFSET);
}

static const struct q256_form form = {
    .bytes = BYTES,
    .n_sub = 8,
    .quant_most = 15,
    .scale_most = 31,
    .most = OFFSET + 15,
    .offset = OFFSET,
    .order = {0, 1, 2, 3, 4, 5, 6, 7},
    .header = header,
    .quants = quants,
    .look = look,
};

Q_BODIES(q256, form)

enum { GEMM_ROWS = 5 };

Q_FILL(iq3_s, DTYPE_IQ3_S, GEMM_ROWS)
