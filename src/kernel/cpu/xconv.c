/* Rows of x into bf16; kernel/ref/xconv.c is the readable form. */
#include "kernel/cpu/simd.h"
#include "kernel/fill.h"

static void to_bf16(const float *x, void *row, int n) {
    uint16_t *out = row;
    int i = 0;
    for (; i + 16 <= n; i += 16)
        v16_store_bf16(out + i, v16_load(x + i));
    if (i < n) v16_store_bf16_n(out + i, v16_load_n(x + i, n - i), n - i);
    if (n % 2) out[n] = 0;
}

void LEVEL_FN(fill_xconv)(struct kernel_table *table) {
    table->to_bf16 = to_bf16;
    table->row_name[KSLOT_to_bf16] = LEVEL_STR("to_bf16");
}
