/* Linear steps of Q6_K weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_k.h"
#include "kernel/fill.h"
#include "tensor/blocks_k.h"

enum { BYTES = 210 };

SIMD_INLINE void header(const struct q_rows *rows, size_t at, struct q256_header *h) {
    SIMD_UNROLL
    for (int i = 0; i < 4; i++)
        h->scale[i] = q_gather16(rows, i, at + Q6_K_SCALES);
    h->d = v16_from_f16_low(v16i_srl32(k_last_dwords(rows, at, BYTES), 16));
}

/* Quarters 0 and 1 (c even) or 2 and 3 of half c/2. */
SIMD_INLINE v16i quants(const uint8_t *block, int c) {
    v16i low = v16i_load(block + c / 2 * 64);
    v16i high = v16i_load_32x2(block + Q6_K_HIGH + c / 2 * 32);
    low = v16i_and(c % 2 ? v16i_srl16(low, 4) : low, v16i_set8(15));
    high = c % 2 ? v16i_srl_halves(high, 0, 2) : v16i_sll_halves(high, 4, 2);
    return v16i_or_and(low, high, v16i_set8(0x30));
}

/* High bits of quarter i into bits 4 and 5 of each byte. */
SIMD_INLINE v16i high_bits(v16i x, int i) {
    v16i moved = i < 2 ? v16i_sll16(x, 4 - 2 * i) : v16i_srl16(x, 2 * i - 4);
    return v16i_and(moved, v16i_set8(0x30));
}

/* 16 bytes of each row: a half of the quarters of half c/2. */
SIMD_INLINE void slice(const struct q256_form *form, const struct q256_slice *s, int c) {
    const v16i low4 = v16i_set8(15);
    size_t low_at = s->at + (size_t)(c / 2 * 64 + c % 2 * 16);
    v16i a[4], d[4], high[4];
    q_columns(s->rows, low_at, a);
    q_columns(s->rows, low_at + 32, d);
    q_columns(s->rows, s->at + Q6_K_HIGH + 16 * (size_t)c, high);
    int step = c / 2 * 32 + c % 2 * 4;
    SIMD_UNROLL
    for (int i = 0; i < 4; i++) {
        v16i a_high = v16i_srl16(a[i], 4), d_high = v16i_srl16(d[i], 4), h = high[i];
        q256_put(form, s, step + i, v16i_or(v16i_and(a[i], low4), high_bits(h, 0)));
        q256_put(form, s, step + 8 + i, v16i_or(v16i_and(d[i], low4), high_bits(h, 1)));
        q256_put(form, s, step + 16 + i, v16i_or(v16i_and(a_high, low4), high_bits(h, 2)));
        q256_put(form, s, step + 24 + i, v16i_or(v16i_and(d_high, low4), high_bits(h, 3)));
    }
}

static const struct q256_form form = {
    .bytes = BYTES,
    .n_sub = 16,
    .quant_most = 32,
    .scale_most = 128,
    .most = 63,
    .offset = 32,
    .scale_signed = true,
    .order = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    .header = header,
    .quants = quants,
    .slice = slice,
    .n_slice = 4,
};

Q_BODIES(q256, form)

/* From this many rows on the panel pays: measured with weights in DRAM. */
#if defined(JINLIN_LEVEL_AVX512)
enum { GEMM_ROWS = 9 };
#else
enum { GEMM_ROWS = 4 };
#endif

Q_FILL(q6_k, DTYPE_Q6_K, GEMM_ROWS)
