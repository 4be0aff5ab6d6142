/* Linear steps of IQ2_XS weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_book.h"
#include "kernel/fill.h"

enum { BYTES = 74, OFFSET = 64 };

SIMD_INLINE void header(const struct q_rows *rows, size_t at, struct q256_header *h) {
    h->d = v16_mul(book_d(rows, at), v16_set1(0.125f));
    SIMD_UNROLL
    for (int i = 0; i < 4; i++)
        h->scale[i] = book_odd(book_nibbles(q_gather16(rows, i, at + BYTES - 16)));
}

SIMD_INLINE void look(const uint8_t *block, uint8_t *out) {
    const v8i place = v8i_set16(511);
    v8i a = q_load32(block + IQ2_XS_Q), b = q_load32(block + IQ2_XS_Q + 32);
    v8i_store(book_out(out)->at, v8i_and(a, place));
    v8i_store(book_out(out)->at + 16, v8i_and(b, place));
    v8i sevens = v8i_bytes(v8i_srl16(a, 9), v8i_srl16(b, 9));
    v8i_store(book_out(out)->signs, book_parity(sevens));
}

SIMD_INLINE v16i quants(const uint8_t *p, int c) {
    const struct book_look *seen = book_seen(p);
    return book_signed(book_eights(codebook_iq2_xs, seen, c), seen->signs[c], OFFSET);
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

Q_FILL(iq2_xs, DTYPE_IQ2_XS, GEMM_ROWS)
