/* The ceiling loops of one vector level; compiled once a level.
 *
 * Each instruction is written out, so that no compiler can drop, merge or reorder the mix. `acc`
 * vectors are independent chains, enough of them to hide the latency of an addition. */
#include <stddef.h>

#include "cli/peaks/peaks.h"

#if defined(JINLIN_LEVEL_AVX512)
#define VECTOR_BYTES 64
#define CHAINS 12 // of the short loops
#define K_CHAINS 8
#else
#define VECTOR_BYTES 32
#define CHAINS 4
#define K_CHAINS 3 // three vectors a chain and the operands: 16 registers
#endif

typedef float vf __attribute__((vector_size(VECTOR_BYTES)));
typedef int vi __attribute__((vector_size(VECTOR_BYTES)));
typedef short vs __attribute__((vector_size(VECTOR_BYTES)));
typedef signed char vb __attribute__((vector_size(VECTOR_BYTES)));

/* acc = insn(acc, a, b); out = insn(a, b); out = insn(a). */
#define ACC(insn, acc, a, b) __asm__ volatile(insn " %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b))
#define OUT2(insn, out, a, b) __asm__ volatile(insn " %2, %1, %0" : "=v"(out) : "v"(a), "v"(b))
#define OUT1(insn, out, a) __asm__ volatile(insn " %1, %0" : "=v"(out) : "v"(a))

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define EACH(j, n) UNROLL for (int j = 0; j < (n); j++)

#define LANES (VECTOR_BYTES / 4)

static void run_f32(long n) {
    vf acc[12] = {0}, a = (vf){0} + 1.5f, b = (vf){0} + 1e-6f;
    for (long i = 0; i < n; i++)
        EACH(j, 12) ACC("vfmadd231ps", acc[j], a, b);
}

/* acc = fma((float)sum, d_w*d_x, acc): how every block or superblock ends. */
#define FOLD(acc, sum, d_w, d_x)                                                                   \
    do {                                                                                           \
        vf value_, scale_;                                                                         \
        OUT1("vcvtdq2ps", value_, sum);                                                            \
        OUT2("vmulps", scale_, d_w, d_x);                                                          \
        ACC("vfmadd231ps", acc, value_, scale_);                                                   \
    } while (0)

/* Weights and activations of any value do: speed does not depend on them. */
#define OPERANDS                                                                                   \
    vb w = (vb){0} + 3, x = (vb){0} + 5;                                                           \
    vs scale = (vs){0} + 7;                                                                        \
    vf d = (vf){0} + 1e-3f

#if defined(JINLIN_LEVEL_AVX512)

static void run_bf16(long n) {
    vf acc[12] = {0};
    vi a = (vi){0} + 0x3f803f80, b = (vi){0} + 0x37803780; // pairs of 1 and of 2^-16
    for (long i = 0; i < n; i++)
        EACH(j, 12) ACC("vdpbf16ps", acc[j], a, b);
}

static void run_dot(long n) {
    OPERANDS;
    vi acc[12] = {0};
    (void)scale;
    (void)d;
    for (long i = 0; i < n; i++)
        EACH(j, 12) ACC("vpdpbusd", acc[j], w, x);
}

/* Signed weights become unsigned by an offset; the sum starts at what takes it back (`from`). */
static void run_q8_0(long n) {
    OPERANDS;
    vf acc[CHAINS] = {0};
    vi from = (vi){0} - 1920, sum[CHAINS];
    (void)scale;
    for (long i = 0; i < n; i++) {
        EACH(j, CHAINS) OUT1("vmovdqa64", sum[j], from);
        EACH(k, 8) EACH(j, CHAINS) ACC("vpdpbusd", sum[j], w, x);
        EACH(j, CHAINS) FOLD(acc[j], sum[j], d, d);
    }
}

/* `dots` VPDPBUSD a sub-block, then total += scale * sum. The sub-blocks of one superblock. */
#define SUB_BLOCKS(count, dots)                                                                    \
    for (int b = 0; b < (count); b++) {                                                            \
        EACH(j, K_CHAINS) OUT1("vmovdqa64", sum[j], zero);                                         \
        EACH(k, dots) EACH(j, K_CHAINS) ACC("vpdpbusd", sum[j], w, x);                             \
        EACH(j, K_CHAINS) OUT2("vpmulld", sum[j], sum[j], scale);                                  \
        EACH(j, K_CHAINS) OUT2("vpaddd", total[j], total[j], sum[j]);                              \
    }

