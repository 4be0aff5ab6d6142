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
    const __m256i place = _mm256_set1_epi16(511);
    __m256i a = q_load32(block + IQ2_XS_Q), b = q_load32(block + IQ2_XS_Q + 32);
    book_store(book_out(out)->at, _mm256_and_si256(a, place));
    book_store(book_out(out)->at + 16, _mm256_and_si256(b, place));
    __m256i sevens = _mm256_packus_epi16(_mm256_srli_epi16(a, 9), _mm256_srli_epi16(b, 9));
    book_store(book_out(out)->signs, book_parity(_mm256_permute4x64_epi64(sevens, 0xd8)));
}

SIMD_INLINE v16i quants(const uint8_t *p, int c) {
    const struct book_look *seen = book_seen(p);
    return book_signed(book_eights(codebook_iq2_xs, seen, c), seen->signs[c], OFFSET);
}

static const struct q256_form form = {
    .bytes = BYTES,
    .n_sub = 16,
    .most = OFFSET + 43,
    .offset = OFFSET,
    .order = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    .header = header,
    .quants = quants,
    .look = look,
};

Q_BODIES(q256, form)

enum { GEMM_ROWS = 5 };

void LEVEL_FN(fill_linear_iq2_xs)(struct kernel_table *table) {
    static const struct linear_body bodies[] = {
        {gemv, LEVEL_STR("gemv_iq2_xs"), NULL, 16},
        {gemm, LEVEL_STR("gemm_iq2_xs"), scratch_bytes, 16 * Q_WIDTH},
    };
    q_fill(table, DTYPE_IQ2_XS, GEMM_ROWS, bodies);
}
