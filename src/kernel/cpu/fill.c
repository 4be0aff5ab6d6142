/* What one vector level brings to the table; compiled once a level. */
#include "kernel/fill.h"
#include "kernel/cpu/simd.h"

#if defined(JINLIN_LEVEL_AVX512)
#define FILL kernel_fill_avx512
#elif defined(JINLIN_LEVEL_AVX2)
#define FILL kernel_fill_avx2
#else
#define FILL kernel_fill_neon
#endif

void FILL(struct kernel_table *table) {
    LEVEL_FN(fill_linear_f)(table);
    LEVEL_FN(fill_linear_q)(table);
    LEVEL_FN(fill_xconv)(table);
    LEVEL_FN(fill_xconv_q)(table);
    LEVEL_FN(fill_rows)(table);
    LEVEL_FN(fill_attn)(table);
    LEVEL_FN(fill_linear_t)(table);
    LEVEL_FN(fill_attn_values)(table);
    LEVEL_FN(fill_kv_put)(table);
    LEVEL_FN(fill_recur)(table);
    LEVEL_FN(fill_grad)(table);
    LEVEL_FN(fill_optim)(table);
}
