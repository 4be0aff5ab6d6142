/* Reference quantisers of the types with blocks of 32. */
#include "tensor/blocks.h"
#include "tensor/blocks_q.h"
#include "tensor/quant_block.h"

void quant_block_q8_0(const float *x, uint8_t *block) {
    quant_store_f16(block, quant_largest(x, 32) / 127.0f);
    float d = block_f16(block), inverse = d > 0 ? 1.0f / d : 0;
    for (int i = 0; i < 32; i++)
        block[Q8_0_Q + i] = (uint8_t)(int8_t)quant_round(x[i] * inverse, -127, 127);
}
