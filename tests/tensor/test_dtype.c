/* Element types: exhaustive scalar conversions, rows of floats, the table. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "tensor/dtype.h"
#include "tensor/quant.h"
#include "tensor/xrow.h"

/* The value a 16-bit float stands for, straight from its definition. */
static double value_of(uint16_t h, int exponent_bits) {
    int mantissa_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = h >> mantissa_bits & ((1 << exponent_bits) - 1);
    int mantissa = h & ((1 << mantissa_bits) - 1);
    double sign = h & 0x8000 ? -1 : 1;
    if (exponent == (1 << exponent_bits) - 1) return mantissa ? (double)NAN : sign * HUGE_VAL;
    if (exponent == 0) return sign * ldexp(mantissa, 1 - bias - mantissa_bits);
    return sign * ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
}

static void test_f16_and_back(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        double want = value_of((uint16_t)h, 5);
        float got = f32_from_f16((uint16_t)h);
        if (isnan(want)) {
            assert_true(isnan(got) && isnan(f32_from_f16(f16_from_f32(got))));
            continue;
        }
        assert_true((double)got == want && !signbit(got) == !signbit(want));
        assert_int_equal(f16_from_f32(got), h);
    }
}

static void test_bf16_and_back(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        double want = value_of((uint16_t)h, 8);
        float got = f32_from_bf16((uint16_t)h);
        if (isnan(want)) {
            assert_true(isnan(got) && isnan(f32_from_bf16(bf16_from_f32(got))));
            continue;
        }
        assert_true((double)got == want);
        bool denormal = (h & 0x7f80) == 0;
        assert_int_equal(bf16_from_f32(got), denormal ? h & 0x8000 : h);
    }
}

/* Between each two neighbours: a little below, at, and a little above the middle. */
static void test_rounding_to_nearest_even(void **state) {
    (void)state;
    for (uint16_t h = 0; h < 0x7bff; h++) {
        float low = f32_from_f16(h), high = f32_from_f16((uint16_t)(h + 1));
        float middle = low + (high - low) / 2;
        assert_int_equal(f16_from_f32(nextafterf(middle, low)), h);
        assert_int_equal(f16_from_f32(middle), h + (h & 1));
        assert_int_equal(f16_from_f32(nextafterf(middle, high)), h + 1);
        assert_int_equal(f16_from_f32(-middle), 0x8000 | (h + (h & 1)));
    }
    assert_int_equal(f16_from_f32(65519.996f), 0x7bff);
    assert_int_equal(f16_from_f32(65520.0f), 0x7c00);
    assert_int_equal(f16_from_f32(INFINITY), 0x7c00);
    for (uint16_t h = 0x80; h < 0x7f7f; h++) {
        float low = f32_from_bf16(h), high = f32_from_bf16((uint16_t)(h + 1));
        float middle = low + (high - low) / 2;
        assert_int_equal(bf16_from_f32(nextafterf(middle, low)), h);
        assert_int_equal(bf16_from_f32(middle), h + (h & 1));
        assert_int_equal(bf16_from_f32(nextafterf(middle, high)), h + 1);
    }
    assert_int_equal(bf16_from_f32(3.4e38f), 0x7f80); // rounds past the largest
}

static void test_floats_round(void **state) {
    (void)state;
    static const struct {
        enum dtype dtype;
        float step; // of values in [-1, 1]
    } cases[] = {{DTYPE_F32, 0}, {DTYPE_F16, 2.5e-4f}, {DTYPE_BF16, 2e-3f}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct rng_key key = {.seed = seed, .purpose = RNG_TEST};
            float x[512], y[512];
            uint8_t row[2048];
            for (int i = 0; i < 512; i++)
                x[i] = 2 * rng_uniform(&key, (uint64_t)i) - 1;
            assert_true(dtype_quantize(cases[c].dtype, x, NULL, row, 512));
            dtype_dequantize(cases[c].dtype, row, y, 512);
            for (int i = 0; i < 512; i++)
                assert_true(fabsf(x[i] - y[i]) <= cases[c].step);
        }
}

static void test_table(void **state) {
    (void)state;
    size_t bytes;
    enum dtype dtype;
    for (int i = 0; i < DTYPE_COUNT; i++) {
        const struct dtype_row *row = dtype_row((enum dtype)i);
        assert_true(dtype_from_name(row->name, &dtype) && dtype == (enum dtype)i);
        if (row->gguf >= 0)
            assert_true(dtype_from_gguf((uint32_t)row->gguf, &dtype) && dtype == (enum dtype)i);
        if (row->safetensors)
            assert_true(
                dtype_from_safetensors(row->safetensors, strlen(row->safetensors), &dtype) &&
                dtype == (enum dtype)i);
        assert_true(dtype_row_bytes((enum dtype)i, 2 * row->block, &bytes));
        assert_int_equal(bytes, 2 * row->bytes);
    }
    assert_true(dtype_from_name("q4_k", &dtype) && dtype == DTYPE_Q4_K);
    assert_false(dtype_from_gguf(UINT32_MAX, &dtype));
    assert_false(dtype_from_name("q9", &dtype));
    assert_false(dtype_from_safetensors("F3", 2, &dtype));
    assert_false(dtype_row_bytes(DTYPE_Q8_0, 33, &bytes));
    assert_false(dtype_row_bytes(DTYPE_F32, -1, &bytes));
    assert_false(dtype_row_bytes(DTYPE_F64, INT64_MAX, &bytes));
}

static void test_xrow(void **state) {
    (void)state;
    static const enum xfmt forms[] = {XFMT_F32, XFMT_BF16, XFMT_Q8_32, XFMT_Q8_256};
    for (size_t f = 0; f < 4; f++)
        for (int64_t n = 256; n < 4096; n += 256) {
            struct xrow_layout layout = xrow_layout(forms[f], n);
            assert_int_equal(layout.bytes % 64, 0);
            if (f < 2) {
                assert_true(layout.bytes >= (size_t)n * (f ? 2 : 4));
                continue;
            }
            assert_int_equal(layout.d_at % 64 + layout.sum_at % 64, 0);
            assert_true(layout.d_at >= (size_t)n);
            assert_true(layout.sum_at >= layout.d_at + 4 * (size_t)(n / xfmt_block(forms[f])));
            assert_true(layout.bytes >= layout.sum_at + (size_t)n / 8);
        }
    assert_true(xrow_layout(XFMT_BF16, 33).bytes >= 68); // the odd one gets a zero partner
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f16_and_back),
        cmocka_unit_test(test_bf16_and_back),
        cmocka_unit_test(test_rounding_to_nearest_even),
        cmocka_unit_test(test_floats_round),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_xrow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
