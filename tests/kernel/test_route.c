/* Routing: ties, bias, groups and weights on cases worked out by hand, and random ones against the
 * rules read one expert at a time. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"

static struct kernel_table table;

static int set_up(void **state) {
    struct jl_error err;
    (void)state;
    return kernel_table_init(&table, "ref", &err) != JL_OK;
}

static void run(const struct route_rule *rule, const float *logits, const float *bias, int32_t *ids,
                float *weights) {
    const struct route_args args = {rule, logits, bias, ids, weights};
    table.route(&args);
}

static void near(float got, double want) {
    if (!(fabs((double)got - want) <= 1e-6 * fabs(want) + 1e-12))
        fail_msg("%.9g is not %.9g", (double)got, want);
}

static void test_softmax(void **state) {
    (void)state;
    const float logits[4] = {0, 2, 1, 2};
    struct route_rule rule = {
        .n_expert = 4, .n_used = 3, .n_group = 1, .n_group_used = 1, .scale = 1};
    int32_t ids[3];
    float w[3];
    double sum = 1 + exp(1) + 2 * exp(2);
    run(&rule, logits, NULL, ids, w);
    assert_int_equal(ids[0], 1); // of equal ones the lower
    assert_int_equal(ids[1], 3);
    assert_int_equal(ids[2], 2);
    near(w[0], exp(2) / sum);
    near(w[2], exp(1) / sum);
    rule.normalize = true;
    rule.scale = 2.5f;
    run(&rule, logits, NULL, ids, w);
    near(w[0], 2.5 * exp(2) / (2 * exp(2) + exp(1)));
    near(w[0] + w[1] + w[2], 2.5);
}

/* The bias decides who is chosen and has no part in the weights. */
static void test_bias(void **state) {
    (void)state;
    const float logits[4] = {1, 0, -1, 3}, bias[4] = {0, 0, 5, -1};
    const struct route_rule rule = {.n_expert = 4,
                                    .n_used = 2,
                                    .n_group = 1,
                                    .n_group_used = 1,
                                    .scoring = ROUTE_SIGMOID,
                                    .normalize = true,
                                    .floor = 1e-20f,
                                    .scale = 1};
    int32_t ids[2];
    float w[2];
    run(&rule, logits, bias, ids, w);
    assert_int_equal(ids[0], 2);
    assert_int_equal(ids[1], 0);
    double a = 1 / (1 + exp(1)), b = 1 / (1 + exp(-1));
    near(w[0], a / (a + b));
    near(w[1], b / (a + b));
}

static void test_groups(void **state) {
    (void)state;
    // Group 0 has the best expert, group 1 the two best together.
    const float logits[6] = {3, -9, -9, 2, 2, -9};
    struct route_rule rule = {.n_expert = 6,
                              .n_used = 2,
                              .n_group = 2,
                              .n_group_used = 1,
                              .scoring = ROUTE_SIGMOID,
                              .group = ROUTE_GROUP_BEST,
                              .scale = 1};
    int32_t ids[2];
    float w[2];
    run(&rule, logits, NULL, ids, w);
    assert_int_equal(ids[0], 0);
    assert_int_equal(ids[1], 1);
    rule.group = ROUTE_GROUP_TOP2;
    run(&rule, logits, NULL, ids, w);
    assert_int_equal(ids[0], 3);
    assert_int_equal(ids[1], 4);
    rule.n_group_used = 2;
    run(&rule, logits, NULL, ids, w);
    assert_int_equal(ids[0], 0);
    assert_int_equal(ids[1], 3);
    // An expert of a closed group is not taken however bad the others are.
    const float bad[6] = {1, 1, 1, -90, -90, -90}, bias[6] = {-50, -50, -50, -10, -10, -10};
    rule.n_group_used = 1;
    run(&rule, bad, bias, ids, w);
    assert_int_equal(ids[0], 3);
    assert_int_equal(ids[1], 4);
}

/* Bad numbers must not name an expert that is not there; they show in the weights. */
static void test_not_finite(void **state) {
    (void)state;
    float logits[8] = {NAN, NAN, 1, NAN, NAN, NAN, INFINITY, NAN};
    for (int scoring = 0; scoring < 2; scoring++)
        for (int groups = 1; groups <= 4; groups *= 2) {
            const struct route_rule rule = {.n_expert = 8,
                                            .n_used = 2,
                                            .n_group = groups,
                                            .n_group_used = 1,
                                            .scoring = (enum route_scoring)scoring,
                                            .group = ROUTE_GROUP_TOP2,
                                            .normalize = true,
                                            .scale = 1};
            int32_t ids[2];
            float w[2];
            run(&rule, logits, NULL, ids, w);
            for (int k = 0; k < 2; k++)
                assert_in_range(ids[k], 0, 7);
            assert_int_not_equal(ids[0], ids[1]);
            assert_true(isnan(w[0]) || isnan(w[1]));
        }
}

static int rank_of(const float *value, int n, int i) {
    int rank = 0;
    for (int k = 0; k < n; k++)
        rank += value[k] > value[i] || (value[k] == value[i] && k < i);
    return rank;
}

/* Sigmoid keeps the order of logits, so ranks can be read off the logits themselves. */
static void test_random(void **state) {
    (void)state;
    struct rnd rnd = {20261126};
    for (int round = 0; round < 2000; round++) {
        float logits[64], w[64];
        int32_t ids[64];
        int per_group = rnd_int(&rnd, 1, 8), n_group = rnd_int(&rnd, 1, 8);
        int n = per_group * n_group, open = rnd_int(&rnd, 1, n_group);
        struct route_rule rule = {.n_expert = n,
                                  .n_used = rnd_int(&rnd, 1, per_group * open),
                                  .n_group = n_group,
                                  .n_group_used = open,
                                  .scoring = ROUTE_SIGMOID,
                                  .scale = 1};
        for (int i = 0; i < n; i++) // few values: many ties
            logits[i] = (float)rnd_int(&rnd, -3, 3);
        run(&rule, logits, NULL, ids, w);
        float best[8], masked[64];
        for (int g = 0; g < n_group; g++) {
            best[g] = -100;
            for (int i = g * per_group; i < (g + 1) * per_group; i++)
                best[g] = fmaxf(best[g], logits[i]);
        }
        for (int i = 0; i < n; i++)
            masked[i] = rank_of(best, n_group, i / per_group) < open ? logits[i] : -100;
        for (int k = 0; k < rule.n_used; k++)
            assert_int_equal(rank_of(masked, n, ids[k]), k);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_softmax), cmocka_unit_test(test_bias),
        cmocka_unit_test(test_groups),  cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
