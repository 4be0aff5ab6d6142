/* Blocks from integers to their bytes: the inverse of the functions in qblock.h. The integers are
 * within the type's ranges; d, dmin are rounded to f16. */
#ifndef JL_TENSOR_QUANT_PACK_H
#define JL_TENSOR_QUANT_PACK_H

#include <string.h>

#include "tensor/qblock.h"

typedef void quant_pack_fn(const struct qblock *block, uint8_t *bytes);

quant_pack_fn quant_pack_q4_0, quant_pack_q4_1, quant_pack_q5_0, quant_pack_q5_1, quant_pack_q8_0;
quant_pack_fn quant_pack_q2_k, quant_pack_q3_k, quant_pack_q4_k, quant_pack_q5_k, quant_pack_q6_k;
quant_pack_fn quant_pack_iq4_nl, quant_pack_iq4_xs;

static inline void quant_put_f16(uint8_t *p, float value) {
    uint16_t bits = f16_from_f32(value);
    memcpy(p, &bits, sizeof bits);
}

#endif
