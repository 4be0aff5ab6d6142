/* Which files of a repository are taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hub/choose.h"

static struct arena arena = {.block_size = 4096};

/* `paths`: separated by '|'. The chosen ones, in order, likewise; "" on failure. */
static const char *choose(const char *paths, const char *pick, const char *index) {
    static char out[2048];
    struct hub_listing list = {arena_calloc(&arena, 100, sizeof(struct hub_file)), 0, 100, NULL};
    struct hub_choice choice;
    struct jl_error err = {0};
    for (const char *at = paths; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        list.files[list.n++] =
            (struct hub_file){arena_strndup(&arena, at, strcspn(at, "|")), 1, {0}, NULL};
    assert_int_equal(hub_listing_finish(&list, "hub", &err), JL_OK);
    struct hub_question question = {.listing = &list,
                                    .repo = "a/b",
                                    .pick = pick,
                                    .index = index,
                                    .index_size = index ? strlen(index) : 0};
    assert_int_equal(hub_choose_needs_index(&question), index != NULL);
    out[0] = 0;
    enum jl_status status = hub_choose(&question, &arena, &choice, &err);
    assert_int_equal(status == JL_OK, err.message[0] == 0);
    for (size_t i = 0; status == JL_OK && i < choice.n; i++)
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s", i ? "|" : "",
                 choice.files[i]->path);
    return out;
}

static void folders(void **state) {
    (void)state;
    assert_string_equal(
        choose("model.safetensors|config.json|x/tokenizer.json|qwen.tiktoken|README.md|a.py", NULL,
               NULL),
        "config.json|qwen.tiktoken|model.safetensors");
    assert_string_equal(choose("config.json|model.safetensors|m-Q8_0.gguf", NULL, NULL),
                        "config.json|model.safetensors");
    assert_string_equal(choose("config.json|model.safetensors|m-Q8_0.gguf", "q8_0", NULL),
                        "m-Q8_0.gguf");
    assert_string_equal(choose("model.safetensors", NULL, NULL), "");
    assert_string_equal(choose("config.json|pytorch_model.bin", NULL, NULL), "");
    assert_string_equal(choose("x/config.json|x/model.safetensors", NULL, NULL), "");
    assert_string_equal(
        choose("config.json|a.safetensors|b.safetensors|c.safetensors|model.safetensors.index.json",
               NULL, "{\"weight_map\":{\"x\":\"c.safetensors\",\"y\":\"a.safetensors\"}}"),
        "config.json|model.safetensors.index.json|a.safetensors|c.safetensors");
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"weight_map\":{}}",
                                      "{\"weight_map\":{\"x\":1}}",
                                      "{\"weight_map\":{\"x\":\"b.safetensors\"}}",
                                      "{\"weight_map\":{\"x\":\"config.json\"}}",
                                      "{\"weight_map\":{\"x\":\"d/a.safetensors\"}}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_string_equal(
            choose("config.json|a.safetensors|d/a.safetensors|model.safetensors.index.json", NULL,
                   bad[i]),
            "");
}

static void ggufs(void **state) {
    static const char all[] =
        "m-Q4_K_M.gguf|m-Q4_K_S.gguf|m-UD-Q4_K_M.gguf|IQ4_XS/m-IQ4_XS-00002-of-00002.gguf|"
        "IQ4_XS/m-IQ4_XS-00001-of-00002.gguf|m.f16.gguf|mmproj-F16.gguf";
    (void)state;
    assert_string_equal(choose(all, NULL, NULL), "");
    assert_string_equal(choose(all, "Q4_K_S", NULL), "m-Q4_K_S.gguf");
    assert_string_equal(choose(all, "Q4_K_M", NULL), ""); // two
    assert_string_equal(choose(all, "m-Q4_K_M.gguf", NULL), "m-Q4_K_M.gguf");
    assert_string_equal(choose(all, "UD-Q4_K_M", NULL), "m-UD-Q4_K_M.gguf");
    assert_string_equal(choose(all, "f16", NULL), "m.f16.gguf");
    assert_string_equal(choose(all, "mmproj-F16.gguf", NULL), "mmproj-F16.gguf");
    assert_string_equal(choose(all, "iq4_xs", NULL),
                        "IQ4_XS/m-IQ4_XS-00001-of-00002.gguf|IQ4_XS/m-IQ4_XS-00002-of-00002.gguf");
    assert_string_equal(choose(all, "Q4", NULL), "");
    assert_string_equal(choose(all, "Q4_K", NULL), "");
    assert_string_equal(choose(all, "4_XS", NULL), "");
    assert_string_equal(choose("only.gguf|README.md", NULL, NULL), "only.gguf");
    assert_string_equal(choose("m-00001-of-00002.gguf", NULL, NULL), "");
    assert_string_equal(choose("m-00000-of-00001.gguf", NULL, NULL), "");
    assert_string_equal(choose("m-00001-of-00000.gguf", NULL, NULL), "");
    assert_string_equal(choose("m-1-of-2.gguf|m-00001-of-2.gguf", NULL, NULL),
                        ""); // the same part twice
    assert_string_equal(choose("m-1-of-99999999.gguf", NULL, NULL), "");
}

static void names_of_files(void **state) {
    (void)state;
    assert_string_equal(hub_gguf_stem("a/m-Q8_0-00001-of-00010.gguf", &arena), "a/m-Q8_0");
    assert_string_equal(hub_gguf_stem("m-1of2.gguf", &arena), "m-1of2");
    assert_string_equal(hub_gguf_stem("-00001-of-00002.gguf", &arena), "-00001-of-00002");
    assert_string_equal(hub_gguf_type("m-Q8_0"), "Q8_0");
    assert_string_equal(hub_gguf_type("m.q4_k_m"), "q4_k_m");
    assert_string_equal(hub_gguf_type("m-BF16"), "BF16");
    assert_string_equal(hub_gguf_type("Qwen3-0.6B"), "");
    assert_string_equal(hub_gguf_type("model-Q"), "");
    assert_true(hub_pick_means("m-Q8_0", "s/m-Q8_0-00001-of-00002.gguf"));
    assert_true(hub_pick_means("s/m-Q8_0.gguf", "s/m-Q8_0-00001-of-00002.gguf"));
    assert_false(hub_pick_means("t/m-Q8_0.gguf", "s/m-Q8_0-00001-of-00002.gguf"));
    assert_false(hub_pick_means("Q8_0.gguf", "m-Q8_0.gguf"));
}

static int release(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders),
        cmocka_unit_test(ggufs),
        cmocka_unit_test(names_of_files),
    };
    return cmocka_run_group_tests_name("hub/choose", tests, NULL, release);
}
