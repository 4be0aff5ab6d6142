/* Linear steps of Q5_1 weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_q32.h"
#include "kernel/fill.h"
#include "tensor/blocks_q.h"

SIMD_INLINE void unpack(const struct q_rows *rows, size_t at, struct q32_block *out) {
    v16i factors, high;
    q32_two_dwords(rows, at, &factors, &high);
    q32_nibbles(rows, at + Q5_1_Q, out->w);
    q32_fifth_bits(high, out->w);
    out->d = v16_from_f16_low(factors);
    out->m = v16_from_f16_low(v16i_srl32(factors, 16));
}

static const struct q32_form form = {
    .bytes = 24,
    .most = 31,
    .has_min = true,
    .unpack = unpack,
};

Q_BODIES(q32, form)

/* From this many rows on the panel pays: measured with weights in DRAM. */
enum { GEMM_ROWS = 5 };

Q_FILL(q5_1, DTYPE_Q5_1, GEMM_ROWS)
