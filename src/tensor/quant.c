/* Reference quantisers: the step comes from the block's range, values round to nearest. */
#include "tensor/quant_block.h"

static quant_block_fn *block_quantizer(enum dtype dtype) {
    switch (dtype) {
    case DTYPE_Q8_0: return quant_block_q8_0;
    case DTYPE_Q4_K: return quant_block_q4_k;
    case DTYPE_Q6_K: return quant_block_q6_k;
    default: return NULL;
    }
}

static bool quantize_blocks(enum dtype dtype, const float *x, uint8_t *row, int64_t n) {
    const struct dtype_row *type = dtype_row(dtype);
    quant_block_fn *quantize = block_quantizer(dtype);
    if (!quantize) return false;
    for (int64_t i = 0; i < n; i += type->block, row += type->bytes)
        quantize(x + i, row);
    return true;
}

bool dtype_quantize(enum dtype dtype, const float *x, void *row, int64_t n) {
    uint8_t *p = row;
    switch (dtype) {
    case DTYPE_F32: memcpy(p, x, (size_t)n * sizeof *x); return true;
    case DTYPE_F16:
        for (int64_t i = 0; i < n; i++)
            quant_store_f16(p + 2 * i, x[i]);
        return true;
    case DTYPE_BF16:
        for (int64_t i = 0; i < n; i++) {
            uint16_t bits = bf16_from_f32(x[i]);
            memcpy(p + 2 * i, &bits, sizeof bits);
        }
        return true;
    case DTYPE_F8_E4M3:
        for (int64_t i = 0; i < n; i++)
            p[i] = f8_e4m3_from_f32(x[i]);
        return true;
    default: return quantize_blocks(dtype, x, p, n);
    }
}

bool dtype_can_quantize(enum dtype dtype) {
    uint8_t nothing[1];
    return dtype_quantize(dtype, &(float){0}, nothing, 0);
}
