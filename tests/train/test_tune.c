/* The recipe that tuning makes: its text, its defaults, and paths that it cannot hold. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "train/run/tune.h"

static const struct tune_source two[] = {{"/data/a b.jsonl", 1}, {"/data/c.jsonl", 0.1}};

static void defaults(void **state) {
    (void)state;
    const struct tune_options options = {.model = "/models/m",
                                         .n_param = 4000000,
                                         .n_ctx = 4096,
                                         .sources = two,
                                         .n_source = 2,
                                         .warmup = -1,
                                         .seed = 3,
                                         .dtype = "f32"};
    struct recipe r;
    struct jl_error err = {0};
    if (tune_recipe(&options, "out/recipe", &r, &err) != JL_OK) fail_msg("%s", err.message);
    assert_string_equal(r.text, "[run]\nseed = 3\n\n[model]\nstart = /models/m\ndtype = f32\n\n"
                                "[data]\nsource = /data/a b.jsonl weight=1.0\n"
                                "source = /data/c.jsonl weight=0.1\nmode = whole\n"
                                "seq_len = 1024\nrows = 1024\n\n[stage tuned]\nepochs = 3.0\n"
                                "rate = 0.0005\nschedule = wsd\nwarmup_share = 0.05\n");
    assert_true(r.sources[1].weight == 0.1);
    assert_int_equal(r.packing, DATA_WHOLE);
    recipe_free(&r);
}

static void said(void **state) {
    (void)state;
    struct tune_options options = {.model = "/m",
                                   .n_ctx = 256,
                                   .sources = two,
                                   .n_source = 1,
                                   .steps = 40,
                                   .rate = 2e-3,
                                   .rows = 128,
                                   .warmup = 4,
                                   .holdout = 0.25,
                                   .dtype = "bf16"};
    struct recipe r;
    struct jl_error err = {0};
    if (tune_recipe(&options, "recipe", &r, &err) != JL_OK) fail_msg("%s", err.message);
    assert_int_equal(r.stages[0].plan.n_step, 40);
    assert_int_equal(r.stages[0].plan.n_warmup, 4);
    assert_int_equal(r.rows, 128);
    assert_int_equal(r.seq_len, 128); // not longer than a step
    assert_true(r.stages[0].sources[0].holdout_share == 0.25 && r.stages[0].rate == 2e-3);
    recipe_free(&r);
    options.rows = 0;
    if (tune_recipe(&options, "recipe", &r, &err) != JL_OK) fail_msg("%s", err.message);
    assert_int_equal(r.rows, 256);
    recipe_free(&r);
}

static void paths(void **state) {
    (void)state;
    static const char *const bad[] = {"/a #b.jsonl", "/a.jsonl weight=3", "/a ", "/a\nb"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct tune_source source = {bad[i], 1};
        const struct tune_options options = {.model = "/m",
                                             .n_ctx = 64,
                                             .sources = &source,
                                             .n_source = 1,
                                             .warmup = -1,
                                             .dtype = "f32"};
        struct recipe r;
        struct jl_error err = {0};
        assert_true(tune_recipe(&options, "recipe", &r, &err) != JL_OK);
        assert_true(err.message[0] != 0);
    }
}

static void rates(void **state) {
    (void)state;
    assert_true(tune_rate(0) == 1e-3 && tune_rate(1000000) == 1e-3);
    assert_true(fabs(tune_rate(25000000) - 2e-4) < 1e-12);
    assert_true(tune_rate(100000000) == 1e-4 && tune_rate(INT64_MAX) == 1e-4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(said),
        cmocka_unit_test(paths),
        cmocka_unit_test(rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
