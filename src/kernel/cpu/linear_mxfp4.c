/* Linear steps of MXFP4 weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_q32.h"
#include "kernel/fill.h"
#include "tensor/codebook.h"

enum { BYTES = 17, OFFSET = 16 };

SIMD_INLINE v16 scales(const struct q_rows *rows, size_t at) {
    uint8_t e[16];
    SIMD_UNROLL
    for (int i = 0; i < 8; i++) {
        e[i] = rows->p[i][at];
        e[i + 8] = rows->p[i + 8][at];
    }
    return v16_from_e8m0(e);
}

SIMD_INLINE void unpack(const struct q_rows *rows, size_t at, struct q32_block *out) {
    const v16i book = v16i_add8(v16i_load_16x4(codebook_fp4), v16i_set8(OFFSET));
    q32_nibbles(rows, at + MXFP4_Q, out->w);
    SIMD_UNROLL
    for (int i = 0; i < 8; i++)
        out->w[i] = v16i_shuffle8(book, out->w[i]);
    out->d = scales(rows, at);
}

static const struct q32_form form = {
    .bytes = BYTES,
    .most = OFFSET + 12,
    .offset = OFFSET,
    .unpack = unpack,
};

Q_BODIES(q32, form)

enum { GEMM_ROWS = 5 };

Q_FILL(mxfp4, DTYPE_MXFP4, GEMM_ROWS)
