/* Linear steps of IQ2_XXS weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_book.h"
#include "kernel/fill.h"

enum { BYTES = 66, OFFSET = 64 };

SIMD_INLINE void header(const struct q_rows *rows, size_t at, struct q256_header *h) {
    const v16i tops[2] = {
        // bytes 7 and 15 to the place of sub-blocks 2c and 2c + 1, and 4 further
        v16i_load_16x4((const uint8_t[16]){7, 15, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
                                           128, 128, 128, 128}),
        v16i_load_16x4((const uint8_t[16]){128, 128, 7, 15, 128, 128, 128, 128, 128, 128, 128, 128,
                                           128, 128, 128, 128})};
    h->d = v16_mul(book_d(rows, at), v16_set1(0.125f));
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        v16i x[4];
        SIMD_UNROLL
        for (int c = 0; c < 4; c++)
            x[c] = v16i_shuffle8(q_gather16(rows, i, at + IQ2_XXS_Q + 16 * (size_t)c), tops[c % 2]);
        v16i all = v16i_unlo32(v16i_or(x[0], x[1]), v16i_or(x[2], x[3]));
        h->scale[i] = book_odd(v16i_and(v16i_srl16(all, 4), v16i_set8(15)));
    }
}

SIMD_INLINE void look(const uint8_t *block, uint8_t *out) {
    v8i places, words; // the first and second of each pair
    v8i_unzip32(block + IQ2_XXS_Q, &places, &words);
    v8i_store(book_out(out)->at, v8i_words(v8i_low(places)));
    v8i_store(book_out(out)->at + 16, v8i_words(v8i_high(places)));
    v8i_store(book_out(out)->signs, book_sevens(words));
}

SIMD_INLINE v16i quants(const uint8_t *p, int c) {
    const struct book_look *seen = book_seen(p);
    return book_signed(book_eights(codebook_iq2_xxs, seen, c), seen->signs[c], OFFSET);
}

static const struct q256_form form = {
    .bytes = BYTES,
    .n_sub = 8,
    .quant_most = 43,
    .scale_most = 31,
    .most = OFFSET + 43,
    .offset = OFFSET,
    .order = {0, 1, 2, 3, 4, 5, 6, 7},
    .header = header,
    .quants = quants,
    .look = look,
};

Q_BODIES(q256, form)

enum { GEMM_ROWS = 5 };

Q_FILL(iq2_xxs, DTYPE_IQ2_XXS, GEMM_ROWS)
