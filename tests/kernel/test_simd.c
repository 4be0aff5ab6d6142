/* The vector vocabulary of one level, lane by lane against C; compiled once a level. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"
#include "kernel/cpu/simd.h"
#include "kernel/fmath.h"
#include "kernel/ref/lanes.h"
#include "simd_tests.h"

static const uint64_t seed = 20261127;
enum { ROUNDS = 4000 };

static void same(const char *what, const float *want, const float *got, size_t n) {
    if (!data_same(what, want, got, n)) fail_msg("%s: seed %llu", what, (unsigned long long)seed);
}

struct draw {
    float a[16], b[16], c[16];
};

static struct draw draw(struct rnd *rnd, int round) {
    struct draw d;
    enum flavour flavour = (enum flavour)(round % FLAVOUR_COUNT);
    data_fill(rnd, flavour, d.a, 16);
    data_fill(rnd, flavour, d.b, 16);
    data_fill(rnd, flavour, d.c, 16);
    return d;
}

static void test_arithmetic(void **state) {
    (void)state;
    struct rnd rnd = {seed};
    for (int round = 0; round < ROUNDS; round++) {
        struct draw d = draw(&rnd, round);
        v16 a = v16_load(d.a), b = v16_load(d.b), c = v16_load(d.c);
        float want[10][16], got[10][16];
        for (int i = 0; i < 16; i++) {
            want[0][i] = d.a[i] + d.b[i];
            want[1][i] = d.a[i] - d.b[i];
            want[2][i] = d.a[i] * d.b[i];
            want[3][i] = d.a[i] / d.b[i];
            want[4][i] = fmaf(d.a[i], d.b[i], d.c[i]);
            want[5][i] = fmaf(d.a[i], d.b[i], -d.c[i]);
            want[6][i] = fmaf(-d.a[i], d.b[i], d.c[i]);
            want[7][i] = fmath_exp(d.a[i]);
            want[8][i] = d.a[i] > d.b[i] ? d.c[i] : d.b[i];
            want[9][i] = sqrtf(d.a[i]);
        }
        v16_store(got[0], v16_add(a, b));
        v16_store(got[1], v16_sub(a, b));
        v16_store(got[2], v16_mul(a, b));
        v16_store(got[3], v16_div(a, b));
        v16_store(got[4], v16_fma(a, b, c));
        v16_store(got[5], v16_fms(a, b, c));
        v16_store(got[6], v16_fnma(a, b, c));
        v16_store(got[7], v16_exp(a));
        v16_store(got[8], v16_select(v16_gt(a, b), c, b));
        v16_store(got[9], v16_sqrt(a));
        same("arithmetic", want[0], got[0], 10 * 16);
    }
}

static void test_exp_range(void **state) {
    (void)state;
    for (uint32_t high = 0; high < 0x10000; high++) { // one draw of each sign, exponent and 7 bits
        float x[16], want[16], got[16];
        for (uint32_t i = 0; i < 16; i++) {
            uint32_t bits = high << 16 | (high * 2654435761u + i * 0x9e3779b1u) >> 16;
            memcpy(&x[i], &bits, sizeof bits);
            want[i] = fmath_exp(x[i]);
        }
        v16_store(got, v16_exp(v16_load(x)));
        same("exp", want, got, 16);
    }
}

static void test_across_lanes(void **state) {
    (void)state;
    struct rnd rnd = {seed + 1};
    for (int round = 0; round < ROUNDS; round++) {
        struct draw d = draw(&rnd, round);
        v16 a = v16_load(d.a), b = v16_load(d.b);
        float max = d.a[0], sum[16], want[32], got[32];
        for (int i = 1; i < 16; i++)
            max = max > d.a[i] || isnan(max) ? max : d.a[i];
        memcpy(sum, d.a, sizeof sum);
        /* The zero of a largest zero is free. */
        same("reduce_max", (float[]){max + 0.0f}, (float[]){v16_reduce_max(a) + 0.0f}, 1);
        same("reduce_add", (float[]){lanes_sum(sum)}, (float[]){v16_reduce_add(a)}, 1);
        v16_store(got, v16_add(v16_max(a, b), v16_zero()));
        for (int i = 0; i < 16; i++)
            want[i] = (d.a[i] > d.b[i] || isnan(d.a[i]) ? d.a[i] : d.b[i]) + 0.0f;
        same("max", want, got, 16);

        v16 even, odd, x, y;
        v16_unzip(a, b, &even, &odd);
        v16_store(got, even);
        v16_store(got + 16, odd);
        for (int i = 0; i < 16; i++) {
            const float *half = i < 8 ? d.a : d.b;
            want[i] = half[2 * (i % 8)];
            want[16 + i] = half[2 * (i % 8) + 1];
        }
        same("unzip", want, got, 32);
        v16_zip(even, odd, &x, &y);
        v16_store(got, x);
        v16_store(got + 16, y);
        memcpy(want, d.a, sizeof d.a);
        memcpy(want + 16, d.b, sizeof d.b);
        same("zip", want, got, 32);
    }
}

