/* Recipes and schedules: what is read, and every kind of line that is refused, with its number. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "train/run/recipe.h"

static const char whole[] = "# a comment\n"
                            "[run]\nseed = 7   # and another\n"
                            "[model]\ntokenizer = tok\ndtype = f32\n"
                            "[config]\nhidden_size = 32\nmodel_type = qwen3\n"
                            "architectures = [\"A # no comment\"]\n"
                            "[sampling]\ntemperature = 0.7\ntop_k = 20\n"
                            "[data]\nsource = a b.jsonl weight=2 holdout=0.1\nsource = /abs.jsonl\n"
                            "rows = 512\nholdout = 0.25\nmode = whole\n"
                            "[train]\noptimizer = muon\nkeep = layers\n"
                            "[stage one]\nsteps = 10\nrate = 0.5\nwarmup = 2\n"
                            "[stage two]\ntokens = 1025\nsource = c.jsonl\nschedule = cosine\n";

static void test_whole(void **state) {
    (void)state;
    struct recipe r;
    struct jl_error err = {0};
    if (recipe_parse(whole, "x/y/recipe", &r, &err) != JL_OK) fail_msg("%s", err.message);
    assert_int_equal(r.seed, 7);
    assert_string_equal(r.tokenizer, "x/y/tok");
    assert_int_equal(r.work, DTYPE_F32);
    assert_int_equal(r.packing, DATA_WHOLE);
    assert_int_equal(r.optimizer_id, OPTIMIZER_MUON);
    assert_int_equal(r.keep_id, TAPE_KEEP_LAYERS);
    assert_int_equal(json_integer_value(json_object_get(r.config, "hidden_size")), 32);
    assert_string_equal(json_string_value(json_object_get(r.config, "model_type")), "qwen3");
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(r.config, "architectures"), 0)),
        "A # no comment");
    assert_true(json_is_true(json_object_get(r.sampling, "do_sample")));
    assert_true(json_number_value(json_object_get(r.sampling, "temperature")) == 0.7);
    assert_int_equal(json_integer_value(json_object_get(r.sampling, "top_k")), 20);
    assert_int_equal(r.n_stage, 2);
    assert_int_equal(r.stages[0].n_source, 2);
    assert_string_equal(r.stages[0].sources[0].path, "x/y/a b.jsonl");
    assert_true(r.stages[0].sources[0].weight == 2 && r.stages[0].sources[0].holdout_share == 0.1);
    assert_string_equal(r.stages[0].sources[1].path, "/abs.jsonl");
    assert_true(r.stages[0].sources[1].holdout_share == 0.25);
    assert_int_equal(r.stages[1].n_source, 1);
    assert_int_equal(r.stages[1].steps, 3); // 1025 rows of 512
    assert_int_equal(r.stages[1].plan.kind, SCHEDULE_COSINE);
    assert_int_equal(recipe_steps(&r), 13);
    recipe_free(&r);
}

/* A line is put behind the first `after`; the message must hold `what`. */
static void refuse(const char *after, const char *line, const char *what) {
    char text[4096];
    struct recipe r;
    struct jl_error err = {0};
    const char *at = strstr(whole, after);
    assert_non_null(at);
    at += strlen(after);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - whole), whole, line, at);
    if (recipe_parse(text, "recipe", &r, &err) != JL_ERR_FORMAT) fail_msg("'%s' is taken", line);
    if (!strstr(err.message, what))
        fail_msg("'%s': '%s' does not say '%s'", line, err.message, what);
}

static void test_refused(void **state) {
    (void)state;
    refuse("[run]\n", "sed = 1\n", "recipe:3: [run] has no key 'sed'");
    refuse("[run]\n", "rows = 1\n", "[run] has no key 'rows'");
    refuse("[run]\n", "seed = 1\n", "recipe:4: this key stands twice: 'seed'");
    refuse("[run]\n", "checkpoint_every = 0\n", "a number from 1");
    refuse("[run]\n", "checkpoint_every = 1.5\n", "a whole number");
    refuse("[run]\n", "checkpoint_every = ten\n", "not 'ten'");
    refuse("[run]\n", "checkpoint_every\n", "neither [section] nor key = value");
    refuse("[run]\n", "checkpoint_every =\n", "lacks one of both");
    refuse("[train]\n", "weight_decay = nan\n", "not 'nan'");
    refuse("[data]\n", "skip_long = maybe\n", "yes or no");
    refuse("[data]\n", "source = x weight=0\n", "not a weight above 0");
    refuse("[data]\n", "source = x holdout=2\n", "not a weight above 0");
    refuse("[config]\n", "hidden_size = 1\n", "stands twice");
    refuse("[sampling]\n", "temperature = 1\n", "stands twice");
    refuse("[sampling]\n", "min_p = 2\n", "min_p");
    refuse("[sampling]\n", "warmth = 1\n", "[sampling] has no key");
    refuse("[sampling]\n", "do_sample = false\n", "[sampling] has no key");
    refuse("[train]\n", "[other]\n", "sections are");
    refuse("[train]\n", "[stage]\n", "sections are");
    refuse("[train]\n", "[stage one]\n", "");
    refuse("# a comment\n", "seed = 1\n", "before the first [section]");
    refuse("[model]\n", "start = folder\n", "one of both");
    refuse("[stage one]\n", "tokens = 10\n", "steps, tokens or epochs");
    refuse("[stage one]\n", "epochs = 1\n", "steps, tokens or epochs");
    refuse("warmup = 2\n", "warmup_share = 0.1\n", "warmup and warmup_share");
    refuse("warmup = 2\n", "schedule = sometimes\n", "it may be wsd");
    refuse("rows = 512\n", "seq_len = 513\n", "512 rows");
    refuse("[stage two]\n", "warmup = 3\n", "all of them warm-up");
}

