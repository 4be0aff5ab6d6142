/* Linear steps of IQ4_NL weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_q32.h"
#include "kernel/fill.h"
#include "tensor/codebook.h"

enum { BYTES = 18 };

/* AVX-512 multiplies unsigned by signed bytes: there the book is read 128 too high. */
#if defined(JINLIN_LEVEL_AVX512)
enum { MOST = 255, OFFSET = 128, IS_SIGNED = 0 };
#else
enum { MOST = 128, OFFSET = 0, IS_SIGNED = 1 };
#endif

SIMD_INLINE void unpack(const struct q_rows *rows, size_t at, struct q32_block *out) {
    const v16i book = v16i_xor(v16i_load_16x4(codebook_iq4), v16i_set8(OFFSET));
    q32_nibbles(rows, at + IQ4_NL_Q, out->w);
    SIMD_UNROLL
    for (int i = 0; i < 8; i++)
        out->w[i] = v16i_shuffle8(book, out->w[i]);
    out->d = q_f16_at(rows, at);
}

static const struct q32_form form = {
    .bytes = BYTES,
    .most = MOST,
    .offset = OFFSET,
    .is_signed = IS_SIGNED,
    .unpack = unpack,
};

Q_BODIES(q32, form)

enum { GEMM_ROWS = 5 };

Q_FILL(iq4_nl, DTYPE_IQ4_NL, GEMM_ROWS)
