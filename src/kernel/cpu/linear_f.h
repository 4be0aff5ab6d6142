/* What the float types differ in: the kinds of a product. */
#ifndef JL_KERNEL_CPU_LINEAR_F_H
#define JL_KERNEL_CPU_LINEAR_F_H

#include "kernel/cpu/columns.h"
#include "kernel/fill.h"

enum kind { KIND_F32, KIND_F16, KIND_BF16_F32, KIND_BF16, KIND_F8_F32, KIND_F8 };

SIMD_INLINE bool is_scaled(enum kind kind) { return kind == KIND_F8_F32 || kind == KIND_F8; }
SIMD_INLINE int weight_bytes(enum kind kind) {
    return kind == KIND_F32 ? 4 : is_scaled(kind) ? 1 : 2;
}
SIMD_INLINE bool x_is_bf16(enum kind kind) { return kind == KIND_BF16 || kind == KIND_F8; }
SIMD_INLINE int x_bytes(enum kind kind) { return x_is_bf16(kind) ? 2 : 4; }
SIMD_INLINE bool is_paired(enum kind kind) { return kind >= KIND_BF16_F32; }
/* Are gemm's steps pairs of bf16, or else floats? */
#if SIMD_SPLITS_PAIRS || defined(JINLIN_LEVEL_AMX)
SIMD_INLINE bool steps_pairs(enum kind kind) { return (void)kind, false; }
#else
SIMD_INLINE bool steps_pairs(enum kind kind) { return x_is_bf16(kind); }
#endif
/* Steps that n elements take. */
SIMD_INLINE int step_count(enum kind kind, int n) {
    if (steps_pairs(kind)) return (n + 1) / 2;
    return is_paired(kind) ? n + n % 2 : n;
}

SIMD_INLINE float x_at(const uint8_t *x, int k) {
    float value;
    memcpy(&value, x + 4 * (size_t)k, sizeof value);
    return value;
}

/* Scales of 16 outputs from o on, for elements of the block that holds k; outputs that do not exist
 * may have any. */
SIMD_INLINE v16 scales_at(const struct linear_args *args, int o, int k) {
    const float *scale = args->scale + k / F8_SCALE_BLOCK;
    int row = o / F8_SCALE_BLOCK, last = o + 15 < args->out1 ? o + 15 : args->out1 - 1;
    v16 first = v16_set1(scale[(size_t)row * args->scale_stride]);
    if (last / F8_SCALE_BLOCK == row) return first;
    v16 second = v16_set1(scale[(size_t)(row + 1) * args->scale_stride]);
    return v16_first_n(first, (row + 1) * F8_SCALE_BLOCK - o, second);
}

#endif
