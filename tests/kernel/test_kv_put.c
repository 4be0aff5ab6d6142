/* put_keys and put_values: every level writes the reference's bytes, NaN included, and touches
 * nothing else: neither other positions' bytes nor what lies beyond the numbers or the chunk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"
#include "tensor/kvchunk.h"

static const uint64_t seed = 20261127;

static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16, KV_Q8};

typedef void put_fn(const struct kv_put_args *args);

struct put_case {
    const char *name;
    put_fn *ref, *fast;
};

/* Bytes of a chunk that are not written keep what they were. */
static void old_bytes(uint8_t *chunk, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        chunk[i] = (uint8_t)(i * 37 + 11);
}

static void check(const struct put_case *c, struct kv_put_args args, enum flavour flavour,
                  struct rnd *rnd) {
    size_t bytes = kvchunk_bytes(args.kv, args.d);
    args.x_stride = (size_t)args.d + (size_t)rnd_int(rnd, 0, 5);
    size_t n = (size_t)(args.n - 1) * args.x_stride + (size_t)args.d;
    struct guarded x = guarded_alloc(n * sizeof(float)), chunk = guarded_alloc(bytes);
    uint8_t *want = malloc(bytes);
    assert_non_null(want);
    data_fill(rnd, flavour, x.data, n);
    old_bytes(want, bytes);
    old_bytes(chunk.data, bytes);
    args.x = x.data;
    args.chunk = want;
    c->ref(&args);
    args.chunk = chunk.data;
    c->fast(&args);
    if (memcmp(want, chunk.data, bytes) != 0)
        fail_msg("%s: seed %llu, %s, d %d, flavour %d, positions %d to %d", c->name,
                 (unsigned long long)seed, dtype_name(args.kv), args.d, (int)flavour, args.slot,
                 args.slot + args.n - 1);
    free(want);
    guarded_free(&x);
    guarded_free(&chunk);
}

/* All dims that end differently, positions anywhere. */
static void check_dims(const struct put_case *c, enum dtype kv, struct rnd *rnd) {
    for (int d = 2; d <= 200; d += 2)
        for (int f = 0; f < FLAVOUR_COUNT; f++) {
            int slot = rnd_int(rnd, 0, KV_CHUNK - 1), n = rnd_int(rnd, 1, KV_CHUNK - slot);
            check(c, (struct kv_put_args){.kv = kv, .d = d, .slot = slot, .n = n}, (enum flavour)f,
                  rnd);
        }
}

/* All ways of starting and ending within groups and pairs, at a width that is no whole span. */
static void check_places(const struct put_case *c, enum dtype kv, struct rnd *rnd) {
    for (int slot = 0; slot <= 32; slot++)
        for (int n = 1; n <= 34; n++)
            check(c, (struct kv_put_args){.kv = kv, .d = 42, .slot = slot, .n = n}, FLAVOUR_CORNER,
                  rnd);
}

static void test_levels(void **state) {
    (void)state;
    struct kernel_table ref;
    assert_true(data_table("ref", &ref));
    for (enum kernel_level level = LEVEL_REF + 1; level < LEVEL_COUNT; level++) {
        struct kernel_table table;
        if (!data_table(kernel_level_name(level), &table)) continue;
        const struct put_case cases[] = {
            {table.row_name[KSLOT_put_keys], ref.put_keys, table.put_keys},
            {table.row_name[KSLOT_put_values], ref.put_values, table.put_values},
        };
        struct rnd rnd = {seed};
        for (int i = 0; i < 2; i++) {
            data_assert_level(cases[i].name, kernel_level_name(level));
            assert_ptr_not_equal(cases[i].fast, cases[i].ref);
            for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
                struct kv_put_args whole = {.kv = types[t], .d = 576, .n = KV_CHUNK};
                check_dims(&cases[i], types[t], &rnd);
                check_places(&cases[i], types[t], &rnd);
                check(&cases[i], whole, FLAVOUR_BITS, &rnd);
            }
        }
    }
}

/* The reference puts positions one by one where tensor/kvchunk.h says. */
static void test_reference(void **state) {
    (void)state;
    struct kernel_table ref;
    assert_true(data_table("ref", &ref));
    struct rnd rnd = {seed};
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        enum { D = 6, SLOT = 13, N = 5, STRIDE = 8 };
        float x[N * STRIDE];
        size_t bytes = kvchunk_bytes(types[t], D);
        uint8_t *got = malloc(4 * bytes), *want = got + 2 * bytes;
        assert_non_null(got);
        data_fill(&rnd, FLAVOUR_PLAIN, x, N * STRIDE);
        old_bytes(got, bytes);
        old_bytes(got + bytes, bytes);
        memcpy(want, got, 2 * bytes);
        struct kv_put_args args = {types[t], D, SLOT, N, x, STRIDE, got};
        ref.put_keys(&args);
        args.chunk = got + bytes;
        ref.put_values(&args);
        for (int j = 0; j < N; j++) {
            kvchunk_put_key(types[t], want, D, SLOT + j, x + j * STRIDE);
            kvchunk_put_value(types[t], want + bytes, D, SLOT + j, x + j * STRIDE);
        }
        assert_memory_equal(got, want, 2 * bytes);
        free(got);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reference, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_levels, data_enter, data_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
