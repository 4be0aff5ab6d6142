/* The vector vocabulary of the CPU bodies: 16 float lanes on every level, so that one body gives
 * the same lanes, and therefore the same bits, wherever it is compiled.
 *
 * A body is compiled once a level with JINLIN_LEVEL_AVX2, _AVX512 or _NEON defined. A v16 is 16
 * floats, a v16i the same 512 bits as 16 int32 or as 16 pairs of bf16 (first of the pair in the low
 * half); a v8i and a v4i are 256 and 128 bits. Loads and stores need no alignment; the `_n` forms
 * touch the first n lanes only, 0 <= n <= 16, and fill the rest with zeros. Callers have set the
 * environment of kernel/fpenv.h: forms of the bf16 pair rule in two steps depend on it. */
#ifndef JL_KERNEL_CPU_SIMD_H
#define JL_KERNEL_CPU_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(JINLIN_LEVEL_NEON)
#include <arm_neon.h>
#else
#include <immintrin.h>
#endif

#include "kernel/ref/exp.h"

#define SIMD_INLINE static inline __attribute__((always_inline, unused))

/* Before a loop of at most 16 steps over an array of vectors: unrolled, the array is registers. */
#if defined(__clang__)
#define SIMD_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SIMD_UNROLL _Pragma("GCC unroll 16")
#endif

/* Brings the line at p to the second cache. */
#define SIMD_PREFETCH(p) __builtin_prefetch((p), 0, 2)

/* LEVEL_FN(fill_rows) is avx2_fill_rows, for one; LEVEL_STR("add") is "add.avx2". */
#if defined(JINLIN_LEVEL_AMX) // beside _AVX512: its vectors, its own names
#define LEVEL_FN(name) amx_##name
#define LEVEL_STR(name) name ".amx"
#include "kernel/cpu/simd_avx512.h"
#elif defined(JINLIN_LEVEL_AVX512)
#define LEVEL_FN(name) avx512_##name
#define LEVEL_STR(name) name ".avx512"
#include "kernel/cpu/simd_avx512.h"
#elif defined(JINLIN_LEVEL_AVX2)
#define LEVEL_FN(name) avx2_##name
#define LEVEL_STR(name) name ".avx2"
#include "kernel/cpu/simd_avx2.h"
#elif defined(JINLIN_LEVEL_NEON)
#define LEVEL_FN(name) neon_##name
#define LEVEL_STR(name) name ".neon"
#include "kernel/cpu/simd_neon.h"
#else
#error "kernel/cpu bodies are compiled with one of the JINLIN_LEVEL_ names"
#endif

/* The contract's exp, lane by lane; a NaN travels through the polynomial. */
SIMD_INLINE v16 v16_exp(v16 x) {
    v16 magic = v16_set1(EXP_MAGIC);
    v16 t = v16_fma(x, v16_set1(EXP_LOG2E), magic);
    v16 n = v16_sub(t, magic);
    v16 r = v16_fma(n, v16_set1(-EXP_LN2_HI), x);
    r = v16_fma(n, v16_set1(-EXP_LN2_LO), r);
    v16 p = v16_set1(EXP_C7);
    p = v16_fma(p, r, v16_set1(EXP_C6));
    p = v16_fma(p, r, v16_set1(EXP_C5));
    p = v16_fma(p, r, v16_set1(EXP_C4));
    p = v16_fma(p, r, v16_set1(EXP_C3));
    p = v16_fma(p, r, v16_set1(EXP_C2));
    p = v16_fma(p, r, v16_set1(EXP_C1));
    p = v16_fma(p, r, v16_set1(EXP_C0));
    v16i e = v16i_sub(v16_bits(t), v16_bits(magic));
    v16i half = v16i_sra1(e);
    p = v16_mul(v16_mul(p, v16_pow2(half)), v16_pow2(v16i_sub(e, half)));
    p = v16_select(v16_gt(x, v16_set1(EXP_HI)), v16_set1(__builtin_inff()), p);
    // Opaque: seeing a 0 here, a compiler makes y * (1 / (1 + 0)) of it and then y, but a denormal
    // y times 1 is 0 in the engine's environment.
    return v16_opaque(v16_select(v16_gt(v16_set1(EXP_LO), x), v16_zero(), p));
}

#endif
