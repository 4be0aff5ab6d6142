/* Conversions of activation rows: every level writes the reference's bytes and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"
#include "tensor/xrow.h"

static const uint64_t seed = 20261126;

typedef void convert_fn(const float *x, void *row, int n);

/* Bytes that hold something; in between lies padding that is free by contract. */
static void compare(enum xfmt fmt, const char *name, const uint8_t *want, const uint8_t *got,
                    int n) {
    struct xrow_layout layout = xrow_layout(fmt, n);
    size_t count = (size_t)n, blocks = count / (size_t)xfmt_block(fmt);
    bool same;
    if (fmt == XFMT_BF16) {
        same = true; // NaN payloads are free
        for (size_t i = 0; i < count + count % 2; i++) {
            uint16_t a, b;
            memcpy(&a, want + 2 * i, sizeof a);
            memcpy(&b, got + 2 * i, sizeof b);
            same = same && (a == b || ((a & 0x7fff) > 0x7f80 && (b & 0x7fff) > 0x7f80));
        }
    } else {
        float d_want[16], d_got[16];
        assert_true(blocks <= 16);
        memcpy(d_want, want + layout.d_at, blocks * sizeof d_want[0]);
        memcpy(d_got, got + layout.d_at, blocks * sizeof d_got[0]);
        same = memcmp(want, got, count) == 0 && data_same(name, d_want, d_got, blocks) &&
               memcmp(want + layout.sum_at, got + layout.sum_at, count / 16 * 2) == 0;
    }
    if (!same) fail_msg("%s: seed %llu, n %d", name, (unsigned long long)seed, n);
}

/* x and the row end at guard pages. */
static void check(enum xfmt fmt, convert_fn *ref, convert_fn *fast, const char *name, int n,
                  enum flavour flavour, struct rnd *rnd) {
    struct xrow_layout layout = xrow_layout(fmt, n);
    struct guarded x = guarded_alloc((size_t)n * sizeof(float));
    struct guarded want = guarded_alloc(layout.bytes), got = guarded_alloc(layout.bytes);
    data_fill(rnd, flavour, x.data, (size_t)n);
    memset(want.data, 0xa5, layout.bytes);
    memset(got.data, 0xa5, layout.bytes);
    ref(x.data, want.data, n);
    fast(x.data, got.data, n);
    compare(fmt, name, want.data, got.data, n);
    guarded_free(&x);
    guarded_free(&want);
    guarded_free(&got);
}

static void test_levels(void **state) {
    (void)state;
    struct kernel_table ref;
    assert_true(data_table("ref", &ref));
    for (enum kernel_level level = LEVEL_REF + 1; level < LEVEL_COUNT; level++) {
        struct kernel_table table;
        if (!data_table(kernel_level_name(level), &table)) continue;
        const struct {
            enum xfmt fmt;
            enum kernel_slot slot;
            convert_fn *ref, *fast;
        } cases[] = {{XFMT_BF16, KSLOT_to_bf16, ref.to_bf16, table.to_bf16},
                     {XFMT_Q8_32, KSLOT_to_q8_32, ref.to_q8_32, table.to_q8_32},
                     {XFMT_Q8_256, KSLOT_to_q8_256, ref.to_q8_256, table.to_q8_256}};
        struct rnd rnd = {seed};
        for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
            const char *name = table.row_name[cases[c].slot];
            data_assert_level(name, kernel_level_name(level));
            assert_ptr_not_equal(cases[c].fast, cases[c].ref);
            int block = cases[c].fmt == XFMT_BF16 ? 1 : xfmt_block(cases[c].fmt);
            int most = block == 1 ? 100 : block == 32 ? 16 : 5;
            for (int f = 0; f < FLAVOUR_COUNT; f++)
                for (int i = 1; i <= most; i++)
                    check(cases[c].fmt, cases[c].ref, cases[c].fast, name, i * block,
                          (enum flavour)f, &rnd);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_levels, data_enter, data_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
