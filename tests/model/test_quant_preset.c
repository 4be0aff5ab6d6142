/* Presets: which type each part of a model gets. The expectations are written out by layer, from
 * the published rules; and the published files among the goldens must have the types chosen here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "format/model_file.h"
#include "model/quant_preset.h"
#include "tensor/quant.h"

static struct quant_choice choose(const char *preset, const struct quant_model *model,
                                  const char *name, enum dtype dtype, int n_dim, int64_t n_in) {
    const struct quant_preset *found = quant_preset_find(preset);
    struct quant_tensor tensor = {name, dtype, n_dim, n_in};
    if (!found) fail_msg("no preset %s", preset);
    return quant_preset_choose(found, model, &tensor);
}

static const char *type_of(const char *preset, const struct quant_model *model, const char *name) {
    return dtype_name(choose(preset, model, name, DTYPE_F32, 2, 1024).dtype);
}

static void test_names(void **state) {
    (void)state;
    assert_null(quant_preset_find("Q9_K"));
    assert_ptr_equal(quant_preset_find("q8_0"), quant_preset_find("Q8_0"));
    int n = 0;
    for (; quant_preset_at(n); n++) {
        const struct quant_preset *preset = quant_preset_at(n);
        assert_ptr_equal(quant_preset_find(quant_preset_name(preset)), preset);
        enum dtype dtype = choose(quant_preset_name(preset), &(struct quant_model){.n_layer = 1},
                                  "blk.0.ffn_up.weight", DTYPE_F32, 2, 512)
                               .dtype;
        assert_true(dtype_can_quantize(dtype));
        for (int i = 0; i < n; i++)
            assert_int_not_equal(quant_preset_file_type(preset),
                                 quant_preset_file_type(quant_preset_at(i)));
    }
    assert_int_equal(n, 14);
    assert_true(quant_preset_is_float(quant_preset_find("bf16")));
    assert_false(quant_preset_is_float(quant_preset_find("q8_0")));
}

/* The letter of each layer's type over 16 layers. */
static void expect_layers(const char *preset, const struct quant_model *model, const char *part,
                          const char *want, const char *const types[2]) {
    char name[64];
    for (int layer = 0; want[layer]; layer++) {
        snprintf(name, sizeof name, "blk.%d.%s.weight", layer, part);
        const char *type = types[want[layer] == '+'];
        if (strcmp(type_of(preset, model, name), type) != 0)
            fail_msg("%s: %s is %s, expected %s", preset, name, type_of(preset, model, name), type);
    }
}

