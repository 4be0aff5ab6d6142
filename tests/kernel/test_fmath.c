/* Own elementary functions: within about an ulp of the truth over wide ranges, and the same bits
 * with the flush bits set or clear. The truth is long double, good to 2^-11 ulp of a double. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"
#include "kernel/fmath.h"
#include "kernel/fpenv.h"
#include "kernel/ref/exp.h"

static const uint64_t seed = 20261126;
enum { N = 20000 };

static double rnd_double(struct rnd *rnd) { // [0, 1), 53 bits
    uint64_t high = rnd_u32(rnd) >> 5, low = rnd_u32(rnd) >> 6;
    return (double)(high << 26 | low) * 0x1p-53;
}

static double ulps(double got, long double want) {
    if ((long double)got == want) return 0;
    double near = fabs((double)want);
    double ulp = nextafter(near, HUGE_VAL) - near;
    return fabs((double)(((long double)got - want) / (long double)ulp));
}

static void within(const char *name, double x, double got, long double want, double limit) {
    if (!(ulps(got, want) <= limit))
        fail_msg("%s(%a) = %a, want %La: %g ulp, seed %llu", name, x, got, want, ulps(got, want),
                 (unsigned long long)seed);
}

static void test_exp64(void **state) {
    (void)state;
    struct rnd rnd = {seed};
    for (int i = 0; i < N; i++) {
        double x = i % 2 ? rnd_double(&rnd) * 1417 - 708 : rnd_double(&rnd) - 0.5;
        within("exp64", x, fmath_exp64(x), expl((long double)x), 1.0);
    }
    assert_true(fmath_exp64(0) == 1);
    assert_true(fmath_exp64(-0.0) == 1);
    assert_true(fmath_exp64(709.7) < HUGE_VAL);
    assert_true(fmath_exp64(710) == HUGE_VAL);
    assert_true(fmath_exp64(HUGE_VAL) == HUGE_VAL);
    assert_true(fmath_exp64(-746) == 0);
    assert_true(fmath_exp64(-HUGE_VAL) == 0);
    assert_true(isnan(fmath_exp64((double)NAN)));
    within("exp64", -740, fmath_exp64(-740), expl(-740), 1.0);
}

static void test_log64(void **state) {
    (void)state;
    struct rnd rnd = {seed + 1};
    for (int i = 0; i < N; i++) {
        double u = rnd_double(&rnd);
        double x = i % 2 ? ldexp(1 + u, rnd_int(&rnd, -1022, 1023)) : 0.5 + u;
        within("log64", x, fmath_log64(x), logl((long double)x), 1.0);
    }
    assert_true(fmath_log64(1) == 0);
    assert_true(fmath_log64(0) == -HUGE_VAL);
    assert_true(fmath_log64(HUGE_VAL) == HUGE_VAL);
    assert_true(isnan(fmath_log64(-1)));
    assert_true(isnan(fmath_log64((double)NAN)));
    within("log64", 0x1p-1074, fmath_log64(0x1p-1074), logl(0x1p-1074L), 1.0);
    within("log64", 0x1.8p-1040, fmath_log64(0x1.8p-1040), logl(0x1.8p-1040L), 1.0);
}

static void test_pow64(void **state) {
    (void)state;
    struct rnd rnd = {seed + 2};
    for (int i = 0; i < N; i++) {
        double x = exp((rnd_double(&rnd) - 0.5) * 40);
        double y = (rnd_double(&rnd) - 0.5) * 1400 / log(x);
        if (fabs(y) > 1e6) continue;
        within("pow64", x, fmath_pow64(x, y), powl((long double)x, (long double)y),
               1.3); // powl itself is not exact here
    }
    for (int i = 0; i < 64; i++) { // what rotary tables ask for
        double y = -2.0 * i / 128;
        within("pow64", 1e6, fmath_pow64(1e6, y), powl(1e6L, (long double)y), 1.0);
        within("pow64", 1e4, fmath_pow64(1e4, y), powl(1e4L, (long double)y), 1.0);
    }
    assert_true(fmath_pow64(10, 3) == 1000);
    assert_true(fmath_pow64(7, 0) == 1);
    assert_true(fmath_pow64(1, 1e300) == 1);
    assert_true(fmath_pow64(2, -1) == 0.5);
    assert_true(fmath_pow64(2, 1e300) == HUGE_VAL);
    assert_true(fmath_pow64(0.5, 1e300) == 0);
    assert_true(fmath_pow64(3, 1e-300) == 1);
    assert_true(fmath_pow64(HUGE_VAL, -2) == 0);
    assert_true(isnan(fmath_pow64((double)NAN, 1)));
    assert_true(isnan(fmath_pow64(-2, 2)));
}

static void test_sincos64(void **state) {
    (void)state;
    struct rnd rnd = {seed + 3};
    double s, c;
    for (int i = 0; i < N; i++) {
        double u = rnd_double(&rnd);
        double x = ldexp(1 + u, rnd_int(&rnd, -30, 29));
        if (i % 3 == 0) x = rint(rnd_double(&rnd) * 0x1p30) * 1.5707963267948966; // near zeros
        if (i % 2) x = -x;
        fmath_sincos64(x, &s, &c);
        within("sin64", x, s, sinl((long double)x), 1.0);
        within("cos64", x, c, cosl((long double)x), 1.0);
    }
    fmath_sincos64(0, &s, &c);
    assert_true(s == 0 && c == 1);
    fmath_sincos64(0x1p31, &s, &c);
    within("sin64", 0x1p31, s, sinl(0x1p31L), 1.0);
    within("cos64", 0x1p31, c, cosl(0x1p31L), 1.0);
    static const double refused[] = {0x1.0000000000001p31, -1e300, HUGE_VAL, (double)NAN};
    for (int i = 0; i < 4; i++) {
        fmath_sincos64(refused[i], &s, &c);
        assert_true(isnan(s) && isnan(c));
    }
}

static void test_exp(void **state) {
    (void)state;
    struct rnd rnd = {seed + 4};
    struct fpenv saved;
    fpenv_enter(&saved);
    double worst = 0;
    for (int i = 0; i < 400000; i++) {
        float x = -87.33654f + (float)(rnd_double(&rnd) * 176.05);
        if (i % 4 == 0) x = rnd_float(&rnd);
        double want = exp((double)x);
        float near = (float)want;
        if (isinf(near)) continue;
        double ulp = (double)nextafterf(near, INFINITY) - (double)near;
        double error = fabs((double)fmath_exp(x) - want) / ulp;
        worst = fmax(worst, error);
    }
    assert_true(fmath_exp(0.0f) == 1.0f && fmath_exp(-0.0f) == 1.0f);
    assert_true(fmath_exp(-1e-42f) == 1.0f);
    assert_true(fmath_exp(EXP_HI) < INFINITY && fmath_exp(EXP_HI) > 3.4e38f);
    assert_true(fmath_exp(nextafterf(EXP_HI, INFINITY)) == INFINITY);
    assert_true(fmath_exp(EXP_LO) >= FLT_MIN);
    assert_true(fmath_exp(nextafterf(EXP_LO, -INFINITY)) == 0.0f);
    assert_true(fmath_exp(INFINITY) == INFINITY && fmath_exp(-INFINITY) == 0.0f);
    assert_true(isnan(fmath_exp(NAN)));
    fpenv_leave(&saved);
    if (!(worst < 1.5)) fail_msg("exp: %g ulp, seed %llu", worst, (unsigned long long)(seed + 4));
}

static void test_softplus(void **state) {
    (void)state;
    struct rnd rnd = {seed + 6};
    struct fpenv saved;
    fpenv_enter(&saved);
    double worst = 0;
    for (int i = 0; i < 200000; i++) {
        float x = (i % 2 ? 3.0f : 86.0f) * rnd_float(&rnd);
        double want = log1p(exp((double)x));
        float near = (float)want;
        double ulp = (double)nextafterf(near, INFINITY) - (double)near;
        worst = fmax(worst, fabs((double)fmath_softplus(x) - want) / ulp);
    }
    for (int i = 0; i < 1000; i++) { // the makers' code is linear above 20
        float x = 20.0f + (float)(rnd_double(&rnd) * 1000);
        assert_true(fmath_softplus(x) == x);
    }
    assert_true(fmath_softplus(0.0f) == fmath_softplus(-0.0f));
    assert_true(fmath_softplus(INFINITY) == INFINITY && fmath_softplus(-INFINITY) == 0.0f);
    assert_true(fmath_softplus(-100.0f) == 0.0f);
    assert_true(isnan(fmath_softplus(NAN)));
    fpenv_leave(&saved);
    if (!(worst < 4))
        fail_msg("softplus: %g ulp, seed %llu", worst, (unsigned long long)(seed + 6));
    print_message("softplus: %g ulp\n", worst);
}

/* Values and arguments that are normal come out the same in the engine's environment. */
static void test_flush_does_not_matter(void **state) {
    (void)state;
    struct rnd rnd = {seed + 5};
    for (int i = 0; i < 2000; i++) {
        double x = (rnd_double(&rnd) - 0.5) * 1400, y = exp(x / 20), got[2][5];
        for (int flush = 0; flush < 2; flush++) {
            struct fpenv saved;
            if (flush) fpenv_enter(&saved);
            got[flush][0] = fmath_exp64(x);
            got[flush][1] = fmath_log64(y);
            got[flush][2] = fmath_pow64(y, 3.3);
            fmath_sincos64(x * 1e6, &got[flush][3], &got[flush][4]);
            if (flush) fpenv_leave(&saved);
        }
        if (memcmp(got[0], got[1], sizeof got[0]) != 0)
            fail_msg("x %a, seed %llu: the flush bits change a result", x,
                     (unsigned long long)(seed + 5));
    }
}

/* A few results pinned to their bits: every compiler, library and CPU gives these. */
static void test_pinned(void **state) {
    (void)state;
    double s, c;
    fmath_sincos64(131071.0 * 0.8203125, &s, &c);
    const double got[] = {fmath_exp64(1), fmath_log64(3), fmath_pow64(1e6, -0.03125), s, c};
    static const double want[] = {0x1.5bf0a8b14576ap+1, 0x1.193ea7aad030ap+0, 0x1.4c7bbfcc7c63cp-1,
                                  0x1.ef0af410aa418p-1, 0x1.055af0858b891p-2};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        if (got[i] != want[i]) fail_msg("value %zu is %a, want %a", i, got[i], want[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp64),
        cmocka_unit_test(test_log64),
        cmocka_unit_test(test_pow64),
        cmocka_unit_test(test_sincos64),
        cmocka_unit_test(test_exp),
        cmocka_unit_test(test_softplus),
        cmocka_unit_test(test_flush_does_not_matter),
        cmocka_unit_test(test_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
