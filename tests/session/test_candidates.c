/* The stages that cut the list of tokens, each against its plain reading, over logits of all kinds.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "sample_reference.h"
#include "session/candidates.h"

enum { MAX = 5000 };

static struct candidates new_list(void) {
    struct candidates list = {.items = calloc(MAX, sizeof *list.items),
                              .spare = calloc(MAX, sizeof *list.spare),
                              .heap = calloc(MAX, sizeof *list.heap),
                              .maxima = calloc(RANKING_BLOCKS(MAX), sizeof *list.maxima),
                              .marks = calloc(MAX, sizeof *list.marks)};
    assert_true(list.items && list.spare && list.heap && list.maxima && list.marks);
    return list;
}

static void free_list(struct candidates *list) {
    free(list->items);
    free(list->spare);
    free(list->heap);
    free(list->maxima);
    free(list->marks);
}

static uint32_t word(uint32_t round, uint64_t i) {
    struct rng_key key = {.seed = 20261126, .sequence = round, .purpose = RNG_TEST};
    uint32_t words[4];
    rng_block(&key, i, words);
    return words[0];
}

enum kind { SMOOTH, TIED, EQUAL, FAR, PEAKED, BANNED, KINDS };

/* n logits of a kind; at least one is not -infinity. */
static int make(enum kind kind, uint32_t round, float *logits) {
    int n = kind == FAR ? 1 + (int)(word(round, 9999) % 5)
                        : 1 + (int)(word(round, 9999) % (round % 5 ? 700 : MAX));
    for (int i = 0; i < n; i++) {
        float u = rng_unit(word(round, (uint64_t)i));
        switch (kind) {
        case SMOOTH: logits[i] = (round % 4 ? 12 : 1) * (u - 0.5f); break;
        case TIED: logits[i] = (float)(int)(6 * u) / 2; break;
        case EQUAL: logits[i] = -1e30f; break;
        case FAR: logits[i] = u < 0.3f ? -1e30f : u < 0.6f ? 1e30f : 3e38f * (2 * u - 1.6f); break;
        case PEAKED: logits[i] = u < 0.01f ? 30 : -40 * u; break;
        default: logits[i] = u < 0.5f && i ? -INFINITY : 4 * u; break;
        }
    }
    return n;
}

/* The same tokens; for a list in the order of rank also in that order. */
static void same(const struct candidates *list, struct reference_list *wanted, const char *stage,
                 enum kind kind, uint32_t round) {
    if (list->ranked)
        reference_by_rank(wanted);
    else
        reference_by_id(wanted);
    if (list->n != wanted->n)
        fail_msg("%s, kind %d, round %u: %d tokens, wanted %d", stage, (int)kind, round, list->n,
                 wanted->n);
    double top = -HUGE_VAL;
    for (int i = 0; i < list->n; i++) {
        if (list->items[i].id != wanted->items[i].id)
            fail_msg("%s, kind %d, round %u: token %d at %d, wanted %d", stage, (int)kind, round,
                     list->items[i].id, i, wanted->items[i].id);
        assert_true((double)list->items[i].logit == wanted->items[i].logit);
        if (wanted->items[i].logit > top) top = wanted->items[i].logit;
    }
    assert_true((double)list->top == top);
    for (int i = 0; i < MAX; i++)
        assert_int_equal(list->marks[i], 0);
}

static void test_top_k(void **state) {
    (void)state;
    static const int ks[] = {1, 2, 3, 7, 40, 64, 65, 300, 2500, MAX};
    struct candidates list = new_list();
    float logits[MAX];
    for (uint32_t round = 0; round < 120; round++) {
        enum kind kind = (enum kind)(round % KINDS);
        int n = make(kind, round, logits);
        for (size_t i = 0; i < sizeof ks / sizeof ks[0]; i++) {
            struct reference_list wanted;
            reference_list_init(&wanted, logits, n);
            reference_top_k(&wanted, ks[i]);
            candidates_top_k(&list, logits, n, ks[i]);
            assert_true(list.ranked);
            same(&list, &wanted, "top_k", kind, round);
            reference_list_free(&wanted);
        }
    }
    free_list(&list);
}

typedef void cut_fn(struct candidates *list, double p);
typedef void reference_fn(struct reference_list *list, double p);

