/* Chunk layout: each position and dimension has one place of its own, as the header states it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"
#include "tensor/kvchunk.h"

static size_t key_at(enum dtype kv, int d, int j, int i) {
    return (size_t)(kv == DTYPE_BF16 ? ((j / 16) * (d / 2) + i / 2) * 32 + (j % 16) * 2 + i % 2
                                     : ((j / 16) * d + i) * 16 + j % 16);
}

static size_t value_at(enum dtype kv, int d, int j, int i) {
    return (size_t)(kv == DTYPE_BF16 ? (j / 2) * 2 * d + 2 * i + j % 2 : j * d + i);
}

static float element(enum dtype kv, const void *chunk, size_t at) {
    if (kv == DTYPE_F32) return ((const float *)chunk)[at];
    uint16_t h = ((const uint16_t *)chunk)[at];
    return kv == DTYPE_F16 ? f32_from_f16(h) : f32_from_bf16(h);
}

static float rounded(enum dtype kv, float x) {
    if (kv == DTYPE_F32) return x;
    return kv == DTYPE_F16 ? f32_from_f16(f16_from_f32(x)) : f32_from_bf16(bf16_from_f32(x));
}

static void layout(enum dtype kv, int d) {
    size_t bytes = kvchunk_bytes(kv, d), n = (size_t)KV_CHUNK * (size_t)d;
    assert_int_equal(bytes, n * (kv == DTYPE_F32 ? 4 : 2));
    struct rnd rnd = {(uint64_t)d};
    float *x = malloc(n * sizeof *x), *k = malloc(bytes), *v = malloc(bytes); // exact sizes
    assert_non_null(x);
    assert_non_null(k);
    assert_non_null(v);
    data_fill(&rnd, FLAVOUR_PLAIN, x, n);
    for (int j = KV_CHUNK - 1; j >= 0; j--) { // any order of writing
        kvchunk_put_key(kv, k, d, j, x + (size_t)j * (size_t)d);
        kvchunk_put_value(kv, v, d, j, x + (size_t)j * (size_t)d);
    }
    for (int j = 0; j < KV_CHUNK; j++)
        for (int i = 0; i < d; i++) {
            float want = rounded(kv, x[(size_t)j * (size_t)d + (size_t)i]);
            assert_true(element(kv, k, key_at(kv, d, j, i)) == want);
            assert_true(element(kv, v, value_at(kv, d, j, i)) == want);
        }
    free(x);
    free(k);
    free(v);
}

static void test_layout(void **state) {
    (void)state;
    static const int dims[] = {2, 8, 10, 24, 64, 80, 128, 512};
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
        layout(DTYPE_F32, dims[i]);
        layout(DTYPE_F16, dims[i]);
        layout(DTYPE_BF16, dims[i]);
    }
}

static void test_not_a_cache_type(void **state) {
    (void)state;
    assert_int_equal(kvchunk_bytes(DTYPE_Q8_0, 64), 0);
    uint8_t chunk[64] = {0}, zero[64] = {0};
    kvchunk_put_key(DTYPE_Q8_0, chunk, 2, 0, (float[]){1, 2});
    kvchunk_put_value(DTYPE_I32, chunk, 2, 0, (float[]){1, 2});
    assert_memory_equal(chunk, zero, sizeof zero);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_not_a_cache_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
