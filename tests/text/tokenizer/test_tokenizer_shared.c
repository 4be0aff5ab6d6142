/* The published vocabularies with known ids, where the shared folder is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "fixture.h"

static struct tokenizer *open_folder(const char *name) {
    char folder[200];
    struct jl_error err = {0};
    struct tokenizer *t = NULL;
    char *json, *config = NULL;
    size_t json_len, config_len = 0;
    snprintf(folder, sizeof folder, "%s/tokenizer.json", name);
    char *path = fixture_shared(folder);
    if (!path) return NULL;
    assert_int_equal(file_read(path, (size_t)64 << 20, &json, &json_len, &err), JL_OK);
    free(path);
    snprintf(folder, sizeof folder, "%s/tokenizer_config.json", name);
    path = fixture_shared(folder);
    if (path) assert_int_equal(file_read(path, 1 << 20, &config, &config_len, &err), JL_OK);
    free(path);
    if (tokenizer_from_json(json, json_len, config, config_len, &t, &err) != JL_OK)
        fail_msg("%s: %s", name, err.message);
    free(json);
    free(config);
    return t;
}

static void check_vocabulary(const char *folder, const char *cases, int n_vocab) {
    struct tokenizer *t = open_folder(folder);
    if (!t) skip();
    assert_int_equal(tokenizer_vocab_size(t), n_vocab);
    assert_int_equal(tokenizer_bos(t), 1);
    char *path = fixture_shared(cases);
    assert_non_null(path);
    printf("%s: %zu cases\n", cases, fixture_check_cases(t, path));
    free(path);
    tokenizer_free(t);
}

static void test_llama_2(void **state) {
    (void)state;
    check_vocabulary("vocab/llama-2", "vocab/cases/llama-2.jsonl", 32000);
}

static void test_mistral(void **state) {
    (void)state;
    check_vocabulary("vocab/mistral-0.3", "vocab/cases/mistral-0.3.jsonl", 32768);
}

static void test_stories(void **state) {
    (void)state;
    struct tokenizer *t = open_folder("models/stories260K");
    if (!t) skip();
    char *path = fixture_shared("models/stories260K/golden.json");
    assert_non_null(path);
    json_t *golden = json_load_file(path, 0, NULL);
    const json_t *want = json_object_get(golden, "prompt_ids");
    const char *prompt = json_string_value(json_object_get(golden, "prompt"));
    int32_t *ids;
    size_t n = fixture_encode(t, prompt, strlen(prompt), ENCODE_ADD_BOS, &ids), len;
    assert_int_equal(n, json_array_size(want));
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ids[i], json_integer_value(json_array_get(want, i)));
    char *back = fixture_decode(t, ids, n, &len);
    assert_string_equal(back, prompt);
    assert_int_equal(tokenizer_eos(t), 2);
    free(back);
    free(ids);
    free(path);
    json_decref(golden);
    tokenizer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_llama_2),
        cmocka_unit_test(test_mistral),
        cmocka_unit_test(test_stories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
