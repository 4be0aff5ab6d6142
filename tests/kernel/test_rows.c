/* Row kernels: every level equals the reference bit for bit, and the reference is accurate. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"

static const uint64_t seed = 20261124;
enum { N_MAX = 1100 };

/* Lengths 1..70 and a few long ones. */
static int length(int i) {
    static const int more[] = {80, 96, 127, 128, 129, 576, 896, 1000, 1024, N_MAX};
    return i < 70 ? i + 1 : more[i - 70];
}
enum { N_LENGTH = 80 };

struct pair { // a level against ref
    struct kernel_table ref, level;
    const char *name;
    struct rnd rnd;
};

static void check(const char *what, const struct pair *p, const float *want, const float *got,
                  int n, int shown) {
    if (!data_same(what, want, got, (size_t)n))
        fail_msg("%s.%s: seed %llu, n %d", what, p->name, (unsigned long long)seed, shown);
}

static void pair_rms_norm(struct pair *p) {
    assert_ptr_not_equal(p->level.rms_norm, p->ref.rms_norm);
    data_assert_level(p->level.row_name[KSLOT_rms_norm], p->name);
    static float x[N_MAX], w[N_MAX], want[N_MAX + 1], got[N_MAX + 1];
    for (int f = 0; f < FLAVOUR_COUNT; f++)
        for (int i = 0; i < N_LENGTH; i++) {
            int n = length(i);
            data_fill(&p->rnd, f, x, (size_t)n);
            data_fill(&p->rnd, i % 3 ? FLAVOUR_PLAIN : f, w, (size_t)n);
            want[n] = got[n] = 7.0f;
            struct rms_norm_args args = {.x = x, .w = i % 5 ? w : NULL, .y = want, .n = n};
            args.eps = i % 2 ? 1e-6f : 1e-5f;
            p->ref.rms_norm(&args);
            args.y = got;
            p->level.rms_norm(&args);
            check("rms_norm", p, want, got, n + 1, n);
            args.y = x; // in place
            p->level.rms_norm(&args);
            check("rms_norm in place", p, want, x, n, n);
        }
}

static void pair_rope(struct pair *p) {
    assert_ptr_not_equal(p->level.rope, p->ref.rope);
    data_assert_level(p->level.row_name[KSLOT_rope], p->name);
    for (int f = 0; f < FLAVOUR_COUNT; f++)
        for (int i = 0; i < 2 * 64; i++) {
            int n = 2 * (i / 2 + 1);
            float cs[128], want[130], got[130];
            data_fill(&p->rnd, f == FLAVOUR_BITS ? f : FLAVOUR_PLAIN, cs, (size_t)n);
            data_fill(&p->rnd, f, want, (size_t)n + 2);
            memcpy(got, want, sizeof got);
            struct rope_args args = {.x = want, .cs = cs, .n_rot = n, .interleaved = i % 2};
            p->ref.rope(&args);
            args.x = got;
            p->level.rope(&args);
            check(i % 2 ? "rope interleaved" : "rope", p, want, got, n + 2, n);
        }
}

static void pair_elementwise(struct pair *p) {
    assert_ptr_not_equal(p->level.silu_mul, p->ref.silu_mul);
    assert_ptr_not_equal(p->level.add, p->ref.add);
    assert_ptr_not_equal(p->level.add_scaled, p->ref.add_scaled);
    assert_ptr_not_equal(p->level.sigmoid_mul, p->ref.sigmoid_mul);
    assert_ptr_not_equal(p->level.attn_finish, p->ref.attn_finish);
    data_assert_level(p->level.row_name[KSLOT_silu_mul], p->name);
    data_assert_level(p->level.row_name[KSLOT_add], p->name);
    data_assert_level(p->level.row_name[KSLOT_add_scaled], p->name);
    data_assert_level(p->level.row_name[KSLOT_sigmoid_mul], p->name);
    data_assert_level(p->level.row_name[KSLOT_attn_finish], p->name);
    static float a[N_MAX], b[N_MAX], want[N_MAX + 1], got[N_MAX + 1];
    for (int f = 0; f < FLAVOUR_COUNT; f++)
        for (int i = 0; i < N_LENGTH; i++) {
            int n = length(i);
            data_fill(&p->rnd, f, a, (size_t)n);
            data_fill(&p->rnd, f, b, (size_t)n);
            if (f == FLAVOUR_WIDE)
                for (int j = 0; j < n; j++) // where exp neither overflows nor vanishes
                    a[j] = 100.0f * rnd_float(&p->rnd);
            want[n] = got[n] = 7.0f;
            p->ref.silu_mul(a, b, want, n);
            p->level.silu_mul(a, b, got, n);
            check("silu_mul", p, want, got, n + 1, n);

            memcpy(want, b, (size_t)n * sizeof b[0]);
            memcpy(got, b, (size_t)n * sizeof b[0]);
            p->ref.add(a, want, n);
            p->level.add(a, got, n);
            check("add", p, want, got, n + 1, n);

            memcpy(want, b, (size_t)n * sizeof b[0]);
            memcpy(got, b, (size_t)n * sizeof b[0]);
            p->ref.add_scaled(a[n / 2], a, want, n);
            p->level.add_scaled(a[n / 2], a, got, n);
            check("add_scaled", p, want, got, n + 1, n);

            for (int one = 0; one < 2; one++) {
                memcpy(want, b, (size_t)n * sizeof b[0]);
                memcpy(got, b, (size_t)n * sizeof b[0]);
                p->ref.sigmoid_mul(a, one, want, n);
                p->level.sigmoid_mul(a, one, got, n);
                check("sigmoid_mul", p, want, got, n + 1, n);
            }

            memcpy(want, b, (size_t)n * sizeof b[0]);
            memcpy(got, b, (size_t)n * sizeof b[0]);
            p->ref.attn_finish(want, a[0], n);
            p->level.attn_finish(got, a[0], n);
            check("attn_finish", p, want, got, n + 1, n);
        }
}

