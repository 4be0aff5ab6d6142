/* Sampling: the likeliest token, draws by softmax, and that a draw is a function of its key. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session/sample.h"
#include "session/softmax.h"

static void test_greedy_takes_the_first_of_equals(void **state) {
    (void)state;
    const float logits[5] = {1, 3, 2, 3, 0};
    const struct rng_key key = {7, 0, 5, RNG_SAMPLE};
    assert_int_equal(sample_greedy(logits, 5), 1);
    assert_int_equal(sample_draw(logits, 5, 0, &key, NULL), 1);
}

/* The share of each index in many draws lies within five standard deviations of its probability. */
static void check_shares(const float *logits, int n, double temperature) {
    enum { DRAWS = 40000 };
    double p[16], total = 0;
    int count[16] = {0};
    struct softmax_mass mass;
    softmax_mass_make(logits, n, 1 / temperature, &mass, NULL);
    for (int i = 0; i < n; i++)
        total += p[i] = exp((double)(logits[i] - logits[sample_greedy(logits, n)]) / temperature);
    for (int i = 0; i < DRAWS; i++) {
        struct rng_key key = {20261125, (uint32_t)i % 7, (uint32_t)i, RNG_SAMPLE};
        double logprob, again;
        int32_t drawn = sample_draw(logits, n, temperature, &key, &logprob);
        again = softmax_logprob(&mass, logits[drawn]);
        assert_memory_equal(&logprob, &again, sizeof again);
        assert_in_range(drawn, 0, n - 1);
        count[drawn]++;
    }
    for (int i = 0; i < n; i++) {
        double share = p[i] / total, deviation = sqrt(DRAWS * share * (1 - share));
        if (fabs(count[i] - DRAWS * share) > 5 * deviation + 1)
            fail_msg("index %d at temperature %g: %d draws, %.1f expected", i, temperature,
                     count[i], DRAWS * share);
    }
}

static void test_draws_follow_softmax(void **state) {
    (void)state;
    const float logits[8] = {-3, 0.5f, 2, 1.5f, -40, 2, -1, 0};
    check_shares(logits, 8, 1);
    check_shares(logits, 8, 0.3);
    check_shares(logits, 8, 5);
}

static void test_extremes(void **state) {
    (void)state;
    const float far[4] = {-3e38f, 3e38f, -3e38f, 0}, equal[3] = {-1e30f, -1e30f, -1e30f};
    int seen[3] = {0};
    for (uint32_t i = 0; i < 200; i++) {
        const struct rng_key key = {1, 2, i, RNG_SAMPLE};
        assert_int_equal(sample_draw(far, 4, 100, &key, NULL), 1);
        assert_int_equal(sample_draw(far, 4, 1e-30, &key, NULL), 1);
        assert_int_equal(sample_draw(far, 1, 1, &key, NULL), 0);
        seen[sample_draw(equal, 3, 1, &key, NULL)]++;
    }
    assert_true(seen[0] && seen[1] && seen[2]);
}

/* More entries than a block, the drawn one anywhere. */
static void test_large_vocabularies(void **state) {
    (void)state;
    enum { N = 1000 };
    static float logits[N];
    int seen[10] = {0};
    for (int n = 1; n < N; n = n * 3 / 2 + 1) {
        for (int i = 0; i < N; i++)
            logits[i] = i < n ? -1e3f : 1e9f; // what lies behind must not be looked at
        logits[n - 1] = 0;
        const struct rng_key key = {3, 0, (uint32_t)n, RNG_SAMPLE};
        assert_int_equal(sample_draw(logits, n, 1, &key, NULL), n - 1);
    }
    for (int i = 0; i < N; i++)
        logits[i] = 1;
    for (uint32_t i = 0; i < 1000; i++) {
        const struct rng_key key = {3, 1, i, RNG_SAMPLE};
        seen[sample_draw(logits, N, 1, &key, NULL) / (N / 10)]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(seen[i], 60, 140);
}

static void test_a_draw_depends_on_its_key_only(void **state) {
    (void)state;
    float logits[64];
    int differ[4] = {0};
    for (int i = 0; i < 64; i++)
        logits[i] = (float)(i * 37 % 64) / 16;
    for (uint32_t i = 0; i < 100; i++) {
        const struct rng_key key = {5, 1, i, RNG_SAMPLE}, keys[3] = {{6, 1, i, RNG_SAMPLE},
                                                                     {5, 2, i, RNG_SAMPLE},
                                                                     {5, 1, i + 1, RNG_SAMPLE}};
        int32_t drawn = sample_draw(logits, 64, 1, &key, NULL);
        assert_int_equal(sample_draw(logits, 64, 1, &key, NULL), drawn);
        for (int k = 0; k < 3; k++)
            differ[k] += sample_draw(logits, 64, 1, &keys[k], NULL) != drawn;
    }
    for (int k = 0; k < 3; k++)
        assert_in_range(differ[k], 80, 100);
}

/* Fixed draws: a change of the rule must be seen. Computed by tests/session/sample_oracle.py. */
static void test_known_draws(void **state) {
    (void)state;
    static const int wanted[12] = {31, 6, 6, 18, 25, 31, 19, 12, 6, 6, 31, 3};
    float logits[32];
    for (int i = 0; i < 32; i++)
        logits[i] = (float)(i * 5 % 32) / 8;
    for (uint32_t i = 0; i < 12; i++) {
        const struct rng_key key = {12345678901234567890u, 3, 1000 + i, RNG_SAMPLE};
        assert_int_equal(sample_draw(logits, 32, 0.7, &key, NULL), wanted[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy_takes_the_first_of_equals),
        cmocka_unit_test(test_draws_follow_softmax),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_large_vocabularies),
        cmocka_unit_test(test_a_draw_depends_on_its_key_only),
        cmocka_unit_test(test_known_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
