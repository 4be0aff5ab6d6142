/* The order of documents is a permutation, its own for each key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "train/data/order.h"

static void every_document_once(void **state) {
    (void)state;
    static uint8_t seen[1000];
    for (uint64_t n = 1; n <= 1000; n += n < 70 ? 1 : 93) {
        const struct rng_key key = {7, 1, (uint32_t)n, RNG_SHUFFLE};
        memset(seen, 0, sizeof seen);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t to = data_order(&key, n, i);
            assert_true(to < n);
            assert_int_equal(seen[to]++, 0);
        }
    }
}

static void each_key_has_its_own(void **state) {
    (void)state;
    static const struct rng_key keys[] = {{1, 0, 0, RNG_SHUFFLE},
                                          {2, 0, 0, RNG_SHUFFLE},
                                          {1, 1, 0, RNG_SHUFFLE},
                                          {1, 0, 1, RNG_SHUFFLE},
                                          {1, 0, 0, RNG_HOLDOUT}};
    enum { N = 10000, N_KEY = sizeof keys / sizeof keys[0] };
    for (int a = 0; a < N_KEY; a++) {
        for (int b = 0; b < a; b++) {
            int same = 0;
            for (uint64_t i = 0; i < N; i++)
                same += data_order(&keys[a], N, i) == data_order(&keys[b], N, i);
            assert_in_range(same, 0, 12); // 1 is to be expected
        }
    }
}

/* Neighbours do not stay neighbours, halves are mixed: an order that only looked like one would
 * teach the sources one after another. */
static void it_mixes(void **state) {
    (void)state;
    enum { N = 20000 };
    const struct rng_key key = {3, 0, 0, RNG_SHUFFLE};
    int early = 0, near = 0;
    uint64_t before = 0;
    for (uint64_t i = 0; i < N; i++) {
        uint64_t to = data_order(&key, N, i);
        early += i < N / 2 && to < N / 2;
        near += i && (to > before ? to - before : before - to) <= N / 100;
        before = to;
    }
    assert_in_range(early, N / 4 - 300, N / 4 + 300);
    assert_in_range(near, N / 50 - 120, N / 50 + 120);
}

static void large_domains(void **state) {
    (void)state;
    static const uint64_t sizes[] = {((uint64_t)1 << 40) + 1, (uint64_t)1 << 62, 4294967297u};
    const struct rng_key key = {9, 0, 0, RNG_SHUFFLE};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (uint64_t i = 0; i < 100; i++) {
            uint64_t to = data_order(&key, sizes[s], sizes[s] - 1 - i);
            assert_true(to < sizes[s]);
            for (uint64_t k = 0; k < i; k++)
                assert_int_not_equal(to, data_order(&key, sizes[s], sizes[s] - 1 - k));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_document_once),
        cmocka_unit_test(each_key_has_its_own),
        cmocka_unit_test(it_mixes),
        cmocka_unit_test(large_domains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
