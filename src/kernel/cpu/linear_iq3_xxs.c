/* Linear steps of IQ3_XXS weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_book.h"
#include "kernel/fill.h"

enum { BYTES = 98, OFFSET = 64 };

SIMD_INLINE void header(const struct q_rows *rows, size_t at, struct q256_header *h) {
    const v16i tops = v16i_load_16x4((const uint8_t[16]){3, 7, 11, 15, 128, 128, 128, 128, 128, 128,
                                                         128, 128, 128, 128, 128, 128});
    h->d = v16_mul(book_d(rows, at), v16_set1(0.25f));
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        v16i low = v16i_shuffle8(q_gather16(rows, i, at + IQ3_XXS_SIGNS), tops);
        v16i high = v16i_shuffle8(q_gather16(rows, i, at + IQ3_XXS_SIGNS + 16), tops);
        v16i all = v16i_unlo32(low, high);
        h->scale[i] = book_odd(v16i_and(v16i_srl16(all, 4), v16i_set8(15)));
    }
}

SIMD_INLINE void look(const uint8_t *block, uint8_t *out) {
    SIMD_UNROLL
    for (int i = 0; i < 4; i++)
        v8i_store(book_out(out)->at + 16 * i, book_words(block + IQ3_XXS_Q + 16 * i));
    v8i_store(book_out(out)->signs, book_sevens(q_load32(block + IQ3_XXS_SIGNS)));
}

SIMD_INLINE v16i quants(const uint8_t *p, int c) {
    const struct book_look *seen = book_seen(p);
    return book_signed(book_fours(codebook_iq3_xxs, seen, c), seen->signs[c], OFFSET);
}

static const struct q256_form form = {
    .bytes = BYTES,
    .n_sub = 8,
    .quant_most = 62,
    .scale_most = 31,
    .most = OFFSET + 62,
    .offset = OFFSET,
    .order = {0, 1, 2, 3, 4, 5, 6, 7},
    .header = header,
    .quants = quants,
    .look = look,
};

Q_BODIES(q256, form)

enum { GEMM_ROWS = 5 };

Q_FILL(iq3_xxs, DTYPE_IQ3_XXS, GEMM_ROWS)
