/* Linear bodies of the float types: one chain an output, k ascending, 16 outputs side by side in
 * the lanes of a vector. The chain of an F8 output starts afresh at each block of k that shares a
 * scale, and is then one step of another chain. */
#include "kernel/cpu/linear_f_gemm.h"
#include "kernel/cpu/linear_f_gemv.h"

#define GEMM(name)                                                                                 \
    { gemm_##name, LEVEL_STR("gemm_" #name), gemm_scratch_bytes, TILE_OUTPUTS }

static void gemm_bf16(const struct linear_args *args) { gemm(KIND_BF16, args); }
static void gemm_f8(const struct linear_args *args) { gemm(KIND_F8, args); }

#if defined(JINLIN_LEVEL_AMX)

/* CPUs with AMX take two cycles for VDPBF16PS, and half of one for an fma: with many rows the two
 * steps of a pair are cheaper apart (steps_pairs). */
enum { WIDE_ROWS = 8 };

void LEVEL_FN(fill_linear_f)(struct kernel_table *table) {
    static const struct linear_body bf16 = GEMM(bf16), f8 = GEMM(f8);
    table->wide[DTYPE_BF16][XFMT_BF16] = &bf16;
    table->wide[DTYPE_F8_E4M3][XFMT_BF16] = &f8;
    table->wide_rows[DTYPE_BF16][XFMT_BF16] = WIDE_ROWS;
    table->wide_rows[DTYPE_F8_E4M3][XFMT_BF16] = WIDE_ROWS;
}

#else

static void gemv_f32(const struct linear_args *args) { gemv(KIND_F32, args); }
static void gemv_f16(const struct linear_args *args) { gemv(KIND_F16, args); }
static void gemv_bf16_f32(const struct linear_args *args) { gemv(KIND_BF16_F32, args); }
static void gemv_bf16(const struct linear_args *args) { gemv(KIND_BF16, args); }
static void gemv_f8_f32(const struct linear_args *args) { gemv(KIND_F8_F32, args); }
static void gemv_f8(const struct linear_args *args) { gemv(KIND_F8, args); }
static void gemm_f32(const struct linear_args *args) { gemm(KIND_F32, args); }
static void gemm_f16(const struct linear_args *args) { gemm(KIND_F16, args); }
static void gemm_bf16_f32(const struct linear_args *args) { gemm(KIND_BF16_F32, args); }
static void gemm_f8_f32(const struct linear_args *args) { gemm(KIND_F8_F32, args); }

struct slot {
    enum dtype dtype;
    enum xfmt xfmt;
    struct linear_body gemv, gemm;
    int gemm_rows;
};

#define GEMV(name)                                                                                 \
    { gemv_##name, LEVEL_STR("gemv_" #name), NULL, 32 }

static const struct slot slots[] = {
    {DTYPE_F32, XFMT_F32, GEMV(f32), GEMM(f32), 5},
    {DTYPE_F16, XFMT_F32, GEMV(f16), GEMM(f16), 5},
    {DTYPE_BF16, XFMT_F32, GEMV(bf16_f32), GEMM(bf16_f32), 5},
    {DTYPE_BF16, XFMT_BF16, GEMV(bf16), GEMM(bf16), 5},
    {DTYPE_F8_E4M3, XFMT_F32, GEMV(f8_f32), GEMM(f8_f32), 5},
    {DTYPE_F8_E4M3, XFMT_BF16, GEMV(f8), GEMM(f8), 5},
};

void LEVEL_FN(fill_linear_f)(struct kernel_table *table) {
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
        const struct slot *slot = &slots[i];
        table->gemv[slot->dtype][slot->xfmt] = &slot->gemv;
        table->gemm[slot->dtype][slot->xfmt] = &slot->gemm;
        table->gemm_rows[slot->dtype][slot->xfmt] = slot->gemm_rows;
    }
}

#endif