/* Sub-scales are in the weights. */
static void run_q2_k(long n) {
    OPERANDS;
    vf acc[CHAINS] = {0};
    vi zero = {0}, sum[CHAINS];
    for (long i = 0; i < n; i++) {
        EACH(j, CHAINS) OUT1("vmovdqa64", sum[j], zero);
        for (int b = 0; b < 8; b++)
            EACH(k, 8) EACH(j, CHAINS) ACC("vpdpbusd", sum[j], w, x);
        EACH(j, CHAINS) FOLD(acc[j], sum[j], d, d);
        EACH(j, CHAINS) OUT1("vmovdqa64", sum[j], zero);
        EACH(k, 8) EACH(j, CHAINS) ACC("vpdpwssd", sum[j], scale, x); // sixteen minima, in pairs
        EACH(j, CHAINS) FOLD(acc[j], sum[j], d, d);
    }
}

static void run_q4_k(long n) {
    OPERANDS;
    vf acc[K_CHAINS] = {0};
    vi zero = {0}, sum[K_CHAINS], total[K_CHAINS];
    for (long i = 0; i < n; i++) {
        EACH(j, K_CHAINS) OUT1("vmovdqa64", total[j], zero);
        SUB_BLOCKS(8, 8)
        EACH(j, K_CHAINS) FOLD(acc[j], total[j], d, d);
        EACH(j, K_CHAINS) OUT1("vmovdqa64", sum[j], zero);
        EACH(k, 4) EACH(j, K_CHAINS) ACC("vpdpwssd", sum[j], scale, x); // eight minima, in pairs
        EACH(j, K_CHAINS) FOLD(acc[j], sum[j], d, d);
    }
}

static void run_q6_k(long n) {
    OPERANDS;
    vf acc[K_CHAINS] = {0};
    vi zero = {0}, sum[K_CHAINS], total[K_CHAINS];
    for (long i = 0; i < n; i++) {
        EACH(j, K_CHAINS) OUT1("vmovdqa64", total[j], zero);
        EACH(k, 8) EACH(j, K_CHAINS) ACC("vpdpwssd", total[j], scale, x); // the offset 32
        SUB_BLOCKS(16, 4)
        EACH(j, K_CHAINS) FOLD(acc[j], total[j], d, d);
    }
}

#define LEVEL_LOOPS peaks_avx512
#define RUN_BF16 run_bf16
#define run_q4_0 run_q8_0
#define Q4_0_CHAINS CHAINS
#define Q2_K_CHAINS CHAINS

#else

/* sum += the dots of 4 bytes a lane, exact for activations in [-127, 127]. */
#define DOT(sum, a, b)                                                                             \
    do {                                                                                           \
        vi pairs_;                                                                                 \
        OUT2("vpmaddubsw", pairs_, a, b);                                                          \
        OUT2("vpmaddwd", pairs_, pairs_, ones);                                                    \
        OUT2("vpaddd", sum, sum, pairs_);                                                          \
    } while (0)

static void run_dot(long n) {
    OPERANDS;
    vi acc[12] = {0};
    vs ones = (vs){0} + 1;
    (void)scale;
    (void)d;
    for (long i = 0; i < n; i++)
        EACH(j, 12) DOT(acc[j], w, x);
}

/* Signed weights as int16, widened once a panel: the sign trick of bytes (VPSIGNB for every
 * product, then two multiplications) keeps the same units busy for longer. */
static void run_q8_0(long n) {
    OPERANDS;
    vf acc[CHAINS] = {0};
    vi zero = {0}, sum[CHAINS], pairs;
    (void)w;
    for (long i = 0; i < n; i++) {
        EACH(j, CHAINS) OUT1("vmovdqa", sum[j], zero);
        EACH(k, 16) EACH(j, CHAINS) {
            OUT2("vpmaddwd", pairs, scale, x);
            OUT2("vpaddd", sum[j], sum[j], pairs);
        }
        EACH(j, CHAINS) FOLD(acc[j], sum[j], d, d);
    }
}

/* Dots of 4-bit weights are added as int16, eight of them exactly (8*2*15*127 < 32768). */
static void run_q4_0(long n) {
    OPERANDS;
    vf acc[K_CHAINS] = {0};
    vs ones = (vs){0} + 1;
    vi from = (vi){0} - 1920, sum[K_CHAINS], part;
    (void)scale;
    for (long i = 0; i < n; i++) {
        EACH(j, K_CHAINS) OUT2("vpmaddubsw", sum[j], w, x);
        EACH(k, 7) EACH(j, K_CHAINS) {
            OUT2("vpmaddubsw", part, w, x);
            OUT2("vpaddw", sum[j], sum[j], part);
        }
        EACH(j, K_CHAINS) OUT2("vpmaddwd", sum[j], sum[j], ones);
        EACH(j, K_CHAINS) OUT2("vpaddd", sum[j], sum[j], from);
        EACH(j, K_CHAINS) FOLD(acc[j], sum[j], d, d);
    }
}

