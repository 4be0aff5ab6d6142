/* Prompt lookup against a search that compares everything, and what drafts are said to gain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "session/draft_gain.h"
#include "session/lookup.h"

#define MOST 60 // the search is exact as long as no pair of tokens is there more often

static int search(const int32_t *ids, int n, int *matched) { // the place, or -1
    int best = -1;
    *matched = 1;
    for (int place = n - 2; place >= 0; place--) {
        int length = 0;
        while (length < 32 && length <= place && ids[place - length] == ids[n - 1 - length])
            length++;
        if (length > *matched) {
            *matched = length;
            best = place;
        }
    }
    return best;
}

static void test_against_search(void **state) {
    (void)state;
    struct jl_error err = {0};
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct rng_key key = {.seed = seed, .purpose = RNG_TEST};
        struct lookup *lookup;
        int32_t ids[MOST], got[8];
        int n_kind = 1 + (int)(seed % 4), found = 0;
        assert_int_equal(lookup_create(MOST, &lookup, &err), JL_OK);
        for (int i = 0; i < MOST; i++)
            ids[i] = (int32_t)((double)rng_uniform(&key, (uint64_t)i) * n_kind) + (i % 2) * 100000;
        for (int n = 1; n <= MOST; n += 1 + (int)(seed % 3)) {
            int want_matched, matched, place = search(ids, n, &want_matched);
            lookup_add(lookup, ids, n);
            int n_got = lookup_find(lookup, ids, n, got, 8, &matched);
            assert_int_equal(n_got, place < 0 ? 0 : 8);
            if (place < 0) continue;
            found++;
            assert_int_equal(matched, want_matched);
            for (int i = 0; i < 8; i++) // the sequence goes round where it ends
                assert_int_equal(got[i], ids[place + 1 + i % (n - 1 - place)]);
        }
        assert_true(found > 5);
        lookup_free(lookup);
    }
}

/* A sequence longer than it was made for: nothing is found in what it does not know. */
static void test_no_room(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct lookup *lookup;
    int32_t ids[20] = {0}, got[2];
    int matched;
    assert_int_equal(lookup_create(10, &lookup, &err), JL_OK);
    lookup_add(lookup, ids, 20);
    assert_int_equal(lookup_find(lookup, ids, 20, got, 2, &matched), 0);
    assert_int_equal(lookup_find(lookup, ids, 10, got, 2, &matched), 2);
    lookup_free(lookup);
}

/* ---- gains ---- */

static struct draft_choice ask(const struct draft_gain *gain, enum draft_source source,
                               bool again) {
    const struct draft_question question = {source, 8, 1, again};
    return draft_gain_best(gain, &question);
}

static void test_where_it_pays(void **state) {
    (void)state;
    struct draft_gain gain = {0};
    assert_int_equal(ask(&gain, DRAFT_LOOKUP_8, false).n, 0); // one token's pass comes first
    draft_gain_pass(&gain, 1, 0.010);
    assert_int_equal(ask(&gain, DRAFT_LOOKUP_8, false).n, 8); // what is not known is tried
    draft_gain_pass(&gain, 9, 0.018);
    for (int i = 0; i < 20; i++)
        draft_gain_judge(&gain, DRAFT_LOOKUP_8, 8, false);
    assert_int_equal(ask(&gain, DRAFT_LOOKUP_8, false).n, 8);
    for (int i = 0; i < 300; i++) // now it is always wrong
        draft_gain_judge(&gain, DRAFT_LOOKUP_8, 0, true);
    assert_int_equal(ask(&gain, DRAFT_LOOKUP_8, false).n, 0);
    assert_true(ask(&gain, DRAFT_LOOKUP_4, false).n > 0); // that of another length is not
    for (int i = 0; i < 40; i++)
        draft_gain_judge(&gain, DRAFT_LOOKUP_3, 1, true); // every other one
    struct draft_choice half = ask(&gain, DRAFT_LOOKUP_3, false);
    assert_true(half.n >= 1 && half.n < 6);
    assert_true(ask(&gain, DRAFT_LOOKUP_3, true).n <= half.n);
    for (int i = 0; i < 50; i++) // rows that cost as much as passes
        draft_gain_pass(&gain, 9, 0.090);
    assert_int_equal(ask(&gain, DRAFT_LOOKUP_4, false).n, 0);
}

static void test_predictions(void **state) {
    (void)state;
    struct draft_gain gain = {0};
    draft_gain_pass(&gain, 1, 0.010);
    draft_gain_pass(&gain, 4, 0.013);
    for (int i = 0; i < 40; i++)
        draft_gain_judge(&gain, DRAFT_PREDICTED, 1, true); // the first is right, no second one
    assert_int_equal(ask(&gain, DRAFT_PREDICTED, false).n, 1);
    draft_gain_predict(&gain, 2, 0.040); // each takes twice as long as a pass
    assert_int_equal(ask(&gain, DRAFT_PREDICTED, false).n, 0);
    assert_false(draft_gain_should_probe(&gain));
    for (int i = 0; i < 64; i++)
        draft_gain_pass(&gain, 1, 0.010);
    assert_true(draft_gain_should_probe(&gain));
}

/* One pass that took long for another's sake does not count for much; one of long ago for nothing.
 */
static void test_old_and_odd_times(void **state) {
    (void)state;
    struct draft_gain gain = {0};
    for (int i = 0; i < 10; i++) {
        draft_gain_pass(&gain, 1, 0.010);
        draft_gain_pass(&gain, 9, 0.012);
    }
    draft_gain_pass(&gain, 9, 10);
    assert_int_equal(ask(&gain, DRAFT_LOOKUP_8, false).n, 8);
    for (int i = 0; i < 20; i++)
        draft_gain_pass(&gain, 9, 10);
    assert_int_equal(ask(&gain, DRAFT_LOOKUP_8, false).n, 0);
    for (int i = 0; i < 600; i++)
        draft_gain_pass(&gain, 1, 0.010);
    assert_int_equal(ask(&gain, DRAFT_LOOKUP_8, false).n, 8); // tried anew
    draft_gain_pass(&gain, 100000, 1);
    draft_gain_pass(&gain, 0, 1);
    draft_gain_judge(&gain, DRAFT_PREDICTED, 100000, false);
}

static void test_matches(void **state) {
    (void)state;
    assert_int_equal(draft_gain_source(2), DRAFT_LOOKUP_2);
    assert_int_equal(draft_gain_source(3), DRAFT_LOOKUP_3);
    assert_int_equal(draft_gain_source(7), DRAFT_LOOKUP_4);
    assert_int_equal(draft_gain_source(32), DRAFT_LOOKUP_8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_search),    cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_where_it_pays),     cmocka_unit_test(test_predictions),
        cmocka_unit_test(test_old_and_odd_times), cmocka_unit_test(test_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
