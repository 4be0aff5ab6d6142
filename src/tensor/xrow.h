/* Layout of one activation row in the form a linear step reads it.
 *
 *   XFMT_F32     float[n]
 *   XFMT_BF16    uint16_t[n], n odd: one zero is appended, so that pairs are always whole
 *   XFMT_Q8_B    (B = 32 or 256) q: int8[n]; d: float[n/B]; sum: int16[n/16], sum[i] being the sum
 *                of q[16i .. 16i+15], at offsets that xrow_layout gives. q is in [-127, 127].
 *
 * Every row starts on a 64-byte boundary. */
#ifndef JL_TENSOR_XROW_H
#define JL_TENSOR_XROW_H

#include "tensor/dtype.h"

struct xrow_layout {
    size_t bytes;        // of the whole row, a multiple of 64
    size_t d_at, sum_at; // byte offsets of d and sum (Q8 forms), 64-aligned
};

struct xrow_layout xrow_layout(enum xfmt fmt, int64_t n);
int xfmt_block(enum xfmt fmt); // 32, 256, or 1 (2 for XFMT_BF16)
const char *xfmt_name(enum xfmt fmt);

/* One block of n activations or cached numbers as int8 and its step, by the rule of
 * docs/numerics.md for integer types: x is about q * d. */
void xrow_quantize(const float *x, int n, int8_t *q, float *d);

#endif
