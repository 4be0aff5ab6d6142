/* Linear steps of Q5_0 weights; kernel/ref/linear_q.c is the readable form. */
#include "kernel/cpu/linear_q32.h"
#include "kernel/fill.h"
#include "tensor/blocks_q.h"

SIMD_INLINE void unpack(const struct q_rows *rows, size_t at, struct q32_block *out) {
    v16i first, second;
    q32_two_dwords(rows, at, &first, &second);
    q32_nibbles(rows, at + Q5_0_Q, out->w);
    q32_fifth_bits(v16i_or(v16i_srl32(first, 16), v16i_sll32(second, 16)), out->w);
    out->d = v16_from_f16_low(first);
}

static const struct q32_form form = {
    .bytes = 22,
    .most = 31,
    .offset = 16,
    .unpack = unpack,
};

Q_BODIES(q32, form)

/* From this many rows on the panel pays: measured with weights in DRAM. */
enum { GEMM_ROWS = 5 };

Q_FILL(q5_0, DTYPE_Q5_0, GEMM_ROWS)
