/* Every file of fixtures/: ids and texts as the original implementations gave them. How the files
 * are made, and their shape, is in make_fixtures.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "fixture.h"

#define FOLDER "tests/text/tokenizer/fixtures/"

static char *read_all(const char *name, const char *ending, size_t *len) {
    char path[200], *data;
    struct jl_error err;
    snprintf(path, sizeof path, FOLDER "%s%s", name, ending);
    if (file_read(path, (size_t)16 << 20, &data, len, &err) != JL_OK) fail_msg("%s", err.message);
    return data;
}

static json_t *read_json(const char *name) {
    size_t len;
    char *text = read_all(name, ".json", &len);
    json_error_t error;
    json_t *root = json_loadb(text, len, JSON_ALLOW_NUL, &error);
    if (!root) fail_msg("%s, line %d: %s", name, error.line, error.text);
    free(text);
    return root;
}

static int hex_value(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

/* The case's text; bytes that are not UTF-8 stand there as "hex". Heap. */
static char *case_text(const json_t *item, size_t *len) {
    const json_t *text = json_object_get(item, "text");
    const char *hex = json_string_value(json_object_get(item, "hex"));
    *len = text ? json_string_length(text) : strlen(hex) / 2;
    char *bytes = malloc(*len + 1);
    if (text) {
        memcpy(bytes, json_string_value(text), *len);
        return bytes;
    }
    for (size_t i = 0; i < *len; i++)
        bytes[i] = (char)(hex_value(hex[2 * i]) * 16 + hex_value(hex[2 * i + 1]));
    return bytes;
}

static void check_ids(const struct tokenizer *t, const char *where, const json_t *item, int flags) {
    size_t len, n, n_want = json_array_size(json_object_get(item, "ids"));
    char *text = case_text(item, &len);
    int32_t *ids;
    struct jl_error err;
    if (tokenizer_encode(t, text, len, flags, &ids, &n, &err) != JL_OK)
        fail_msg("%s: '%s': %s", where, text, err.message);
    for (size_t i = 0; i < n || i < n_want; i++) {
        json_int_t want = json_integer_value(json_array_get(json_object_get(item, "ids"), i));
        if (i < n && i < n_want && ids[i] == want) continue;
        text[len] = '\0';
        fail_msg("%s: '%s': id %zu of %zu is %d; it must be %d of %zu", where, text, i, n,
                 i < n ? ids[i] : -1, i < n_want ? (int)want : -1, n_want);
    }
    free(ids);
    free(text);
}

static void check_decoded(const struct tokenizer *t, const char *where, const json_t *item) {
    const json_t *list = json_object_get(item, "ids"), *want = json_object_get(item, "decoded");
    size_t n = json_array_size(list), len;
    int32_t *ids = calloc(n + 1, sizeof *ids);
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    char *text = fixture_decode(t, ids, n, &len);
    if (len != json_string_length(want) || memcmp(text, json_string_value(want), len) != 0) {
        char *dumped = json_dumps(list, JSON_COMPACT);
        fail_msg("%s: %s gives '%s'; it must be '%s'", where, dumped, text,
                 json_string_value(want));
    }
    free(text);
    free(ids);
}

static void check_cases(const struct tokenizer *t, const char *where, const json_t *cases,
                        int flags) {
    size_t i;
    json_t *item;
    json_array_foreach(cases, i, item) {
        if (!json_object_get(item, "only")) check_ids(t, where, item, flags);
        if (json_object_get(item, "decoded")) check_decoded(t, where, item);
    }
    assert_true(i > 0);
}

/* ---- SentencePiece ---- */

static void test_model(void **state) {
    const char *name = *state;
    size_t len;
    char *model = read_all(name, ".model", &len);
    struct tokenizer *t;
    struct jl_error err;
    if (tokenizer_from_sentencepiece(model, len, NULL, 0, &t, &err) != JL_OK)
        fail_msg("%s: %s", name, err.message);
    free(model); // nothing of it is used any more
    json_t *root = read_json(name);
    check_cases(t, name, json_object_get(root, "cases"), 0);
    json_decref(root);
    tokenizer_free(t);
}

/* ---- Hugging Face ---- */

/* What a variant changes, short, for messages. */
static char *label_of(const json_t *set) {
    json_t *copy = json_copy((json_t *)set);
    json_object_del(copy, "model"); // has the whole vocabulary
    char *text = json_dumps(copy, JSON_COMPACT);
    json_decref(copy);
    return text;
}

static void check_variant(const char *name, const json_t *base, const json_t *variant) {
    const json_t *set = json_object_get(variant, "set");
    json_t *root = json_copy((json_t *)base);
    char where[300], *label = label_of(set);
    struct tokenizer *t;
    struct jl_error err;
    assert_int_equal(json_object_update(root, (json_t *)set), 0);
    char *json = json_dumps(root, JSON_COMPACT);
    snprintf(where, sizeof where, "%s %s", name, label);
    if (tokenizer_from_json(json, strlen(json), NULL, 0, &t, &err) != JL_OK)
        fail_msg("%s: %s", where, err.message);
    int flags = ENCODE_SPECIAL;
    if (json_is_true(json_object_get(variant, "add"))) flags |= ENCODE_ADD_BOS;
    check_cases(t, where, json_object_get(variant, "cases"), flags);
    tokenizer_free(t);
    free(label);
    free(json);
    json_decref(root);
}

static void test_variants(void **state) {
    const char *name = *state;
    json_t *root = read_json(name), *variant;
    size_t i;
    json_array_foreach(json_object_get(root, "variants"), i, variant)
        check_variant(name, json_object_get(root, "base"), variant);
    assert_true(i > 0);
    json_decref(root);
}

#define MODEL(name) cmocka_unit_test_prestate(test_model, "sp_" name)
#define VARIANTS(name) cmocka_unit_test_prestate(test_variants, "hf_" name)

int main(void) {
    const struct CMUnitTest tests[] = {
        MODEL("bpe_bytes"),      MODEL("bpe_spaces"),
        MODEL("bpe_user"),       MODEL("unigram"),
        MODEL("unigram_bytes"),  MODEL("unigram_user"),
        MODEL("unigram_suffix"), MODEL("char"),
        MODEL("bpe_unused"),     MODEL("unigram_unused"),
        MODEL("word"),           MODEL("word_suffix"),
        VARIANTS("normalizers"), VARIANTS("pre_tokenizers"),
        VARIANTS("byte_level"),  VARIANTS("wordpiece"),
        VARIANTS("unigram"),     VARIANTS("character_bpe"),
        VARIANTS("patterns"),    VARIANTS("byte_steps"),
        VARIANTS("affixes"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
