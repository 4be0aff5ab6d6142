/* Seeded data for kernel tests, and how their results are compared.
 *
 * Everything follows from a test's seed: no hidden state, the same numbers everywhere. */
#ifndef JL_TESTS_KERNEL_DATA_H
#define JL_TESTS_KERNEL_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/kernel.h"

struct rnd {
    uint64_t state;
};
uint32_t rnd_u32(struct rnd *rnd);
int rnd_int(struct rnd *rnd, int lo, int hi); // lo..hi
float rnd_float(struct rnd *rnd);             // [-1, 1)

/* What the numbers look like. */
enum flavour {
    FLAVOUR_PLAIN,  // [-2, 2)
    FLAVOUR_WIDE,   // exponents from 2^-40 to 2^40
    FLAVOUR_TINY,   // around the smallest normal number: products underflow
    FLAVOUR_CORNER, // zeros of both signs, denormals, extremes, infinities, NaN, among plain ones
    FLAVOUR_BITS,   // any bits
    FLAVOUR_COUNT
};
void data_fill(struct rnd *rnd, enum flavour flavour, float *x, size_t n);

/* Same bits, or both NaN. On a difference prints the place and returns false. */
bool data_same(const char *what, const float *want, const float *got, size_t n);

/* FNV-1a over the bits, 64 bits wide: results pinned in a test. */
uint64_t data_checksum(uint64_t sum, const float *x, size_t n);
#define DATA_CHECKSUM UINT64_C(0xcbf29ce484222325)

/* Memory whose first byte after the end, and the page before its start, cannot be touched. */
struct guarded {
    void *map;
    size_t map_bytes;
    void *data; // `bytes` bytes that end at the guard
};
struct guarded guarded_alloc(size_t bytes);
void guarded_free(struct guarded *guarded);

/* Group set-up and tear-down: the floating-point environment that kernels expect, and back. */
int data_enter(void **state);
int data_leave(void **state);

/* The table of a level; false when this CPU lacks it, said aloud, or another kind of CPU has it. */
bool data_table(const char *level, struct kernel_table *table);
/* Fails the test unless `name` ends in the level, so that the level under test really ran. */
void data_assert_level(const char *name, const char *level);

#endif
