/* The reference level: every slot of the table, so that higher levels may leave any of them. */
#include "kernel/fill.h"

void kernel_fill_ref(struct kernel_table *table) {
    ref_fill_linear(table);
    ref_fill_linear_f8(table);
    ref_fill_rows(table);
    ref_fill_route(table);
    ref_fill_attn(table);
    ref_fill_linear_t(table);
    ref_fill_attn_values(table);
    ref_fill_kv_put(table);
    ref_fill_recur(table);
    ref_fill_grad(table);
    ref_fill_optim(table);
    ref_fill_recur_grad(table);
}
