/* Linear steps of Q4_1 weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_q32.h"
#include "kernel/fill.h"
#include "tensor/blocks_q.h"

SIMD_INLINE void unpack(const struct q_rows *rows, size_t at, struct q32_block *out) {
    q32_nibbles(rows, at + Q4_1_Q, out->w);
    q32_two_f16(rows, at, &out->d, &out->m);
}

static const struct q32_form form = {
    .bytes = 20,
    .most = 15,
    .has_min = true,
    .unpack = unpack,
};

Q_BODIES(q32, form)

/* From this many rows on the panel pays: measured with weights in DRAM. */
enum { GEMM_ROWS = 5 };

Q_FILL(q4_1, DTYPE_Q4_1, GEMM_ROWS)
