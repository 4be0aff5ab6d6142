/* Settings: defaults, ranges, texts of all kinds, and what a model's files ask for. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "format/config.h"
#include "session/sample_model.h"
#include "support/scratch.h"

static void test_defaults_are_within_their_ranges(void **state) {
    (void)state;
    struct sample_params params = sample_params_default();
    struct jl_error err;
    assert_int_equal(sample_params_check(&params, 1, &err), JL_OK);
    for (int i = 0; i < SAMPLE_PARAM_COUNT; i++) {
        const struct sample_param_row *row = sample_param_row((enum sample_param)i);
        enum sample_param found;
        assert_true(sample_params_get(&params, (enum sample_param)i) == row->standard);
        assert_true(sample_param_find(row->name, &found) && (int)found == i);
        assert_true(sample_param_find(row->option + 2, &found) && (int)found == i);
        assert_true(row->least <= row->standard && row->standard <= row->most);
    }
    enum sample_param found;
    assert_true(sample_param_find("repeat_penalty", &found) && found == SAMPLE_repetition_penalty);
    assert_true(sample_param_find("top-k", &found) && found == SAMPLE_top_k);
    static const char *const unknown[] = {"", "top", "top_k_", "top.k", "top_k0", "-", "TOP_K"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_false(sample_param_find(unknown[i], &found));
    assert_false(sample_param_find("top_", &found));
    char text[100];
    sample_params_describe(&params, text, sizeof text);
    assert_string_equal(text, "temperature 0");
}

static void test_ends_of_ranges(void **state) {
    (void)state;
    for (int i = 0; i < SAMPLE_PARAM_COUNT; i++) {
        enum sample_param param = (enum sample_param)i;
        const struct sample_param_row *row = sample_param_row(param);
        const double bad[] = {nextafter(row->least, -HUGE_VAL),
                              nextafter(row->most, HUGE_VAL),
                              -1e300,
                              1e300,
                              (double)INFINITY,
                              -(double)INFINITY,
                              (double)NAN,
                              row->whole ? 1.5 : (double)NAN};
        struct sample_params params = sample_params_default(), before = params;
        struct jl_error err;
        for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
            assert_int_equal(sample_params_set(&params, param, bad[k], &err), JL_ERR_USAGE);
            assert_non_null(strstr(err.message, row->name));
            assert_memory_equal(&params, &before, sizeof params);
        }
        assert_int_equal(sample_params_set(&params, param, row->least, &err), JL_OK);
        assert_true(sample_params_get(&params, param) == row->least);
        assert_int_equal(sample_params_set(&params, param, row->most, &err), JL_OK);
        assert_true(sample_params_get(&params, param) == row->most);
    }
}

static void test_texts(void **state) {
    (void)state;
    static const struct {
        enum sample_param param;
        const char *text;
        double value; // NaN: refused
    } rows[] = {
        {SAMPLE_temperature, "0.7", 0.7},
        {SAMPLE_temperature, "1e0", 1},
        {SAMPLE_temperature, "+.5", 0.5},
        {SAMPLE_temperature, "100", 100},
        {SAMPLE_top_k, "40", 40},
        {SAMPLE_top_k, "-1", -1},
        {SAMPLE_top_k, "4e1", 40},
        {SAMPLE_top_k, "2147483647", 2147483647},
        {SAMPLE_top_k, "2147483648", (double)NAN},
        {SAMPLE_top_k, "1.5", (double)NAN},
        {SAMPLE_top_p, "", (double)NAN},
        {SAMPLE_top_p, " 0.5", (double)NAN},
        {SAMPLE_top_p, "0.5 ", (double)NAN},
        {SAMPLE_top_p, "0x1p-1", (double)NAN},
        {SAMPLE_top_p, "nan", (double)NAN},
        {SAMPLE_top_p, "inf", (double)NAN},
        {SAMPLE_top_p, ".", (double)NAN},
        {SAMPLE_top_p, "0.5.5", (double)NAN},
        {SAMPLE_top_p, "1e", (double)NAN},
        {SAMPLE_top_p, "1e999", (double)NAN},
        {SAMPLE_top_p, "0,5", (double)NAN},
        {SAMPLE_min_p, "-0.1", (double)NAN},
        {SAMPLE_repetition_penalty, "0", (double)NAN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sample_params params = sample_params_default();
        struct jl_error err;
        enum jl_status status = sample_params_read(&params, rows[i].param, rows[i].text, &err);
        if (isnan(rows[i].value) != (status == JL_ERR_USAGE)) fail_msg("'%s'", rows[i].text);
        if (status == JL_OK)
            assert_true(sample_params_get(&params, rows[i].param) == rows[i].value);
    }
}

static void test_biases(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",      "5",     "=1",      "5=",   "5=x",          "-1=2",
        "5=inf", "5=nan", "5=1,",    ",5=1", "2147483648=1", "5=1;6=2",
        "5 =1",  "5= 1",  "5=1e999", "a=1",  "5=-infx",      "0x5=1"};
    struct sample_bias *list = NULL;
    struct jl_error err;
    int32_t n = 0;
    assert_int_equal(sample_bias_read("5=1.5,0=-100,7=-inf", &list, &n, &err), JL_OK);
    assert_int_equal(sample_bias_read("2147483647=1", &list, &n, &err), JL_OK);
    assert_int_equal(n, 4);
    assert_true(list[0].id == 5 && list[0].bias == 1.5f && list[1].id == 0);
    assert_true(list[1].bias == -100 && list[2].bias == -INFINITY && list[3].id == INT32_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (sample_bias_read(bad[i], &list, &n, &err) != JL_ERR_USAGE) fail_msg("'%s'", bad[i]);
    struct sample_params params = sample_params_default();
    params.bias = list;
    params.n_bias = 3;
    assert_int_equal(sample_params_check(&params, 8, &err), JL_OK);
    assert_int_equal(sample_params_check(&params, 7, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "token 7"));
    for (int i = 0; i < 2; i++) {
        list[0].bias = i ? NAN : INFINITY;
        assert_int_equal(sample_params_check(&params, 8, &err), JL_ERR_USAGE);
    }
    free(list);
}

/* ---- of a model ---- */