static void pair_all_finite(struct pair *p) {
    static const float faults[] = {INFINITY, -INFINITY, NAN};
    assert_ptr_not_equal(p->level.all_finite, p->ref.all_finite);
    data_assert_level(p->level.row_name[KSLOT_all_finite], p->name);
    for (int i = 0; i < N_LENGTH; i++) {
        int n = length(i);
        float *x = malloc((size_t)n * sizeof *x); // exact, for the sanitizers
        assert_non_null(x);
        for (int j = 0; j < n; j++)
            x[j] = j % 3 == 0 ? 3.402823466e38f : j % 3 == 1 ? -1e-42f : -3.402823466e38f;
        assert_true(p->ref.all_finite(x, n));
        assert_true(p->level.all_finite(x, n));
        for (int fault = 0; fault < 3; fault++) {
            int at = rnd_int(&p->rnd, 0, n - 1);
            float kept = x[at];
            x[at] = faults[fault];
            if (p->ref.all_finite(x, n) || p->level.all_finite(x, n))
                fail_msg("all_finite.%s: n %d, fault %d at %d not seen", p->name, n, fault, at);
            x[at] = kept;
        }
        free(x);
    }
    assert_true(p->level.all_finite(NULL, 0));
}

static void test_levels(void **state) {
    (void)state;
    for (enum kernel_level level = LEVEL_REF + 1; level < LEVEL_COUNT; level++) {
        struct pair p = {.name = kernel_level_name(level), .rnd = {seed}};
        assert_true(data_table("ref", &p.ref));
        if (!data_table(p.name, &p.level)) continue;
        pair_rms_norm(&p);
        pair_rope(&p);
        pair_elementwise(&p);
        pair_all_finite(&p);
    }
}

/* The reference against double arithmetic. */
static void test_accuracy(void **state) {
    (void)state;
    struct kernel_table ref;
    assert_true(data_table("ref", &ref));
    struct rnd rnd = {seed + 1};
    float x[896], w[896], y[896];
    data_fill(&rnd, FLAVOUR_PLAIN, x, 896);
    data_fill(&rnd, FLAVOUR_PLAIN, w, 896);

    double sum = 0;
    for (int i = 0; i < 896; i++)
        sum += (double)x[i] * (double)x[i];
    ref.rms_norm(&(struct rms_norm_args){.x = x, .w = w, .y = y, .n = 896, .eps = 1e-6f});
    for (int i = 0; i < 896; i++) {
        double want = (double)x[i] * (double)w[i] / sqrt(sum / 896 + 1e-6);
        assert_true(fabs((double)y[i] - want) <= 1e-6 * fabs(want));
    }

    ref.silu_mul(x, w, y, 896);
    for (int i = 0; i < 896; i++) {
        double want = (double)x[i] * (double)w[i] / (1 + exp(-(double)x[i]));
        assert_true(fabs((double)y[i] - want) <= 1e-6 * fabs(want));
    }

    float v[4] = {1, 2, 3, 4}, turned[4] = {1, 2, 3, 4}, cs[4] = {0, 1, 1, 0};
    ref.rope(&(struct rope_args){.x = v, .cs = cs, .n_rot = 4, .interleaved = false});
    assert_true(v[0] == -3 && v[2] == 1 && v[1] == 2 && v[3] == 4);
    ref.rope(&(struct rope_args){.x = turned, .cs = cs, .n_rot = 4, .interleaved = true});
    assert_true(turned[0] == -2 && turned[1] == 1 && turned[2] == 3 && turned[3] == 4);
}

/* The reference's bits themselves: they change with the rules' version and for no other reason. */
static void test_pinned(void **state) {
    (void)state;
    static const uint64_t want[FLAVOUR_TINY + 1] = {
        UINT64_C(0x7a8af7d2d76634ce), UINT64_C(0x5166a5bfc3f70be8), UINT64_C(0xf3d8bc0875b1c3ad)};
    struct kernel_table ref;
    assert_true(data_table("ref", &ref));
    for (enum flavour f = FLAVOUR_PLAIN; f <= FLAVOUR_TINY; f++) {
        enum { N = 333 };
        struct rnd rnd = {seed + 2};
        float x[N], w[N], cs[128], y[3][N];
        data_fill(&rnd, f, x, N);
        data_fill(&rnd, FLAVOUR_PLAIN, w, N);
        data_fill(&rnd, FLAVOUR_PLAIN, cs, 128);
        ref.rms_norm(&(struct rms_norm_args){.x = x, .w = w, .y = y[0], .n = N, .eps = 1e-6f});
        ref.silu_mul(x, w, y[1], N);
        memcpy(y[2], x, sizeof x);
        ref.rope(&(struct rope_args){.x = y[2], .cs = cs, .n_rot = 128});
        ref.rope(&(struct rope_args){.x = y[2] + 130, .cs = cs, .n_rot = 70, .interleaved = true});
        uint64_t sum = data_checksum(DATA_CHECKSUM, y[0], 3 * N);
        if (sum != want[f])
            fail_msg("flavour %d: checksum 0x%016llx, want 0x%016llx", f, (unsigned long long)sum,
                     (unsigned long long)want[f]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_levels, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_accuracy, data_enter, data_leave),
        cmocka_unit_test_setup_teardown(test_pinned, data_enter, data_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