/* Tails touch n lanes and no byte more. */
static void test_tails(void **state) {
    (void)state;
    struct rnd rnd = {seed + 2};
    for (int n = 0; n <= 16; n++) {
        struct guarded f32 = guarded_alloc((size_t)n * 4), u16 = guarded_alloc((size_t)n * 2);
        float x[16], want[16] = {0}, got[16];
        data_fill(&rnd, FLAVOUR_PLAIN, x, 16);
        memcpy(want, x, (size_t)n * 4);
        v16_store_n(f32.data, v16_load(x), n);
        v16_store(got, v16_load_n(f32.data, n));
        same("load_n", want, got, 16);
        v16_store(got, v16_pair_even(v16i_load_n(f32.data, n))); // low half of each lane
        for (int i = 0; i < 16; i++) {
            uint32_t bits;
            memcpy(&bits, &want[i], sizeof bits);
            bits <<= 16;
            memcpy(&want[i], &bits, sizeof bits);
        }
        same("v16i_load_n", want, got, 16);

        v16_store_bf16_n(u16.data, v16_load(x), n);
        v16_store(got, v16_load_bf16_n(u16.data, n));
        for (int i = 0; i < 16; i++)
            want[i] = i < n ? f32_from_bf16(bf16_from_f32(x[i])) : 0.0f;
        same("bf16_n", want, got, 16);
        for (int i = 0; i < n; i++)
            ((uint16_t *)u16.data)[i] = f16_from_f32(x[i]);
        v16_store(got, v16_load_f16_n(u16.data, n));
        for (int i = 0; i < 16; i++)
            want[i] = i < n ? f32_from_f16(f16_from_f32(x[i])) : 0.0f;
        same("f16_n", want, got, 16);

        v16_store(got, v16_first_n(v16_load(x), n, v16_set1(9.0f)));
        for (int i = 0; i < 16; i++)
            want[i] = i < n ? x[i] : 9.0f;
        same("first_n", want, got, 16);
        guarded_free(&f32);
        guarded_free(&u16);
    }
}

static void test_16_bit_floats(void **state) {
    (void)state;
    for (uint32_t base = 0; base < 0x10000; base += 16) { // all of both types
        uint16_t h[16];
        float want[16], got[16];
        for (uint32_t i = 0; i < 16; i++) {
            h[i] = (uint16_t)(base + i);
            want[i] = f32_from_f16(h[i]);
        }
        v16_store(got, v16_load_f16(h));
        same("f16", want, got, 16);
        for (int i = 0; i < 16; i++)
            want[i] = f32_from_bf16(h[i]);
        v16_store(got, v16_load_bf16(h));
        same("bf16", want, got, 16);
    }
    struct rnd rnd = {seed + 3};
    for (int round = 0; round < 8 * ROUNDS; round++) {
        struct draw d = draw(&rnd, round);
        uint16_t h[16];
        float want[16], got[16];
        v16_store_bf16(h, v16_load(d.a));
        for (int i = 0; i < 16; i++) {
            got[i] = f32_from_bf16(h[i]);
            want[i] = f32_from_bf16(bf16_from_f32(d.a[i]));
        }
        same("to_bf16", want, got, 16);
    }
}

/* v16i_pack_f16 and _bf16 of 32 floats are what tensor/ makes of each, NaN included. */
static void packed(const float x[32]) {
    uint16_t want[32];
    v16i got = v16i_pack_f16(v16_load(x), v16_load(x + 16));
    for (int i = 0; i < 32; i++)
        want[i] = f16_from_f32(x[i]);
    assert_memory_equal(&got, want, sizeof want);
    got = v16i_pack_bf16(v16_load(x), v16_load(x + 16));
    for (int i = 0; i < 32; i++)
        want[i] = bf16_from_f32(x[i]);
    assert_memory_equal(&got, want, sizeof want);
}

/* Each f16, what lies midway to the next larger one, and the floats beside them: wherever rounding
 * to f16 changes its mind. */
