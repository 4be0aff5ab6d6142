/* Types that no golden file has: whole models of them, made here. Each gives the bits of `ref` at
 * every level, thread count and chunking, the bits that stand below whatever the compiler, and
 * numbers near the float64 reference. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/golden.h"
#include "support/make_model.h"
#include "support/ref64.h"
#include "support/scratch.h"

enum { N_TOKEN = 21 };

static char path[600];

static struct golden_prompts random_prompt(const struct make_model *spec) {
    struct golden_prompts prompts = {.n = 1, .n_id = {N_TOKEN}};
    struct rng_key key = {.seed = spec->seed, .purpose = RNG_SAMPLE};
    prompts.ids[0] = calloc(N_TOKEN, sizeof(int32_t));
    for (int i = 0; i < N_TOKEN; i++)
        prompts.ids[0][i] = (int32_t)(rng_uniform(&key, (uint64_t)i) * (float)spec->n_vocab);
    return prompts;
}

static void compare_ways(struct golden_run run, const char *sha256) {
    char got_sha256[65];
    int n_vocab;
    run.level = "ref";
    run.threads = 1;
    float *want = golden_logits(&run, &n_vocab);
    size_t bytes = (size_t)N_TOKEN * (size_t)n_vocab * sizeof *want;
    golden_sha256(want, bytes, got_sha256);
    if (strncmp(got_sha256, sha256, strlen(sha256)) != 0)
        fail_msg("%s act=%s: the logits' hash is %.16s", run.path, run.act, got_sha256);
    for (int l = 1; golden_levels[l]; l++) {
        if (!golden_has_level(golden_levels[l])) {
            print_message("SKIPPED: level %s: this CPU lacks it\n", golden_levels[l]);
            continue;
        }
        run.level = golden_levels[l];
        for (run.threads = golden_quick() ? 2 : 1; run.threads <= 2; run.threads++)
            for (run.chunk = 0; run.chunk < 5; run.chunk += 2) {
                float *got = golden_logits(&run, &n_vocab);
                if (memcmp(got, want, bytes))
                    fail_msg("%s act=%s: other bits at level %s, %d threads, chunk %d", run.path,
                             run.act, run.level, run.threads, run.chunk);
                free(got);
            }
    }
    free(want);
}

/* The largest difference from the float64 pass, as a part of the largest logit. */
static double distance(const struct golden_run *run, const struct golden_prompts *prompts) {
    struct jl_error err = {0};
    struct model *model;
    int n_vocab;
    if (model_load(run->path, NULL, &model, &err) != JL_OK) fail_msg("%s", err.message);
    double *want = ref64_logits(model, prompts->ids[0], N_TOKEN), worst = 0, most = 0;
    float *got = golden_logits(run, &n_vocab);
    for (int i = 0; i < N_TOKEN * n_vocab; i++) {
        double d = fabs((double)got[i] - want[i]);
        if (!(d <= worst)) worst = d;
        most = fmax(most, fabs(want[i]));
    }
    free(got);
    free(want);
    model_free(model);
    return worst / most;
}

/* type, hash */
static const struct {
    enum dtype dtype;
    const char *sha256;
} blocks[] = {
    {DTYPE_IQ4_NL, "13dfd5c0d477a76c"},  {DTYPE_IQ4_XS, "f467d31c87252ce8"},
    {DTYPE_MXFP4, "ae21d3e0af6752c1"},   {DTYPE_IQ2_XXS, "0b055dd675607359"},
    {DTYPE_IQ2_XS, "e8c3546560cc6d8b"},  {DTYPE_IQ2_S, "e2e6b2059da951ef"},
    {DTYPE_IQ3_XXS, "a772126ab2f3c4de"}, {DTYPE_IQ3_S, "f122e9d764fa72f3"},
    {DTYPE_IQ1_S, "e5909b373dc61a2f"},   {DTYPE_IQ1_M, "3cbc287864d22b60"},
    {DTYPE_Q4_0, "801222a739357912"},    {DTYPE_Q4_1, "484927ccfe68ad27"},
    {DTYPE_Q5_0, "76f9225e0d94b3a8"},    {DTYPE_Q5_1, "3a1a1734a4a3486f"},
    {DTYPE_Q8_0, "2b4ab9f2a59a8be0"},    {DTYPE_Q2_K, "7a972719fbd4db2d"},
    {DTYPE_Q3_K, "33b2b9f7b763149e"},    {DTYPE_Q4_K, "b595ec833c1a9b20"},
    {DTYPE_Q5_K, "0f59e063a7bd250f"},    {DTYPE_Q6_K, "aa7032075cd570fd"},

};

static void test_blocks(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        struct make_model spec = {"llama", 2,     256,   512, 4,    2,    64, 72,
                                  false,   false, false, 0,   NULL, NULL, 30, 1};
        spec.dtype = blocks[i].dtype;
        spec.seed += i;
        make_gguf(&spec, path);
        struct golden_prompts prompts = random_prompt(&spec);
        struct golden_run run = {
            .path = path, .act = "f32", .kv = "f32", .threads = 2, .prompts = &prompts};
        double far = distance(&run, &prompts);
        print_message("%s: %.2g from float64\n", dtype_name(spec.dtype), far);
        if (!(far < 0.08)) fail_msg("%s: %g from float64", dtype_name(spec.dtype), far);
        compare_ways(run, blocks[i].sha256);
        golden_free_prompts(&prompts);
    }
}

