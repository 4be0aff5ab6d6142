/* Linear steps of Q4_0 weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_q32.h"
#include "kernel/fill.h"
#include "tensor/blocks_q.h"

SIMD_INLINE void unpack(const struct q_rows *rows, size_t at, struct q32_block *out) {
    q32_nibbles(rows, at + Q4_0_Q, out->w);
    out->d = q_f16_at(rows, at);
}

static const struct q32_form form = {
    .bytes = 18,
    .most = 15,
    .offset = 8,
    .unpack = unpack,
};

Q_BODIES(q32, form)

/* From this many rows on the panel pays: measured with weights in DRAM. */
enum { GEMM_ROWS = 5 };

Q_FILL(q4_0, DTYPE_Q4_0, GEMM_ROWS)