static void test_rules(void **state) {
    (void)state;
    static const struct quant_model plain = {.n_layer = 16, .n_head = 8, .n_head_kv = 4};
    static const struct quant_model shared = {.n_layer = 16, .n_head = 8, .n_head_kv = 2};
    static const struct quant_model weighed = {
        .n_layer = 16, .n_head = 8, .n_head_kv = 4, .imatrix = true};
    // The first and last eighth, and every third of those between.
    static const char more[] = "++--+--+--+--+++", none[] = "----------------",
                      all[] = "++++++++++++++++", first2[] = "++--------------",
                      first4[] = "++++------------", first1[] = "+---------------";
    expect_layers("Q4_K_M", &plain, "attn_v", more, (const char *[]){"Q4_K", "Q6_K"});
    expect_layers("Q4_K_M", &plain, "attn_qkv", more, (const char *[]){"Q4_K", "Q6_K"});
    expect_layers("Q4_K_M", &plain, "ffn_down", more, (const char *[]){"Q4_K", "Q6_K"});
    expect_layers("Q4_K_M", &plain, "ffn_down_exps", more, (const char *[]){"Q4_K", "Q6_K"});
    expect_layers("Q4_K_M", &plain, "ffn_up", none, (const char *[]){"Q4_K", "Q6_K"});
    expect_layers("Q4_K_M", &plain, "attn_q", none, (const char *[]){"Q4_K", "Q6_K"});
    expect_layers("Q4_K_M", &plain, "attn_output", none, (const char *[]){"Q4_K", "Q6_K"});
    expect_layers("Q5_K_M", &plain, "attn_v", more, (const char *[]){"Q5_K", "Q6_K"});
    expect_layers("Q5_K_S", &plain, "attn_v", none, (const char *[]){"Q5_K", "Q6_K"});
    expect_layers("Q4_K_S", &plain, "attn_v", first4, (const char *[]){"Q4_K", "Q5_K"});
    expect_layers("Q4_K_S", &plain, "ffn_down", first2, (const char *[]){"Q4_K", "Q5_K"});
    expect_layers("Q3_K_M", &plain, "attn_v", first2, (const char *[]){"Q4_K", "Q5_K"});
    expect_layers("Q3_K_M", &plain, "ffn_down", first1, (const char *[]){"Q4_K", "Q5_K"});
    expect_layers("Q3_K_M", &plain, "attn_k", none, (const char *[]){"Q3_K", "Q5_K"});
    expect_layers("Q2_K", &plain, "attn_v", none, (const char *[]){"Q3_K", "Q4_K"});
    expect_layers("Q2_K", &shared, "attn_v", all, (const char *[]){"Q3_K", "Q4_K"});
    expect_layers("Q2_K", &plain, "attn_output", all, (const char *[]){"Q2_K", "Q3_K"});
    expect_layers("Q2_K", &plain, "ffn_gate", none, (const char *[]){"Q2_K", "Q3_K"});
    expect_layers("IQ4_XS", &shared, "attn_v", all, (const char *[]){"IQ4_XS", "Q5_K"});
    expect_layers("IQ4_XS", &plain, "ffn_down", first2, (const char *[]){"IQ4_XS", "Q5_K"});
    expect_layers("IQ4_XS", &weighed, "ffn_down", none, (const char *[]){"IQ4_XS", "Q5_K"});
    expect_layers("Q4_0", &weighed, "ffn_down", first2, (const char *[]){"Q4_0", "Q4_1"});
    expect_layers("Q4_0", &plain, "ffn_down", none, (const char *[]){"Q4_0", "Q4_1"});
    expect_layers("Q8_0", &plain, "ffn_down", none, (const char *[]){"Q8_0", "Q6_K"});
}

static void test_ends(void **state) {
    (void)state;
    struct quant_model model = {.n_layer = 4, .n_head = 4, .n_head_kv = 4};
    assert_string_equal(type_of("Q6_K", &model, "output.weight"), "Q6_K");
    assert_string_equal(type_of("Q8_0", &model, "output.weight"), "Q8_0");
    assert_string_equal(type_of("F16", &model, "token_embd.weight"), "F16");
    static const char *const presets[] = {"Q4_0", "Q4_K_M", "Q5_K_M", "Q2_K", "IQ4_XS"};
    static const char *const base[] = {"Q4_0", "Q4_K", "Q5_K", "Q2_K", "IQ4_XS"};
    for (int i = 0; i < 5; i++) {
        if (!quant_preset_find(presets[i])) continue;
        model.tied = false;
        assert_string_equal(type_of(presets[i], &model, "output.weight"), "Q6_K");
        assert_string_equal(type_of(presets[i], &model, "token_embd.weight"), base[i]);
        model.tied = true;
        assert_string_equal(type_of(presets[i], &model, "token_embd.weight"), "Q6_K");
    }
    // Eight experts: the attention is small beside them.
    model.n_expert = 8;
    assert_string_equal(type_of("Q6_K", &model, "blk.0.attn_k.weight"), "Q8_0");
    assert_string_equal(type_of("Q6_K", &model, "blk.0.attn_v.weight"), "Q8_0");
    assert_string_equal(type_of("Q6_K", &model, "blk.0.attn_q.weight"), "Q6_K");
}

