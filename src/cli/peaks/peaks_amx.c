/* The ceiling loops of AMX: products of 16 rows by 16 outputs, stored, and read back by the vectors
 * that scale and add them; all in the first cache. Written out like those of peaks.c. */
#include <stddef.h>
#include <stdint.h>

#include "cli/peaks/peaks.h"

enum { ROWS = 16 };

typedef float vf __attribute__((vector_size(64)));
typedef int vi __attribute__((vector_size(64)));

#define EACH_ROW(r) _Pragma("GCC unroll 16") for (int r = 0; r < ROWS; r++)

#define TILE_ZERO(c) __asm__ volatile("tilezero %tmm" #c)
#define TILE_DOT(c) __asm__ volatile("tdpbssd %tmm5, %tmm4, %tmm" #c)
#define TILE_STORE(c, to)                                                                          \
    __asm__ volatile("tilestored %%tmm" #c ", (%0,%1,1)" : : "r"(to), "r"((long)64) : "memory")
#define TILE_RELEASE() __asm__ volatile("tilerelease")

/* Tile registers 0 to 3 hold sums, 4 rows and 5 weights, of `steps` times four elements. */
static void configure(int steps) {
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    for (int i = 0; i < 6; i++) {
        config.rows[i] = (uint8_t)(i == 5 ? steps : ROWS);
        config.row_bytes[i] = (uint16_t)(i == 4 ? 4 * steps : 64);
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(config));
    TILE_ZERO(4);
    TILE_ZERO(5);
}

static void run_dot(long n) {
    configure(16);
    for (long i = 0; i < n; i++) {
        TILE_DOT(0);
        TILE_DOT(1);
        TILE_DOT(2);
        TILE_DOT(3);
    }
    TILE_RELEASE();
}

struct work {
    _Alignas(64) vi sums[2][ROWS];
    vf d, scale, chains[ROWS];
    vi minima[8];
    float d_x[ROWS];
    int pairs[8];
};

#define SPREAD(x) ((vf){0} + (x))
/* out = (float)sum; acc += a * b; acc -= a * b; sum += pairs of products. */
#define CONVERT(out, sum) __asm__ volatile("vcvtdq2ps %1, %0" : "=v"(out) : "m"(sum))
#define CONVERT_REGISTER(out, sum) __asm__ volatile("vcvtdq2ps %1, %0" : "=v"(out) : "v"(sum))
#define MUL(out, a, b) __asm__ volatile("vmulps %2, %1, %0" : "=v"(out) : "v"(a), "v"(b))
#define FMA(acc, a, b) __asm__ volatile("vfmadd231ps %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b))
#define FNMA(acc, a, b) __asm__ volatile("vfnmadd231ps %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b))
#define DOT16(sum, a, x)                                                                           \
    __asm__ volatile("vpdpwssd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(a), "m"(x))

/* acc = fma((float)sum, d_w*d_x, acc). */
static inline void fold(const struct work *work, int half, vf acc[ROWS]) {
    const vf d = work->d;
    EACH_ROW(r) {
        vf value, scale;
        CONVERT(value, work->sums[half][r]);
        MUL(scale, d, SPREAD(work->d_x[r]));
        FMA(acc[r], value, scale);
    }
}

/* Sixteen minima in pairs, or eight: products with the sums of activations, then as any sum. */
static inline void fold_minima(const struct work *work, int pairs, vf acc[ROWS]) {
    const vf d = work->d;
    EACH_ROW(r) {
        vi sum = {0};
        vf value, scale;
        for (int i = 0; i < pairs; i++)
            DOT16(sum, work->minima[i], work->pairs[i]);
        CONVERT_REGISTER(value, sum);
        MUL(scale, d, SPREAD(work->d_x[r]));
        FNMA(acc[r], value, scale);
    }
}

static void run_q8_0(long n) {
    struct work work = {0};
    vf acc[ROWS] = {0};
    configure(8);
    for (long i = 0; i < n; i++) {
        TILE_ZERO(0);
        TILE_DOT(0);
        TILE_STORE(0, work.sums[0]);
        fold(&work, 1, acc);
        TILE_ZERO(1);
        TILE_DOT(1);
        TILE_STORE(1, work.sums[1]);
        fold(&work, 0, acc);
    }
    TILE_RELEASE();
}

/* A superblock by `planes` of sums over all of it, which are put together at its end. */
static inline void superblock(int planes, int pairs, struct work *work) {
    vf acc[ROWS];
    for (int p = 0; p < planes; p++) {
        TILE_ZERO(0);
        TILE_DOT(0);
        TILE_DOT(0);
        TILE_DOT(0);
        TILE_DOT(0);
        TILE_STORE(0, work->sums[p % 2]);
    }
    EACH_ROW(r) acc[r] = work->chains[r];
    for (int p = 1; p < planes; p++)
        EACH_ROW(r) work->sums[0][r] = (work->sums[0][r] << 3) + work->sums[1][r];
    fold(work, 0, acc);
    if (pairs) fold_minima(work, pairs, acc);
    EACH_ROW(r) work->chains[r] = acc[r];
}

static void superblocks(long n, int planes, int pairs) {
    struct work work = {0};
    configure(16);
    for (long i = 0; i < n; i++)
        superblock(planes, pairs, &work);
    TILE_RELEASE();
}

static void run_q2_k(long n) { superblocks(n, 1, 8); }
static void run_q4_k(long n) { superblocks(n, 2, 4); }
static void run_q6_k(long n) { superblocks(n, 3, 0); }

const struct peak_loop *peaks_amx(void) {
    static const struct peak_loop loops[PEAK_COUNT] = {
        [PEAK_DOT] = {run_dot, 4.0 * ROWS * 16 * 64 * 2},
        [PEAK_Q4_0] = {run_q8_0, 2.0 * ROWS * 16 * 32 * 2},
        [PEAK_Q8_0] = {run_q8_0, 2.0 * ROWS * 16 * 32 * 2},
        [PEAK_Q2_K] = {run_q2_k, 1.0 * ROWS * 16 * 256 * 2},
        [PEAK_Q4_K] = {run_q4_k, 1.0 * ROWS * 16 * 256 * 2},
        [PEAK_Q6_K] = {run_q6_k, 1.0 * ROWS * 16 * 256 * 2},
    };
    return loops;
}
