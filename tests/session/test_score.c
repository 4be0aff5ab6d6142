/* Scores against the definitions in long double, and what must hold exactly. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "session/score.h"

#define N 1000

static void random_logits(uint32_t sequence, float spread, float *out) {
    struct rng_key key = {.seed = 5, .sequence = sequence, .purpose = RNG_TEST};
    for (int i = 0; i < N; i++)
        out[i] = spread * (2 * rng_uniform(&key, (uint64_t)i) - 1);
}

static long double log_p(const float *logits, int target) {
    long double top = (long double)logits[0], sum = 0;
    for (int i = 1; i < N; i++)
        if ((long double)logits[i] > top) top = (long double)logits[i];
    for (int i = 0; i < N; i++)
        sum += expl((long double)logits[i] - top);
    return (long double)logits[target] - top - logl(sum);
}

static void close_to(double got, long double want, double tolerance) {
    if (!(fabsl((long double)got - want) <= (long double)tolerance * (1 + fabsl(want))))
        fail_msg("%.17g, expected %.17Lg", got, want);
}

static void test_definitions(void **state) {
    static const float spreads[] = {0, 1, 20, 3000}; // the last: weights far below exp(-60)
    static float a[N], b[N];
    (void)state;
    for (uint32_t s = 0; s < 4; s++) {
        struct score score;
        random_logits(2 * s, spreads[s], a);
        random_logits(2 * s + 1, spreads[s], b);
        long double kl = 0;
        for (int i = 0; i < N; i++)
            kl += expl(log_p(a, i)) * (log_p(a, i) - log_p(b, i));
        for (int32_t target = 0; target < N; target += 333) {
            struct score_row row = {.logits = b, .reference = a, .target = target};
            score_row(&row, N, &score);
            assert_true(score.predicts && score.compares);
            close_to(score.nll, -log_p(b, target), 1e-13);
            close_to(score.nll_reference, -log_p(a, target), 1e-13);
            close_to(score.kl, kl, 1e-12);
        }
    }
}

static void test_equal_and_absent(void **state) {
    static float a[N];
    struct score score;
    (void)state;
    random_logits(9, 8, a);
    struct score_row row = {.logits = a, .reference = a, .target = -1};
    score_row(&row, N, &score);
    assert_true(score.kl == 0 && score.same_top && !score.predicts && score.compares);
    assert_true(score.nll == 0 && score.nll_reference == 0);
    row = (struct score_row){.logits = a, .target = 3};
    score_row(&row, N, &score);
    assert_true(score.predicts && !score.compares && score.kl == 0);
}

static void test_top(void **state) {
    float a[] = {0, 2, 2, 1}, b[] = {0, 1, 2, 1}, c[] = {-1, 5, 5, 5};
    struct score score;
    (void)state;
    score_row(&(struct score_row){.logits = b, .reference = a, .target = -1}, 4, &score);
    assert_false(score.same_top); // 1 is the lower of a's two
    score_row(&(struct score_row){.logits = c, .reference = a, .target = -1}, 4, &score);
    assert_true(score.same_top);
}

static void test_sums(void **state) {
    struct score_sums sums = {0};
    (void)state;
    assert_true(score_mean(0, 0, 0).mean == 0);
    assert_true(score_perplexity(&sums).error == 0);
    static const double values[] = {1, 2, 4};
    for (int i = 0; i < 3; i++)
        score_add(&sums, &(struct score){.nll = values[i],
                                         .kl = values[2 - i],
                                         .predicts = true,
                                         .compares = i > 0,
                                         .same_top = i == 1});
    assert_int_equal(sums.n_predicted, 3);
    assert_int_equal(sums.n_compared, 2);
    assert_int_equal(sums.n_same_top, 1);
    assert_true(sums.kl_max == 2 && sums.kl == 3);
    struct score_mean mean = score_mean(sums.nll, sums.nll2, sums.n_predicted);
    close_to(mean.mean, 7.0L / 3, 1e-15);
    // The variance of the values is 14/9 as a population; the mean's error divides by n - 1.
    close_to(mean.error, sqrtl(14.0L / 9 / 2), 1e-14);
    struct score_mean ppl = score_perplexity(&sums);
    close_to(ppl.mean, expl(7.0L / 3), 1e-14);
    close_to(ppl.error, expl(7.0L / 3) * sqrtl(14.0L / 9 / 2), 1e-14);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definitions),
        cmocka_unit_test(test_equal_and_absent),
        cmocka_unit_test(test_top),
        cmocka_unit_test(test_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