static void test_marks(void **state) {
    (void)state;
    struct recipe a, b;
    struct jl_error err = {0};
    uint8_t x[RECIPE_MARK], y[RECIPE_MARK];
    char text[4096];
    static const struct {
        const char *after, *line;
        bool decides;
    } cases[] = {
        {"[run]\n", "checkpoint_every = 9\n", false},
        {"[data]\n", "cache = elsewhere\n", false},
        {"[train]\n", "beta1 = 0.91\n", true},
        {"[config]\n", "vocab_size = 300\n", true},
        {"[sampling]\n", "min_p = 0.1\n", false},
        {"[data]\n", "skip_long = yes\n", true},
        {"[stage one]\n", "min_rate = 0.1\n", true},
        {"[stage two]\n", "min_rate = 0.1\n", false}, // of the first stage's mark
    };
    if (recipe_parse(whole, "recipe", &a, &err) != JL_OK) fail_msg("%s", err.message);
    recipe_mark(&a, 0, x);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *at = strstr(whole, cases[i].after) + strlen(cases[i].after);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - whole), whole, cases[i].line, at);
        if (recipe_parse(text, "recipe", &b, &err) != JL_OK) fail_msg("%s", err.message);
        recipe_mark(&b, 0, y);
        if ((memcmp(x, y, sizeof x) != 0) != cases[i].decides)
            fail_msg("'%s' %s", cases[i].line, cases[i].decides ? "decides nothing" : "decides");
        recipe_free(&b);
    }
    recipe_mark(&a, 1, y);
    assert_true(memcmp(x, y, sizeof x) != 0);
    recipe_free(&a);
}

static void test_schedules(void **state) {
    (void)state;
    struct schedule s = {.kind = SCHEDULE_WSD,
                         .rate = 1,
                         .min_share = 0.1,
                         .n_step = 100,
                         .n_warmup = 10,
                         .n_descent = 20};
    assert_true(schedule_rate(&s, 0) == 0.1f && schedule_rate(&s, 9) == 1.0f);
    assert_true(schedule_rate(&s, 50) == 1.0f && schedule_rate(&s, 79) == 1.0f);
    assert_true(schedule_rate(&s, 80) < 1.0f && schedule_rate(&s, 99) > 0.1f);
    assert_true(schedule_rate(&s, 99) < 0.15f);
    s.kind = SCHEDULE_COSINE;
    assert_true(schedule_rate(&s, 10) == 1.0f);
    assert_true(fabsf(schedule_rate(&s, 55) - 0.55f) < 1e-6f);
    assert_true(schedule_rate(&s, 99) > 0.1f && schedule_rate(&s, 99) < 0.11f);
    s.kind = SCHEDULE_CONSTANT;
    assert_true(schedule_rate(&s, 99) == 1.0f);
}

/* Steps that only the data can tell, and all that hangs on them. */
static void test_epochs(void **state) {
    (void)state;
    struct recipe r;
    struct jl_error err = {0};
    char text[4096];
    snprintf(text, sizeof text, "%s[stage three]\nepochs = 1.5\nwarmup_share = 0.25\n%s", whole,
             "descent = 0.5\n[stage four]\nepochs = 1\nwarmup = 8\n");
    if (recipe_parse(text, "recipe", &r, &err) != JL_OK) fail_msg("%s", err.message);
    assert_true(r.stages[2].epochs == 1.5);
    assert_int_equal(r.stages[2].steps, 0);
    assert_int_equal(recipe_steps(&r), 13);
    assert_int_equal(recipe_set_steps(&r, 2, 40, &err), JL_OK);
    assert_int_equal(recipe_steps(&r), 53);
    assert_int_equal(r.stages[2].plan.n_step, 40);
    assert_int_equal(r.stages[2].plan.n_warmup, 10);
    assert_int_equal(r.stages[2].plan.n_descent, 20);
    assert_int_equal(recipe_set_steps(&r, 3, 8, &err), JL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "all of them warm-up"));
    recipe_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_epochs),    cmocka_unit_test(test_marks),
        cmocka_unit_test(test_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
