/* Activations into the forms that linear steps read: docs/numerics.md, "Linear steps". */
#include "kernel/fill.h"
#include "tensor/xrow.h"

static void to_bf16(const float *x, void *row, int n) {
    uint16_t *out = row;
    for (int i = 0; i < n; i++)
        out[i] = bf16_from_f32(x[i]);
    if (n % 2) out[n] = 0;
}

/* One block of `size`: q, d and the sums of 16. */
static void quantize_block(const float *x, int size, int8_t *q, float *d, int16_t *sum) {
    xrow_quantize(x, size, q, d);
    for (int i = 0; i < size; i += 16) {
        int total = 0;
        for (int k = 0; k < 16; k++)
            total += q[i + k];
        sum[i / 16] = (int16_t)total;
    }
}

static void quantize_row(const float *x, uint8_t *row, int n, enum xfmt fmt) {
    const struct xrow_layout layout = xrow_layout(fmt, n);
    int size = xfmt_block(fmt);
    float *d = (float *)(void *)(row + layout.d_at);
    int16_t *sum = (int16_t *)(void *)(row + layout.sum_at);
    for (int i = 0; i < n; i += size)
        quantize_block(x + i, size, (int8_t *)row + i, &d[i / size], &sum[i / 16]);
}

static void to_q8_32(const float *x, void *row, int n) { quantize_row(x, row, n, XFMT_Q8_32); }

static void to_q8_256(const float *x, void *row, int n) { quantize_row(x, row, n, XFMT_Q8_256); }

void ref_fill_xconv(struct kernel_table *table) {
    table->to_bf16 = to_bf16;
    table->to_q8_32 = to_q8_32;
    table->to_q8_256 = to_q8_256;
    table->row_name[KSLOT_to_bf16] = "to_bf16.ref";
    table->row_name[KSLOT_to_q8_32] = "to_q8_32.ref";
    table->row_name[KSLOT_to_q8_256] = "to_q8_256.ref";
}