static enum jl_status read_model(enum model_file_kind kind, const char *json, const bool *replaced,
                                 struct sample_params *params, char *unmet, struct jl_error *err) {
    struct arena arena = {0};
    struct model_file file = {.path = "somewhere", .kind = kind};
    struct meta *meta;
    scratch_text("settings.json", json);
    if (config_read(scratch_path("settings.json"), &arena, &meta, err) != JL_OK)
        fail_msg("%s", err->message);
    if (kind == MODEL_FILE_GGUF)
        file.meta = meta;
    else
        file.generation = meta;
    *params = sample_params_default();
    enum jl_status status = sample_model_read(&file, replaced, params, unmet, err);
    arena_free(&arena);
    return status;
}

static void test_settings_of_models(void **state) {
    (void)state;
    static const struct {
        enum model_file_kind kind;
        const char *json, *described, *unmet;
    } rows[] = {
        {MODEL_FILE_HF, "{}", "temperature 0", ""},
        {MODEL_FILE_HF, "{\"temperature\": 0.6, \"top_p\": 0.9}", "temperature 0", ""},
        {MODEL_FILE_HF, "{\"do_sample\": false, \"repetition_penalty\": 1.1}",
         "temperature 0, repetition_penalty 1.1", ""},
        {MODEL_FILE_HF, "{\"do_sample\": true}", "temperature 1", ""},
        {MODEL_FILE_HF,
         "{\"do_sample\": true, \"temperature\": 0.7, \"top_p\": 0.8, \"top_k\": 20, "
         "\"min_p\": 0.05, \"typical_p\": 0.9, \"repetition_penalty\": 1.05, \"num_beams\": 4, "
         "\"no_repeat_ngram_size\": 3, \"penalty_alpha\": 0}",
         "temperature 0.7, top_k 20, top_p 0.8, min_p 0.05, typical_p 0.9, "
         "repetition_penalty 1.05",
         "num_beams 4, no_repeat_ngram_size 3"},
        {MODEL_FILE_HF, "{\"do_sample\": true, \"temperature\": null, \"top_k\": null}",
         "temperature 1", ""},
        {MODEL_FILE_GGUF, "{}", "temperature 0", ""},
        {MODEL_FILE_GGUF, "{\"general.sampling.top_k\": 64}", "temperature 1, top_k 64", ""},
        {MODEL_FILE_GGUF,
         "{\"general.sampling.temp\": 0.5, \"general.sampling.top_p\": 0.95, "
         "\"general.sampling.min_p\": 0.01, \"general.sampling.penalty_repeat\": 1.5, "
         "\"general.sampling.penalty_last_n\": 64, \"general.sampling.xtc_probability\": 0.5, "
         "\"general.sampling.xtc_threshold\": 0.2, \"general.sampling.mirostat\": 2, "
         "\"do_sample\": false, \"top_k\": 5}",
         "temperature 0.5, top_p 0.95, min_p 0.01, repetition_penalty 1.5, repeat_last_n 64, "
         "xtc_probability 0.5, xtc_threshold 0.2",
         "general.sampling.mirostat 2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sample_params params;
        struct jl_error err;
        char unmet[SAMPLE_UNMET_BYTES], text[400];
        if (read_model(rows[i].kind, rows[i].json, NULL, &params, unmet, &err) != JL_OK)
            fail_msg("%s: %s", rows[i].json, err.message);
        sample_params_describe(&params, text, sizeof text);
        assert_string_equal(text, rows[i].described);
        assert_string_equal(unmet, rows[i].unmet);
    }
}

static void test_bad_settings_of_models(void **state) {
    (void)state;
    static const char *const bad[] = {"-1", "1.5", "\"0.9\"", "true", "[0.5]", "1e300"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sample_params params;
        struct jl_error err;
        char unmet[SAMPLE_UNMET_BYTES], json[100];
        bool replaced[SAMPLE_PARAM_COUNT] = {false};
        snprintf(json, sizeof json, "{\"do_sample\": true, \"top_p\": %s}", bad[i]);
        assert_int_equal(read_model(MODEL_FILE_HF, json, NULL, &params, unmet, &err),
                         JL_ERR_FORMAT);
        assert_non_null(strstr(err.message, "somewhere: generation_config.json: top_p"));
        assert_non_null(strstr(err.message, "--top-p"));
        replaced[SAMPLE_top_p] = true; // somebody said another: this one does not matter
        assert_int_equal(read_model(MODEL_FILE_HF, json, replaced, &params, unmet, &err), JL_OK);
        assert_true(params.top_p == 1 && params.temperature == 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_within_their_ranges),
        cmocka_unit_test(test_ends_of_ranges),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_biases),
        cmocka_unit_test(test_settings_of_models),
        cmocka_unit_test(test_bad_settings_of_models),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove();
    return failed;
}
