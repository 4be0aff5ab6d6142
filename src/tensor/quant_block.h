/* What the quantisers of the block types share, and the function of each type. */
#ifndef JL_TENSOR_QUANT_BLOCK_H
#define JL_TENSOR_QUANT_BLOCK_H

#include <math.h>
#include <string.h>

#include "tensor/dtype.h"

static inline void quant_store_f16(uint8_t *p, float value) {
    uint16_t bits = f16_from_f32(value);
    memcpy(p, &bits, sizeof bits);
}

static inline int quant_round(float x, int low, int high) {
    float r = rintf(x);
    if (!(r > (float)low)) return low; // NaN too
    return r < (float)high ? (int)r : high;
}

static inline float quant_largest(const float *x, int n) {
    float most = 0;
    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) > most) most = fabsf(x[i]);
    return most;
}

/* One block of a type: its elements of x into its bytes. */
typedef void quant_block_fn(const float *x, uint8_t *block);
quant_block_fn quant_block_q8_0;
quant_block_fn quant_block_q4_k, quant_block_q6_k;

#endif
