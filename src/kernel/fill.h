/* How each level puts its bodies into the table: one function a level and subject. The functions of
 * a level overwrite what lower levels put there. */
#ifndef JL_KERNEL_FILL_H
#define JL_KERNEL_FILL_H

#include "kernel/kernel.h"

/* linear: the gemv, gemm and gemm_rows slots; xconv: the to_* slots (_f, _q: by weight type); rows:
 * the other row kernels; route: the same body at all levels; attn: attn_chunk, attn_fold and
 * attn_finish; linear_t, attn_values: the slots of these names; kv_put: put_keys and put_values;
 * recur: recurrent mixers; grad: row kernels of the backward pass; optim: optimizers and
 * transposed copies; recur_grad: recurrent mixers backwards, the same bodies at all levels. */
void ref_fill_linear(struct kernel_table *table);
void ref_fill_linear_q(struct kernel_table *table);
void ref_fill_linear_f8(struct kernel_table *table);
void ref_fill_xconv(struct kernel_table *table);
void ref_fill_rows(struct kernel_table *table);
void ref_fill_route(struct kernel_table *table);
void ref_fill_attn(struct kernel_table *table);
void ref_fill_linear_t(struct kernel_table *table);
void ref_fill_attn_values(struct kernel_table *table);
void ref_fill_kv_put(struct kernel_table *table);
void ref_fill_recur(struct kernel_table *table);
void ref_fill_grad(struct kernel_table *table);
void ref_fill_optim(struct kernel_table *table);
void ref_fill_recur_grad(struct kernel_table *table);

void avx2_fill_linear_f(struct kernel_table *table);
void avx2_fill_xconv(struct kernel_table *table);
void avx2_fill_linear_q(struct kernel_table *table);
void avx2_fill_xconv_q(struct kernel_table *table);
void avx2_fill_rows(struct kernel_table *table);
void avx2_fill_attn(struct kernel_table *table);
void avx2_fill_linear_t(struct kernel_table *table);
void avx2_fill_attn_values(struct kernel_table *table);
void avx2_fill_kv_put(struct kernel_table *table);
void avx2_fill_recur(struct kernel_table *table);
void avx2_fill_grad(struct kernel_table *table);
void avx2_fill_optim(struct kernel_table *table);

void avx512_fill_linear_f(struct kernel_table *table);
void avx512_fill_xconv(struct kernel_table *table);
void avx512_fill_linear_q(struct kernel_table *table);
void avx512_fill_xconv_q(struct kernel_table *table);
void avx512_fill_rows(struct kernel_table *table);
void avx512_fill_attn(struct kernel_table *table);
void avx512_fill_linear_t(struct kernel_table *table);
void avx512_fill_attn_values(struct kernel_table *table);
void avx512_fill_kv_put(struct kernel_table *table);
void avx512_fill_recur(struct kernel_table *table);
void avx512_fill_grad(struct kernel_table *table);
void avx512_fill_optim(struct kernel_table *table);

void amx_fill_linear_f(struct kernel_table *table);
void amx_fill_linear_q(struct kernel_table *table);

void neon_fill_linear_f(struct kernel_table *table);
void neon_fill_xconv(struct kernel_table *table);
void neon_fill_linear_q(struct kernel_table *table);
void neon_fill_xconv_q(struct kernel_table *table);
void neon_fill_rows(struct kernel_table *table);
void neon_fill_attn(struct kernel_table *table);
void neon_fill_linear_t(struct kernel_table *table);
void neon_fill_attn_values(struct kernel_table *table);
void neon_fill_kv_put(struct kernel_table *table);
void neon_fill_recur(struct kernel_table *table);
void neon_fill_grad(struct kernel_table *table);
void neon_fill_optim(struct kernel_table *table);

#endif
