#include "kernel/fill.h"
#ifdef JINLIN_LEVEL_AVX512
void avx512_fill_linear(struct kernel_table *table) { (void)table; }
#else
void avx2_fill_linear(struct kernel_table *table) { (void)table; }
#endif
