/* Ceilings of one core: loops that do nothing but the arithmetic that a kernel cannot do without.
 *
 * All operands are registers, so a loop runs as fast as the arithmetic units take its instructions;
 * a kernel also loads, unpacks and stores, and stays below. The loops are compiled once a level. */
#ifndef JL_CLI_PEAKS_PEAKS_H
#define JL_CLI_PEAKS_PEAKS_H

/* id, name, unit, what one iteration of the loop consists of.
 *
 * The block loops are what the linear rules of docs/numerics.md ask for each vector of outputs and
 * each row: the exact integer dots of a block, its sub-scales and minima, then conversion, product
 * of the two scales and fma. Only the multiplications and additions of the dots are counted, as for
 * the kernels: the rest is why these ceilings lie below that of the bare dot. */
#define PEAK_LIST(X)                                                                               \
    X(PEAK_F32, "f32", "GFLOP/s", "fma only")                                                      \
    X(PEAK_BF16, "bf16", "GFLOP/s", "VDPBF16PS only")                                              \
    X(PEAK_DOT, "int8 dot", "GOP/s", "VPDPBUSD; avx2: VPMADDUBSW, VPMADDWD, VPADDD; amx: TDPBSSD") \
    X(PEAK_Q4_0, "q4_0 tile", "GOP/s", "32 k of dots, convert, scale product, fma")                \
    X(PEAK_Q8_0, "q8_0 tile", "GOP/s", "the same of 8-bit weights, which avx2 widens")             \
    X(PEAK_Q2_K, "q2_k tile", "GOP/s", "256 k of dots, avx2: 16 scales; minima, 2 folds")          \
    X(PEAK_Q4_K, "q4_k tile", "GOP/s", "256 k: 8 sub-blocks of dots times scale, minima, 2 folds") \
    X(PEAK_Q6_K, "q6_k tile", "GOP/s", "256 k: 16 sub-blocks of dots times scale, offset, fold")

enum peak_id {
#define X(id, ...) id,
    PEAK_LIST(X)
#undef X
        PEAK_COUNT
};

struct peak_loop {
    void (*run)(long iterations); // NULL: the level lacks the instruction
    double ops;                   // an iteration: 2 for each product that is added
};

/* (PEAK_COUNT), in order of id. */
const struct peak_loop *peaks_avx2(void);
const struct peak_loop *peaks_avx512(void);
const struct peak_loop *peaks_amx(void); // of integers only

#endif