static void test_pack(void **state) {
    (void)state;
    float x[32];
    int n = 0;
    for (uint32_t h = 0; h < 0x10000; h++) {
        float here = f32_from_f16((uint16_t)h), next = f32_from_f16((uint16_t)(h + 1));
        if ((h & 0x7fff) == 0x7bff) next = h & 0x8000 ? -65536.0f : 65536.0f; // then infinity
        float at[2] = {here, (h & 0x7fff) < 0x7c00 ? 0.5f * here + 0.5f * next : here};
        for (int i = 0; i < 6; i++) {
            uint32_t bits;
            memcpy(&bits, &at[i / 3], sizeof bits);
            bits += (uint32_t)(i % 3) - 1;
            memcpy(&x[n], &bits, sizeof bits);
            n = (n + 1) % 32;
            if (n == 0) packed(x);
        }
    }
    struct rnd rnd = {seed + 6};
    for (int round = 0; round < 8 * ROUNDS; round++) {
        data_fill(&rnd, (enum flavour)(round % FLAVOUR_COUNT), x, 32);
        packed(x);
    }
}

static void test_dpbf16(void **state) {
    (void)state;
    struct rnd rnd = {seed + 4};
    for (int round = 0; round < 16 * ROUNDS; round++) {
        struct draw d = draw(&rnd, round);
        uint16_t w[32], x[32];
        float more[32], want[16], got[16], dropped[16];
        data_fill(&rnd, (enum flavour)(round % FLAVOUR_COUNT), more, 32);
        for (int i = 0; i < 32; i++) {
            w[i] = bf16_from_f32(i < 16 ? d.a[i] : d.b[i - 16]);
            x[i] = bf16_from_f32(more[i]);
        }
        if (round % 5 == FLAVOUR_BITS)
            for (int i = 0; i < 32; i++)
                w[i] = (uint16_t)rnd_u32(&rnd); // denormal bf16 too
        for (int i = 0; i < 16; i++) {
            float odd = fmaf(f32_from_bf16(w[2 * i + 1]), f32_from_bf16(x[2 * i + 1]), d.c[i]);
            want[i] = fmaf(f32_from_bf16(w[2 * i]), f32_from_bf16(x[2 * i]), odd);
        }
        v16 c = v16_load(d.c);
        v16_store(got, v16_dpbf16(c, v16i_load(w), v16i_load(x)));
        same("dpbf16", want, got, 16);
        v16_store(got, v16_dpbf16(c, v16i_load(w), v16i_set1_pair(x)));
        for (int i = 0; i < 16; i++) {
            float odd = fmaf(f32_from_bf16(w[2 * i + 1]), f32_from_bf16(x[1]), d.c[i]);
            want[i] = fmaf(f32_from_bf16(w[2 * i]), f32_from_bf16(x[0]), odd);
        }
        same("dpbf16 of one pair", want, got, 16);
        v16_store(dropped, v16_pair_odd(v16i_drop_odd(v16i_load(w))));
        memset(want, 0, sizeof want);
        same("drop_odd", want, dropped, 16);
    }
}

static void test_small_integers(void **state) {
    (void)state;
    struct rnd rnd = {seed + 5};
    for (int round = 0; round < ROUNDS; round++) {
        uint16_t a[32], b[32], low[32], high[32], stored[32];
        int8_t q[16];
        float want[16], got[16];
        for (int i = 0; i < 32; i++) {
            a[i] = (uint16_t)rnd_u32(&rnd);
            b[i] = (uint16_t)rnd_u32(&rnd);
            low[i] = i % 2 ? b[i - 1] : a[i];
        }
        for (int i = 0; i < 32; i++)
            high[i] = i % 2 ? b[i] : a[i + 1];
        v16i x = v16i_load(a), y = v16i_load(b);
        v16i results[2] = {v16i_low_halves(x, y), v16i_high_halves(x, y)};
        memcpy(stored, &results[0], sizeof stored);
        assert_memory_equal(stored, low, sizeof low);
        memcpy(stored, &results[1], sizeof stored);
        assert_memory_equal(stored, high, sizeof high);
        for (int i = 0; i < 16; i++) {
            q[i] = (int8_t)rnd_u32(&rnd);
            want[i] = (float)q[i];
        }
        v16_store(got, v16_load_i8(q));
        same("load_i8", want, got, 16);
    }
}

int simd_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_arithmetic, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_exp_range, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_across_lanes, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_tails, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_16_bit_floats, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_pack, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_dpbf16, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_small_integers, data_enter, data_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