/* VPMADDWD brings in the sub-scale: `blocks` of them, each of `dots`, and pairs of minima. */
#define SCALED_BLOCKS(blocks, dots)                                                                \
    do {                                                                                           \
        EACH(j, K_CHAINS) OUT2("vpmaddwd", total[j], scale, x);                                    \
        EACH(k, (blocks) / 2 - 1) EACH(j, K_CHAINS) {                                              \
            OUT2("vpmaddwd", part, scale, x);                                                      \
            OUT2("vpaddd", total[j], total[j], part);                                              \
        }                                                                                          \
        EACH(j, K_CHAINS) FOLD(acc[j], total[j], d, d);                                            \
        EACH(j, K_CHAINS) OUT2("vpxor", total[j], total[j], total[j]);                             \
        for (int b = 0; b < (blocks); b++) {                                                       \
            EACH(j, K_CHAINS) OUT2("vpmaddubsw", sum[j], w, x);                                    \
            EACH(k, (dots)-1) EACH(j, K_CHAINS) {                                                  \
                OUT2("vpmaddubsw", part, w, x);                                                    \
                OUT2("vpaddw", sum[j], sum[j], part);                                              \
            }                                                                                      \
            EACH(j, K_CHAINS) OUT2("vpmaddwd", sum[j], sum[j], scale);                             \
            EACH(j, K_CHAINS) OUT2("vpaddd", total[j], total[j], sum[j]);                          \
        }                                                                                          \
        EACH(j, K_CHAINS) FOLD(acc[j], total[j], d, d);                                            \
    } while (0)

static void run_q2_k(long n) {
    OPERANDS;
    vf acc[K_CHAINS] = {0};
    vi sum[K_CHAINS], total[K_CHAINS], part;
    for (long i = 0; i < n; i++)
        SCALED_BLOCKS(16, 4);
}

static void run_q4_k(long n) {
    OPERANDS;
    vf acc[K_CHAINS] = {0};
    vi sum[K_CHAINS], total[K_CHAINS], part;
    for (long i = 0; i < n; i++)
        SCALED_BLOCKS(8, 8);
}

/* As Q4_K, but only two dots of 6-bit weights fit in int16 (2*2*63*127 < 32768). */
static void run_q6_k(long n) {
    OPERANDS;
    vf acc[K_CHAINS] = {0};
    vi sum[K_CHAINS], total[K_CHAINS], part;
    for (long i = 0; i < n; i++) {
        EACH(j, K_CHAINS) OUT2("vpmaddwd", total[j], scale, x); // the offset 32
        EACH(k, 7) EACH(j, K_CHAINS) {
            OUT2("vpmaddwd", part, scale, x);
            OUT2("vpaddd", total[j], total[j], part);
        }
        for (int b = 0; b < 16; b++)
            EACH(k, 2) {
                EACH(j, K_CHAINS) OUT2("vpmaddubsw", sum[j], w, x);
                EACH(j, K_CHAINS) OUT2("vpmaddubsw", part, w, x);
                EACH(j, K_CHAINS) OUT2("vpaddw", sum[j], sum[j], part);
                EACH(j, K_CHAINS) OUT2("vpmaddwd", sum[j], sum[j], scale);
                EACH(j, K_CHAINS) OUT2("vpaddd", total[j], total[j], sum[j]);
            }
        EACH(j, K_CHAINS) FOLD(acc[j], total[j], d, d);
    }
}

#define LEVEL_LOOPS peaks_avx2
#define Q4_0_CHAINS K_CHAINS
#define Q2_K_CHAINS K_CHAINS
#define RUN_BF16 NULL

#endif

const struct peak_loop *LEVEL_LOOPS(void) {
    static const struct peak_loop loops[PEAK_COUNT] = {
        [PEAK_F32] = {run_f32, 12 * LANES * 2},
        [PEAK_BF16] = {RUN_BF16, 12 * LANES * 2 * 2},
        [PEAK_DOT] = {run_dot, 12 * LANES * 4 * 2},
        [PEAK_Q4_0] = {run_q4_0, Q4_0_CHAINS * LANES * 32.0 * 2},
        [PEAK_Q8_0] = {run_q8_0, CHAINS * LANES * 32.0 * 2},
        [PEAK_Q2_K] = {run_q2_k, Q2_K_CHAINS * LANES * 256.0 * 2},
        [PEAK_Q4_K] = {run_q4_k, K_CHAINS * LANES * 256.0 * 2},
        [PEAK_Q6_K] = {run_q6_k, K_CHAINS * LANES * 256.0 * 2},
    };
    return loops;
}
