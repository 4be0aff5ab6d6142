/* Linear steps of IQ4_XS weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_q256.h"
#include "kernel/fill.h"
#include "tensor/codebook.h"

enum { BYTES = 136 };

SIMD_INLINE void header(const struct q_rows *rows, size_t at, struct q256_header *h) {
    const v16i high_at =
        v16i_load_16x4((const uint8_t[16]){2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3});
    const v16i low_at = v16i_load_16x4(
        (const uint8_t[16]){4, 4, 5, 5, 6, 6, 7, 7, 128, 128, 128, 128, 128, 128, 128, 128});
    const v16i even = v16i_load_16x4(
        (const uint8_t[16]){0, 2, 4, 6, 8, 10, 12, 14, 128, 128, 128, 128, 128, 128, 128, 128});
    const v16i factor = v16i_load_16x4( // brings bits 2j and 2j + 1 to the top of word j
        (const uint16_t[8]){1 << 14, 1 << 12, 1 << 10, 1 << 8, 1 << 6, 1 << 4, 1 << 2, 1});
    v16i row[4];
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        row[i] = q_gather16(rows, i, at);
        v16i high = v16i_srl16(v16i_mul16(v16i_shuffle8(row[i], high_at), factor), 14);
        high = v16i_shuffle8(v16i_sll16(high, 4), even);
        v16i low = v16i_shuffle8(row[i], low_at);
        low = v16i_or_and(v16i_and(low, v16i_set1(0x000f000f)), v16i_srl16(low, 4),
                          v16i_set1(0x0f000f00));
        h->scale[i] = v16i_sub8(v16i_or(low, high), v16i_set8(32));
    }
    h->d = v16_from_f16_low(v16i_unlo64(v16i_unlo32(row[0], row[1]), v16i_unlo32(row[2], row[3])));
}

/* Sub-blocks 2c and 2c + 1: low nibbles, then high ones. */
SIMD_INLINE v16i quants(const uint8_t *block, int c) {
    const uint8_t *p = block + IQ4_XS_Q + 32 * c;
    const v16i shift = v16i_load_32x2((const int32_t[8]){0, 0, 0, 0, 4, 4, 4, 4});
    v16i packed = v16i_halves(v8i_twice(q_load16(p)), v8i_twice(q_load16(p + 16)));
    v16i place = v16i_and(v16i_srlv32(packed, shift), v16i_set8(15));
    return v16i_shuffle8(v16i_load_16x4(codebook_iq4), place);
}

static const struct q256_form form = {
    .bytes = BYTES,
    .n_sub = 8,
    .quant_most = 127,
    .scale_most = 32,
    .most = 128,
    .is_signed = true,
    .scale_signed = true,
    .order = {0, 1, 2, 3, 4, 5, 6, 7},
    .header = header,
    .quants = quants,
};

Q_BODIES(q256, form)

enum { GEMM_ROWS = 5 };

Q_FILL(iq4_xs, DTYPE_IQ4_XS, GEMM_ROWS)
