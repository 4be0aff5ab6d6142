/* Linear steps of IQ2_S weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_book.h"
#include "kernel/fill.h"

enum { BYTES = 82, OFFSET = 64 };

SIMD_INLINE void header(const struct q_rows *rows, size_t at, struct q256_header *h) {
    h->d = v16_mul(book_d(rows, at), v16_set1(0.125f));
    SIMD_UNROLL
    for (int i = 0; i < 4; i++)
        h->scale[i] = book_odd(book_nibbles(q_gather16(rows, i, at + BYTES - 16)));
}

SIMD_INLINE void look(const uint8_t *block, uint8_t *out) {
    static const uint8_t spread_at[32] = {0, 0x80, 0, 0x80, 0, 0x80, 0, 0x80, 1, 0x80, 1, 0x80,
                                          1, 0x80, 1, 0x80, 2, 0x80, 2, 0x80, 2, 0x80, 2, 0x80,
                                          3, 0x80, 3, 0x80, 3, 0x80, 3, 0x80};
    const v8i spread = q_load32(spread_at);
    const v8i factor = v8i_set64(INT64_C(0x0004001000400100)); // 2^8, 2^6, 2^4, 2^2
    SIMD_UNROLL
    for (int h = 0; h < 2; h++)
        v8i_store(book_out(out)->at + 16 * h,
                  book_places(block + IQ2_S_Q + 16 * h, book_all32(block + IQ2_S_HIGH + 4 * h),
                              spread, factor, 0, 0x300));
    v8i_store(book_out(out)->signs, q_load32(block + IQ2_S_SIGNS));
}

SIMD_INLINE v16i quants(const uint8_t *p, int c) {
    const struct book_look *seen = book_seen(p);
    return book_signed(book_eights(codebook_iq2_s, seen, c), seen->signs[c], OFFSET);
}

static const struct q256_form form = {
    .bytes = BYTES,
    .n_sub = 16,
    .quant_most = 43,
    .scale_most = 31,
    .most = OFFSET + 43,
    .offset = OFFSET,
    .order = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    .header = header,
    .quants = quants,
    .look = look,
};

Q_BODIES(q256, form)

enum { GEMM_ROWS = 5 };

Q_FILL(iq2_s, DTYPE_IQ2_S, GEMM_ROWS)