/* On the whole vocabulary and behind top_k. */
static void check_cut(const char *stage, cut_fn *cut, reference_fn *reference) {
    static const double ps[] = {1e-9, 0.05, 0.3, 0.5, 0.77, 0.9, 0.95, 0.999, 1 - 1e-10};
    struct candidates list = new_list();
    float logits[MAX];
    for (uint32_t round = 0; round < 240; round++) {
        enum kind kind = (enum kind)(round % KINDS);
        int n = make(kind, 1000 + round, logits), k = round % 2 ? 50 : 0;
        for (size_t i = 0; i < sizeof ps / sizeof ps[0]; i++) {
            struct reference_list wanted;
            reference_list_init(&wanted, logits, n);
            if (k) reference_top_k(&wanted, k);
            reference(&wanted, ps[i]);
            if (k)
                candidates_top_k(&list, logits, n, k);
            else
                candidates_all(&list, logits, n);
            cut(&list, ps[i]);
            assert_true(list.n >= 1);
            same(&list, &wanted, stage, kind, 1000 + round);
            reference_list_free(&wanted);
        }
    }
    free_list(&list);
}

static void test_top_p(void **state) {
    (void)state;
    check_cut("top_p", candidates_top_p, reference_top_p);
}

static void test_min_p(void **state) {
    (void)state;
    check_cut("min_p", candidates_min_p, reference_min_p);
}

static void test_typical(void **state) {
    (void)state;
    check_cut("typical", candidates_typical, reference_typical);
}

static void test_xtc(void **state) {
    (void)state;
    check_cut("xtc", candidates_xtc, reference_xtc);
}

/* A cut at 0 or 1 leaves one token or all. */
static void test_ends_of_the_ranges(void **state) {
    (void)state;
    const float logits[5] = {1, 3, 2, 3, -INFINITY};
    struct candidates list = new_list();
    candidates_all(&list, logits, 5);
    assert_int_equal(list.n, 4);
    candidates_top_p(&list, 1);
    candidates_typical(&list, 1);
    assert_int_equal(list.n, 4);
    candidates_top_p(&list, 0);
    assert_int_equal(list.n, 1);
    assert_int_equal(list.items[0].id, 1);
    candidates_all(&list, logits, 5);
    candidates_min_p(&list, 1);
    assert_int_equal(list.n, 2);
    candidates_xtc(&list, 0); // all reach it: the least likely stays
    assert_int_equal(list.n, 1);
    assert_int_equal(list.items[0].id, 3);
    candidates_all(&list, logits, 5);
    candidates_typical(&list, 0);
    assert_int_equal(list.n, 1);
    free_list(&list);
}

/* The draw falls into its token's share of [0, 1). */
static void test_draw(void **state) {
    (void)state;
    static const double temperatures[] = {1e-30, 0.05, 0.7, 1, 1.3, 100};
    struct candidates list = new_list();
    float logits[MAX];
    for (uint32_t round = 0; round < 600; round++) {
        double temperature = temperatures[round % 6], below = 0, total = 0;
        int n = make((enum kind)(round / 6 % KINDS), 5000 + round, logits);
        struct rng_key key = {.seed = 1, .position = round};
        double u = round % 7 ? rng_unit53(&key) : round % 2 ? 0 : 0x1.fffffffffffffp-1;
        if (round % 3)
            candidates_all(&list, logits, n);
        else
            candidates_top_k(&list, logits, n, 30);
        int32_t id = candidates_draw(&list, temperature, u), at = 0;
        while (list.items[at].id != id)
            at++;
        for (int i = 0; i < list.n; i++) {
            double weight = exp(((double)list.items[i].logit - (double)list.top) / temperature);
            total += weight;
            if (i < at) below += weight;
            if (i == at) assert_true(weight > 0);
        }
        double own = exp(((double)list.items[at].logit - (double)list.top) / temperature);
        assert_true(u >= below / total - 1e-12);
        assert_true(u <= (below + own) / total + 1e-12);
    }
    free_list(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_top_k), cmocka_unit_test(test_top_p),
        cmocka_unit_test(test_min_p), cmocka_unit_test(test_typical),
        cmocka_unit_test(test_xtc),   cmocka_unit_test(test_ends_of_the_ranges),
        cmocka_unit_test(test_draw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
