/* Chunk layout: each position and dimension has one place of its own, as the header states it. */
#include <math.h>
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

/* q8: each 32 dims of a position are rounded by the rule of integer types, and stand with their
 * scale where the header says, padded by zeros to the width. */
static void q8_position(const uint8_t *k, const uint8_t *v, int d, int j, const float *x) {
    size_t width = kv_q8_width(d), n_block = kv_q8_blocks(d), slot = (size_t)j;
    const uint8_t *group = k + slot / 16 * 16 * kv_q8_bytes(d);
    const uint8_t *value = v + slot * kv_q8_bytes(d);
    for (size_t b = 0; b < n_block; b++) {
        float amax = 0, key_d, value_d;
        int last = d < 32 * (int)(b + 1) ? d : 32 * (int)(b + 1);
        for (int i = 32 * (int)b; i < last; i++)
            amax = fmaxf(amax, fabsf(x[i]));
        memcpy(&key_d, group + 16 * width + 64 * b + 4 * (slot % 16), sizeof key_d);
        memcpy(&value_d, value + width + 4 * b, sizeof value_d);
        assert_true(key_d == amax / 127.0f && value_d == key_d);
        for (int i = 32 * (int)b; i < (int)width && i < 32 * (int)(b + 1); i++) {
            float want = i < d && amax > 0 ? rintf(x[i] * (127.0f / amax)) : 0;
            assert_true((int8_t)group[i / 4 * 64 + j % 16 * 4 + i % 4] == (int8_t)want);
            assert_true((int8_t)value[i] == (int8_t)want);
            if (i < d) assert_true(fabsf(x[i] - want * key_d) <= 0.501f * key_d);
        }
    }
}

static void test_q8(void **state) {
    (void)state;
    static const int dims[] = {2, 6, 10, 16, 24, 34, 64, 80, 96, 128, 192, 256, 576};
    for (size_t t = 0; t < sizeof dims / sizeof dims[0]; t++) {
        int d = dims[t];
        size_t bytes = kvchunk_bytes(KV_Q8, d), n = (size_t)KV_CHUNK * (size_t)d;
        assert_int_equal(bytes, KV_CHUNK * ((d + 15) / 16 * 16 + (d + 31) / 32 * 4));
        struct rnd rnd = {(uint64_t)d};
        float *x = malloc(n * sizeof *x);
        uint8_t *k = malloc(bytes), *v = malloc(bytes); // exact sizes
        assert_true(x && k && v);
        data_fill(&rnd, FLAVOUR_PLAIN, x, n);
        for (int i = 0; i < d; i++)
            x[i] = 0, x[2 * d + i] = i % 40 == 3 ? -1e20f : 1; // zeros; a huge one in most blocks
        for (int j = KV_CHUNK - 1; j >= 0; j--) {
            kvchunk_put_key(KV_Q8, k, d, j, x + (size_t)j * (size_t)d);
            kvchunk_put_value(KV_Q8, v, d, j, x + (size_t)j * (size_t)d);
        }
        for (int j = 0; j < KV_CHUNK; j++)
            q8_position(k, v, d, j, x + (size_t)j * (size_t)d);
        free(x);
        free(k);
        free(v);
    }
}

/* What is no number leaves a scale that is none: attention then gives NaN, which is found. */
static void test_q8_not_finite(void **state) {
    (void)state;
    uint8_t v[KV_CHUNK * 20];
    assert_int_equal(kvchunk_bytes(KV_Q8, 16), sizeof v);
    for (int bad = 0; bad < 2; bad++) {
        float x[16] = {1, 2, bad ? NAN : -INFINITY}, d;
        kvchunk_put_value(KV_Q8, v, 16, 0, x);
        memcpy(&d, v + 16, sizeof d);
        assert_true(isnan(d));
        for (int i = 0; i < 16; i++)
            assert_int_equal(v[i], 0);
    }
}

/* Clearing leaves what a chunk has that only the first positions were ever put into. */
static void test_clear(void **state) {
    (void)state;
    static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16, KV_Q8};
    static const int dims[] = {2, 10, 34, 80};
    float x[80];
    for (size_t t = 0; t < 4; t++)
        for (size_t i = 0; i < 4; i++)
            for (int from = 0; from <= KV_CHUNK; from++) {
                int d = dims[i];
                size_t bytes = kvchunk_bytes(types[t], d);
                uint8_t *whole = calloc(2, bytes), *want = calloc(2, bytes);
                assert_true(whole && want);
                struct rnd rnd = {(uint64_t)d};
                for (int j = 0; j < KV_CHUNK; j++) {
                    data_fill(&rnd, FLAVOUR_PLAIN, x, (size_t)d);
                    kvchunk_put_key(types[t], whole, d, j, x);
                    kvchunk_put_value(types[t], whole + bytes, d, j, x);
                    if (j >= from) continue;
                    kvchunk_put_key(types[t], want, d, j, x);
                    kvchunk_put_value(types[t], want + bytes, d, j, x);
                }
                kvchunk_clear_keys(types[t], whole, d, from);
                kvchunk_clear_values(types[t], whole + bytes, d, from);
                if (memcmp(whole, want, 2 * bytes) != 0)
                    fail_msg("%s, d %d, from %d", dtype_name(types[t]), d, from);
                free(whole);
                free(want);
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
        cmocka_unit_test(test_layout),           cmocka_unit_test(test_q8),
        cmocka_unit_test(test_q8_not_finite),    cmocka_unit_test(test_clear),
        cmocka_unit_test(test_not_a_cache_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
