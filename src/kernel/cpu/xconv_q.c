/* Activations into the Q8 forms; kernel/ref/xconv.c is the readable form. */
#include "kernel/cpu/linear_q.h"
#include "kernel/fill.h"

SIMD_INLINE void quantize_row(const float *x, uint8_t *row, int n, enum xfmt fmt, int size) {
    const struct xrow_layout layout = xrow_layout(fmt, n);
    float *d = (float *)(void *)(row + layout.d_at);
    int16_t *sum = (int16_t *)(void *)(row + layout.sum_at);
    for (int at = 0; at < n; at += size) {
        v16i most_bits = v16i_zero();
        for (int i = 0; i < size; i += 16)
            most_bits = q_max_bits(most_bits, v16_load(x + at + i));
        v16 inverse;
        if (!q_block_step(most_bits, &d[at / size], &inverse)) {
            memset(row + at, 0, (size_t)size);
            memset(&sum[at / 16], 0, (size_t)size / 16 * sizeof sum[0]);
            continue;
        }
        for (int i = at; i < at + size; i += 16) {
            v4i q = q_round16(v16_load(x + i), inverse);
            v4i_store(row + i, q);
            sum[i / 16] = (int16_t)q_sum16(q);
        }
    }
}

static void to_q8_32(const float *x, void *row, int n) { quantize_row(x, row, n, XFMT_Q8_32, 32); }
static void to_q8_256(const float *x, void *row, int n) {
    quantize_row(x, row, n, XFMT_Q8_256, 256);
}

void LEVEL_FN(fill_xconv_q)(struct kernel_table *table) {
    table->to_q8_32 = to_q8_32;
    table->to_q8_256 = to_q8_256;
    table->row_name[KSLOT_to_q8_32] = LEVEL_STR("to_q8_32");
    table->row_name[KSLOT_to_q8_256] = LEVEL_STR("to_q8_256");
}