/* FP8: widths and heights that are no multiples of 128, odd ones too, and experts. */
static const struct {
    struct make_model spec;
    const char *sha256[2]; // act f32, bf16
} f8[] = {
    {{"llama", 2, 200, 131, 4, 2, 50, 300, false, false, false, DTYPE_F8_E4M3, NULL, NULL, 50, 1},
     {"8c8c31cf067d9533", "28975edd25ea0a40"}},
    {{"qwen3", 1, 129, 256, 3, 1, 86, 97, false, true, false, DTYPE_F8_E4M3, NULL, NULL, 51, 3},
     {"247e7596b985c0ef", "0ae1b185501698c2"}},
    {{"qwen3_moe",
      2,
      144,
      96,
      2,
      1,
      64,
      150,
      false,
      false,
      false,
      DTYPE_F8_E4M3,
      NULL,
      NULL,
      52,
      1,
      NULL,
      {5, 2, 132, 1}},
     {"3e5759fe2615553e", "b67b3bad4b355855"}},
};

static void test_f8(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof f8 / sizeof f8[0]; i++) {
        make_hf(&f8[i].spec, path);
        struct golden_prompts prompts = random_prompt(&f8[i].spec);
        for (int bf16 = 0; bf16 < 2; bf16++) {
            struct golden_run run = {.path = path,
                                     .act = bf16 ? "bf16" : "f32",
                                     .kv = bf16 ? "bf16" : "f32",
                                     .threads = 2,
                                     .prompts = &prompts};
            double far = distance(&run, &prompts);
            print_message("%s act=%s: %.2g from float64\n", f8[i].spec.family, run.act, far);
            if (!(far < (bf16 ? 0.05 : 1e-5))) fail_msg("%g from float64", far);
            compare_ways(run, f8[i].sha256[bf16]);
        }
        golden_free_prompts(&prompts);
    }
}

static int name_path(void **state) {
    (void)state;
    snprintf(path, sizeof path, "%s/model", scratch_dir());
    return 0;
}

static int clean_up(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

/* Runs the prompt: a scale or weight that is no number must be found, with the layer. */
static void expect_not_finite(const struct make_model *spec) {
    struct jl_error err = {0};
    struct model *model;
    struct backend *backend;
    struct exec *exec;
    struct backend_options cpu = {NULL, 1};
    struct golden_prompts prompts = random_prompt(spec);
    struct feed feed = {.tokens = prompts.ids[0], .n_token = N_TOKEN};
    assert_int_equal(backend_cpu_create(&cpu, &backend, &err), JL_OK);
    assert_int_equal(model_load(path, NULL, &model, &err), JL_OK);
    assert_int_equal(exec_create(model, backend, N_TOKEN, &exec, &err), JL_OK);
    struct page_pool *pool = golden_pool(model, backend, 1);
    assert_int_equal(state_create(pool, &feed.state, &err), JL_OK);
    assert_int_equal(feed_forward(exec, &feed, 1, NULL, NULL, &err), JL_ERR_NONFINITE);
    assert_non_null(strstr(err.message, "layer 0"));
    state_free(feed.state);
    page_pool_free(pool);
    exec_free(exec);
    model_free(model);
    backend_free(backend);
    golden_free_prompts(&prompts);
}

/* Overwrites one byte of the data of a tensor of layer 0: `from_end` bytes before the file's end.
 */
static void poke(const char *file, long from_end, uint8_t value) {
    FILE *f = fopen(file, "r+b");
    assert_non_null(f);
    fseek(f, -from_end, SEEK_END);
    assert_int_equal(fputc(value, f), value);
    fclose(f);
}

static void test_no_numbers(void **state) {
    (void)state;
    char file[640];
    struct make_model spec = f8[0].spec;
    spec.n_layer = 1;
    make_hf(&spec, path);
    snprintf(file, sizeof file, "%s/model.safetensors", path);
    poke(file, 2 * 2 * sizeof(float) + 30, 0x7f); // in mlp.down_proj; its 2 x 2 scales end the file
    expect_not_finite(&spec);
    clean_up(state);

    name_path(state);
    spec = (struct make_model){"llama", 1,     256,   256, 4,    2,    64, 72,
                               false,   false, false, 0,   NULL, NULL, 60, 1};
    spec.dtype = DTYPE_MXFP4;
    make_gguf(&spec, path);
    poke(path, 17, 255); // the exponent of the last block of the last matrix
    expect_not_finite(&spec);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_blocks, name_path, clean_up),
        cmocka_unit_test_setup_teardown(test_f8, name_path, clean_up),
        cmocka_unit_test_setup_teardown(test_no_numbers, name_path, clean_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
