/* Linear steps of IQ1_S weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_book.h"
#include "kernel/fill.h"

enum { BYTES = 50, OFFSET = 16 };

SIMD_INLINE void header(const struct q_rows *rows, size_t at, struct q256_header *h) {
    const v16i even = v16i_load_16x4(
        (const uint8_t[16]){0, 2, 4, 6, 8, 10, 12, 14, 128, 128, 128, 128, 128, 128, 128, 128});
    h->d = v16_mul(book_d(rows, at), v16_set1(0.125f));
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        v16i s = v16i_srl16(q_gather16(rows, i, at + IQ1_S_HIGH), 12);
        h->scale[i] = book_odd(v16i_shuffle8(v16i_and(s, v16i_set8(7)), even));
    }
}

/* What is added to 8 * grid: OFFSET and one more, or one less where the sub-block is down. */
SIMD_INLINE v8i shift_of(uint32_t down) {
    static const uint8_t shift[2][32] = {
#define Q8_(x) x, x, x, x, x, x, x, x
        {Q8_(OFFSET + 1), Q8_(OFFSET + 1), Q8_(OFFSET + 1), Q8_(OFFSET + 1)},
        {Q8_(OFFSET - 1), Q8_(OFFSET - 1), Q8_(OFFSET - 1), Q8_(OFFSET - 1)},
#undef Q8_
    };
    return q_load32(shift[down]);
}

/* `signs` are the words of the eight sub-blocks. */
SIMD_INLINE void look(const uint8_t *block, uint8_t *out) {
    static const uint8_t spread_at[32] = {0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3,
                                          4, 5, 4, 5, 4, 5, 4, 5, 6, 7, 6, 7, 6, 7, 6, 7};
    const v8i spread = q_load32(spread_at);
    const v8i factor = v8i_set64(INT64_C(0x0010008004002000)); // three bits to the top
    SIMD_UNROLL
    for (int h = 0; h < 2; h++)
        v8i_store(book_out(out)->at + 16 * h,
                  book_places(block + IQ1_S_Q + 16 * h, book_all64(block + IQ1_S_HIGH + 8 * h),
                              spread, factor, 5, 0x700));
    v4i_store(book_out(out)->signs, q_load16(block + IQ1_S_HIGH));
}

SIMD_INLINE v16i quants(const uint8_t *p, int c) {
    const struct book_look *seen = book_seen(p);
    uint32_t words;
    memcpy(&words, (const uint8_t *)seen->signs + 4 * c, sizeof words);
    return v16i_add8(book_eights(codebook_iq1, seen, c),
                     v16i_halves(shift_of(words >> 15 & 1), shift_of(words >> 31)));
}

static const struct q256_form form = {
    .bytes = BYTES,
    .n_sub = 8,
    .quant_most = 9,
    .scale_most = 15,
    .most = OFFSET + 9,
    .offset = OFFSET,
    .order = {0, 1, 2, 3, 4, 5, 6, 7},
    .header = header,
    .quants = quants,
    .look = look,
};

Q_BODIES(q256, form)

enum { GEMM_ROWS = 5 };

Q_FILL(iq1_s, DTYPE_IQ1_S, GEMM_ROWS)