static void test_what_is_left_alone(void **state) {
    (void)state;
    static const struct quant_model model = {.n_layer = 2, .n_head = 4, .n_head_kv = 4};
    static const struct {
        const char *name;
        enum dtype dtype;
        int n_dim;
        enum dtype want;
    } cases[] = {
        {"blk.0.attn_norm.weight", DTYPE_BF16, 1, DTYPE_F32},
        {"blk.0.attn_q.bias", DTYPE_F16, 1, DTYPE_F32},
        {"blk.0.ffn_gate_inp.weight", DTYPE_BF16, 2, DTYPE_F32},
        {"blk.0.ssm_conv1d.weight", DTYPE_F32, 2, DTYPE_F32},
        {"blk.0.attn_k_norm.weight", DTYPE_F32, 2, DTYPE_F32},
        {"blk.0.ssm_a", DTYPE_F32, 2, DTYPE_F32},
        {"blk.0.ffn_gate_tid2eid.weight", DTYPE_I32, 2, DTYPE_I32},
        {"blk.0.ffn_norm.weight", DTYPE_Q8_0, 1, DTYPE_Q8_0}, // no float: as it is
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct quant_choice got =
            choose("Q6_K", &model, cases[i].name, cases[i].dtype, cases[i].n_dim, 1024);
        assert_int_equal(got.dtype, cases[i].want);
        assert_int_equal(got.wanted, cases[i].want);
    }
}

static void test_fallback(void **state) {
    (void)state;
    static const struct quant_model model = {.n_layer = 2, .n_head = 4, .n_head_kv = 4};
    static const struct {
        const char *preset;
        int64_t n_in;
        enum dtype want;
    } cases[] = {
        {"Q6_K", 512, DTYPE_Q6_K},     {"Q6_K", 96, DTYPE_Q8_0},   {"Q6_K", 288, DTYPE_Q8_0},
        {"Q6_K", 100, DTYPE_F16},      {"Q5_K_M", 96, DTYPE_Q5_1}, {"Q4_K_M", 96, DTYPE_Q5_0},
        {"Q4_0", 96, DTYPE_Q4_0},      {"Q4_0", 100, DTYPE_F16},   {"Q2_K", 96, DTYPE_IQ4_NL},
        {"Q3_K_M", 288, DTYPE_IQ4_NL}, {"Q2_K", 100, DTYPE_F16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct quant_choice got =
            choose(cases[i].preset, &model, "blk.0.ffn_up.weight", DTYPE_F32, 2, cases[i].n_in);
        assert_int_equal(got.dtype, cases[i].want);
        got.dtype = choose(cases[i].preset, &model, "blk.0.ffn_up.weight", DTYPE_F32, 2, 512).dtype;
        assert_int_equal(got.wanted, got.dtype);
    }
}

static void test_published_files(void **state) {
    (void)state;
    static const char *const presets[] = {"q8_0",   "q6_k",   "q5_k_m", "q4_k_m", "q4_0",
                                          "iq4_nl", "iq4_xs", "q3_k_m", "q2_k"};
    static const struct quant_model model = {.n_layer = 2, .n_head = 4, .n_head_kv = 2};
    int checked = 0;
    for (size_t p = 0; p < sizeof presets / sizeof presets[0]; p++) {
        char path[128];
        struct model_file *file;
        struct jl_error err;
        snprintf(path, sizeof path, "tests/golden/gguf/small-llama.%s.gguf", presets[p]);
        if (!file_exists(path) || !quant_preset_find(presets[p])) continue;
        if (model_file_open(path, &file, &err) != JL_OK) fail_msg("%s", err.message);
        for (size_t i = 0; i < file->n_tensor; i++) {
            const struct tensor_info *t = &file->tensors[i];
            struct quant_choice got =
                choose(presets[p], &model, t->name, DTYPE_F32, t->n_dim, t->dim[t->n_dim - 1]);
            if (got.dtype != t->dtype)
                fail_msg("%s: %s is %s, chosen is %s", path, t->name, dtype_name(t->dtype),
                         dtype_name(got.dtype));
        }
        checked++;
        model_file_free(file);
    }
    assert_true(checked >= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),    cmocka_unit_test(test_rules),
        cmocka_unit_test(test_ends),     cmocka_unit_test(test_what_is_left_alone),
        cmocka_unit_test(test_fallback), cmocka_unit_test(test_published_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
