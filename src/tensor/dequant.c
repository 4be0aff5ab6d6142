/* Reference dequantisation: floats widened, integer blocks by what they mean (qblock.h). */
#include <string.h>

#include "tensor/blocks.h"
#include "tensor/qblock.h"

static void dequantize_block(const struct qblock *block, float *y, int n) {
    for (int i = 0; i < n; i++) {
        float step = block->d * (float)block->scale[i / QBLOCK_RUN];
        float low = block->dmin * (float)block->min[i / QBLOCK_RUN];
        float product = step * (float)block->q[i];
        y[i] = product - low;
    }
}

static void dequantize_blocks(enum dtype dtype, const uint8_t *p, float *y, int64_t n) {
    const struct dtype_row *type = dtype_row(dtype);
    struct qblock_form form = qblock_form(dtype);
    if (!form.unpack) return; // stored, never computed with: the binder refuses them
    for (int64_t i = 0; i < n; i += type->block, p += type->bytes) {
        struct qblock block;
        form.unpack(p, &block);
        dequantize_block(&block, y + i, type->block);
    }
}

void dtype_dequantize(enum dtype dtype, const void *row, float *y, int64_t n) {
    const uint8_t *p = row;
    switch (dtype) {
    case DTYPE_F32: memcpy(y, p, (size_t)n * sizeof *y); break;
    case DTYPE_F16:
        for (int64_t i = 0; i < n; i++)
            y[i] = block_f16(p + 2 * i);
        break;
    case DTYPE_BF16:
        for (int64_t i = 0; i < n; i++) { // in this form compilers take many at a time
            uint16_t half;
            memcpy(&half, p + 2 * i, sizeof half);
            uint32_t bits = (uint32_t)half << 16;
            memcpy(&y[i], &bits, sizeof bits);
        }
        break;
    case DTYPE_F8_E4M3:
        for (int64_t i = 0; i < n; i++)
            y[i] = f32_from_f8_e4m3(p[i]);
        break;
    default: dequantize_blocks(dtype, p, y, n); break;
    }
}
