/* The merge loop against the plainest possible one, short and long, random and adversarial. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "text/tokenizer/bpe_merge.h"

/* Scans for the lowest rank, leftmost, and starts again. */
static size_t merge_plainly(const struct u64map *pairs, int32_t *symbols, size_t n) {
    for (;;) {
        size_t best = 0;
        uint64_t best_value = UINT64_MAX, value;
        for (size_t i = 0; i + 1 < n; i++) {
            if (!u64map_get(pairs, bpe_merge_key(symbols[i], symbols[i + 1]), &value)) continue;
            if (value >> 32 < best_value >> 32) {
                best = i;
                best_value = value;
            }
        }
        if (best_value == UINT64_MAX) return n;
        symbols[best] = (int32_t)(uint32_t)best_value;
        memmove(symbols + best + 1, symbols + best + 2, (n - best - 2) * sizeof *symbols);
        n--;
    }
}

/* Random rules, many of equal rank, over few symbols; not only such as text could give. Where a
 * rank has one result, the packed table must say the same. */
static void check_random(bool packs) {
    struct bpe_merge_scratch scratch = {0};
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        uint64_t random = seed;
        struct u64map pairs = {0};
        struct bpe_pairs table = {0};
        int n_symbol = 2 + (int)(fixture_random(&random) % 12);
        int n_pair = 1 + (int)(fixture_random(&random) % 40);
        for (int i = 0; i < n_pair; i++) {
            int32_t left = (int32_t)(fixture_random(&random) % (unsigned)n_symbol);
            int32_t right = (int32_t)(fixture_random(&random) % (unsigned)n_symbol);
            uint32_t rank = (uint32_t)(fixture_random(&random) % 6);
            int32_t made = (int32_t)(fixture_random(&random) % (unsigned)n_symbol);
            if (packs) made = (int32_t)(seed + rank) % n_symbol;
            assert_true(
                u64map_put(&pairs, bpe_merge_key(left, right), bpe_merge_value(rank, made)));
            assert_true(
                u64map_put(&table.map, bpe_merge_key(left, right), bpe_merge_value(rank, made)));
        }
        assert_true(bpe_pairs_pack(&table));
        if (packs) assert_non_null(table.slots);
        int32_t a[200], b[200];
        size_t n = 1 + fixture_random(&random) % 200, want, got = n;
        if (seed % 3 == 0) n = got = 25 + seed % 16; // around the change of method
        for (size_t i = 0; i < n; i++)
            a[i] = b[i] = (int32_t)(fixture_random(&random) % (unsigned)n_symbol);
        want = merge_plainly(&pairs, a, n);
        assert_true(bpe_merge(&table, b, &got, NULL, &scratch));
        if (got != want || memcmp(a, b, want * sizeof *a) != 0)
            fail_msg("seed %llu differs", (unsigned long long)seed);
        u64map_free(&pairs);
        bpe_pairs_free(&table);
    }
    bpe_merge_scratch_free(&scratch);
}

static void test_random(void **state) {
    (void)state;
    check_random(false);
    check_random(true);
}

/* One letter, 4 million times: symbol k is 2^k letters. A quadratic loop would not come back. */
static void test_long_run(void **state) {
    (void)state;
    struct bpe_merge_scratch scratch = {0};
    struct bpe_pairs pairs = {0};
    for (int32_t i = 0; i < 10; i++)
        assert_true(
            u64map_put(&pairs.map, bpe_merge_key(i, i), bpe_merge_value((uint32_t)i, i + 1)));
    size_t n = ((size_t)4 << 20) + 5, n_out = n;
    int32_t *symbols = calloc(n, sizeof *symbols);
    assert_non_null(symbols);
    assert_true(bpe_merge(&pairs, symbols, &n_out, NULL, &scratch));
    assert_int_equal(n_out, (n - 5) / 1024 + 2);
    assert_int_equal(symbols[0], 10);
    assert_int_equal(symbols[n_out - 2], 2);
    assert_int_equal(symbols[n_out - 1], 0);
    free(symbols);
    bpe_pairs_free(&pairs);
    bpe_merge_scratch_free(&scratch);
}

static void test_edges(void **state) {
    (void)state;
    struct bpe_merge_scratch scratch = {0};
    struct bpe_pairs none = {0};
    int32_t symbols[40] = {0};
    for (size_t n = 0; n <= 40; n += 1) {
        size_t got = n;
        assert_true(bpe_merge(&none, symbols, &got, NULL, &scratch));
        assert_int_equal(got, n);
    }
    size_t many = BPE_MERGE_MAX + 1;
    assert_false(bpe_merge(&none, symbols, &many, NULL, &scratch));
    bpe_merge_scratch_free(&scratch);
}

/* What has too many bits stays a map; symbols that no pair holds merge with nothing. */
static void test_packing(void **state) {
    (void)state;
    static const struct {
        int32_t left, right;
        uint32_t rank;
        bool packs;
    } cases[] = {
        {0, 0, 0, true},
        {(1 << 21) - 1, (1 << 21) - 1, (1u << 22) - 2, true},
        {1 << 21, 0, 0, false},
        {0, 1 << 30, 0, false},
        {5, 6, (1u << 22) - 1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bpe_pairs pairs = {0};
        int32_t left = cases[i].left, right = cases[i].right;
        uint64_t value = bpe_merge_value(cases[i].rank, 7);
        assert_true(u64map_put(&pairs.map, bpe_merge_key(left, right), value));
        assert_true(bpe_pairs_pack(&pairs));
        assert_int_equal(pairs.slots != NULL, cases[i].packs);
        assert_true(bpe_pairs_get(&pairs, left, right) == value);
        assert_true(bpe_pairs_get(&pairs, left, right + 1) == BPE_MERGE_NONE);
        assert_true(bpe_pairs_get(&pairs, 1 << 30, right) == BPE_MERGE_NONE);
        bpe_pairs_free(&pairs);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_long_run),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
