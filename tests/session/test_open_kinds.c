/* GGUF files of the tokenizer models "t5" and "bert", written here from the fixtures of the text
 * room, and folders with a tokenizer.model: the ids are those of the originals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "fixture.h"
#include "format/gguf_write.h"
#include "session/open_tokenizer.h"
#include "support/scratch.h"
#include "text/tokenizer/sp_model.h"

#define KEY(name) "tokenizer.ggml." name
#define FIXTURES "tests/text/tokenizer/fixtures/"

static char *read_all(const char *path, size_t *len) {
    char *data;
    struct jl_error err;
    if (file_read(path, (size_t)16 << 20, &data, len, &err) != JL_OK) fail_msg("%s", err.message);
    return data;
}

static json_t *read_json(const char *path) {
    size_t len;
    char *text = read_all(path, &len);
    json_t *root = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
    assert_non_null(root);
    free(text);
    return root;
}

/* ---- writing ---- */

struct tokens {
    struct gguf_string *texts;
    float *scores;
    int32_t *types;
    size_t n;
};

static struct tokens new_tokens(size_t n) {
    return (struct tokens){calloc(n, sizeof(struct gguf_string)), calloc(n, sizeof(float)),
                           calloc(n, sizeof(int32_t)), n};
}

static void free_tokens(struct tokens *tokens) {
    free(tokens->texts);
    free(tokens->scores);
    free(tokens->types);
}

static struct gguf_writer *start(const char *path, const char *model, const struct tokens *tokens) {
    struct gguf_writer *w;
    struct jl_error err;
    assert_int_equal(gguf_writer_create(path, 0, &w, &err), JL_OK);
    gguf_put_text(w, "general.architecture", model);
    gguf_put_text(w, KEY("model"), model);
    gguf_put_strings(w, KEY("tokens"), tokens->texts, tokens->n);
    gguf_put_array(w, KEY("scores"), GGUF_FLOAT32, tokens->scores, tokens->n);
    gguf_put_array(w, KEY("token_type"), GGUF_INT32, tokens->types, tokens->n);
    return w;
}

static void finish(struct gguf_writer *w) {
    const int64_t dim[1] = {8};
    const float data[8] = {0};
    struct jl_error err;
    gguf_add_tensor(w, "x", DTYPE_F32, 1, dim);
    assert_int_equal(gguf_write_data(w, data, sizeof data, &err), JL_OK);
    if (gguf_writer_commit(w, &err) != JL_OK) fail_msg("%s", err.message);
    gguf_writer_free(w);
}

/* ---- checking ---- */

static void check_cases(const struct tokenizer *t, const json_t *cases, int flags) {
    size_t i, k, checked = 0;
    const json_t *item;
    json_array_foreach(cases, i, item) {
        const json_t *text = json_object_get(item, "text"), *want = json_object_get(item, "ids");
        if (!text || json_object_get(item, "only")) continue;
        int32_t *ids;
        size_t n =
            fixture_encode(t, json_string_value(text), json_string_length(text), flags, &ids);
        bool same = n == json_array_size(want);
        for (k = 0; same && k < n; k++)
            same = ids[k] == json_integer_value(json_array_get(want, k));
        if (!same) fail_msg("'%s' has other ids", json_string_value(text));
        free(ids);
        checked++;
    }
    assert_true(checked > 10);
}

static void test_t5(void **state) {
    (void)state;
    static const char *const names[] = {"sp_unigram", "sp_unigram_bytes", "sp_unigram_suffix"};
    for (int f = 0; f < 3; f++) {
        char path[200];
        size_t len;
        struct sp_model model;
        struct jl_error err;
        struct tokenizer *t;
        snprintf(path, sizeof path, FIXTURES "%s.model", names[f]);
        char *bytes = read_all(path, &len);
        assert_int_equal(sp_model_parse(bytes, len, &model, &err), JL_OK);
        struct tokens tokens = new_tokens((size_t)model.n_piece);
        for (int i = 0; i < model.n_piece; i++) {
            tokens.texts[i] = (struct gguf_string){model.pieces[i].text, model.pieces[i].len};
            tokens.scores[i] = model.pieces[i].score;
            tokens.types[i] = (int32_t)model.pieces[i].type;
        }
        const char *gguf = scratch_path("t5.gguf");
        struct gguf_writer *w = start(gguf, "t5", &tokens);
        gguf_put_array(w, KEY("precompiled_charsmap"), f ? GGUF_UINT8 : GGUF_INT8,
                       model.charsmap.data, model.charsmap.len);
        gguf_put_bool(w, KEY("remove_extra_whitespaces"), model.remove_extra_whitespaces);
        gguf_put_bool(w, KEY("treat_whitespace_as_suffix"), model.treat_whitespace_as_suffix);
        gguf_put_u32(w, KEY("eos_token_id"), 2);
        finish(w);
        if (open_tokenizer_path(gguf, NULL, &t, &err) != JL_OK) fail_msg("%s", err.message);
        snprintf(path, sizeof path, FIXTURES "%s.json", names[f]);
        json_t *root = read_json(path);
        check_cases(t, json_object_get(root, "cases"), 0);
        int32_t *ids;
        size_t n = fixture_encode(t, "the scale", 9, ENCODE_ADD_BOS, &ids);
        assert_int_equal(ids[n - 1], 2); // the end, and no beginning
        assert_int_not_equal(ids[0], 1);
        free(ids);
        json_decref(root);
        tokenizer_free(t);
        free_tokens(&tokens);
        sp_model_free(&model);
        free(bytes);
    }
}

/* "##a" becomes "a" and "a" becomes the mark and "a"; special tokens stay. */
static void test_bert(void **state) {
    (void)state;
    json_t *root = read_json(FIXTURES "hf_wordpiece.json"), *value;
    const json_t *base = json_object_get(root, "base");
    json_t *vocab = json_object_get(json_object_get(base, "model"), "vocab");
    struct tokens tokens = new_tokens(json_object_size(vocab));
    struct jl_error err;
    struct tokenizer *t;
    const char *key;
    char **texts = calloc(tokens.n, sizeof *texts);
    json_object_foreach(vocab, key, value) {
        size_t id = (size_t)json_integer_value(value);
        bool special = id < json_array_size(json_object_get(base, "added_tokens"));
        texts[id] = calloc(1, strlen(key) + 4);
        if (!special && strncmp(key, "##", 2) == 0)
            strcpy(texts[id], key + 2);
        else
            sprintf(texts[id], "%s%s", special ? "" : "\xE2\x96\x81", key);
        tokens.texts[id] = (struct gguf_string){texts[id], strlen(texts[id])};
        tokens.types[id] = special ? TOKEN_CONTROL : TOKEN_NORMAL;
    }
    const char *gguf = scratch_path("bert.gguf");
    struct gguf_writer *w = start(gguf, "bert", &tokens);
    gguf_put_u32(w, KEY("cls_token_id"), 2);
    gguf_put_u32(w, KEY("seperator_token_id"), 3);
    gguf_put_u32(w, KEY("unknown_token_id"), 1);
    finish(w);
    if (open_tokenizer_path(gguf, NULL, &t, &err) != JL_OK) fail_msg("%s", err.message);
    const json_t *variants = json_object_get(root, "variants");
    for (size_t i = 0; i < 2; i++) { // without and with what goes around a text
        const json_t *variant = json_array_get(variants, i);
        bool add = json_is_true(json_object_get(variant, "add"));
        check_cases(t, json_object_get(variant, "cases"),
                    ENCODE_SPECIAL | (add ? ENCODE_ADD_BOS : 0));
    }
    int32_t *ids;
    size_t n = fixture_encode(t, "reading a dragon", 16, ENCODE_ADD_BOS, &ids), len;
    char *text = fixture_decode(t, ids, n, &len);
    assert_string_equal(text, "reading a dragon");
    free(text);
    free(ids);
    for (size_t i = 0; i < tokens.n; i++)
        free(texts[i]);
    free(texts);
    free_tokens(&tokens);
    tokenizer_free(t);
    json_decref(root);
}

static void test_bad(void **state) {
    (void)state;
    struct tokens tokens = new_tokens(3);
    struct jl_error err;
    struct tokenizer *t;
    const uint8_t broken[8] = {200, 1, 2, 3};
    const char *path = scratch_path("bad.gguf");
    for (size_t i = 0; i < 3; i++) {
        tokens.texts[i] = (struct gguf_string){&"abc"[i], 1};
        tokens.types[i] = i ? TOKEN_NORMAL : TOKEN_UNKNOWN;
    }
    struct gguf_writer *w = start(path, "t5", &tokens);
    gguf_put_array(w, KEY("precompiled_charsmap"), GGUF_UINT8, broken, sizeof broken);
    finish(w);
    assert_int_equal(open_tokenizer_path(path, NULL, &t, &err), JL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "charsmap"));
    w = start(path, "t5", &tokens);
    gguf_put_u32(w, KEY("eos_token_id"), 3);
    finish(w);
    assert_int_equal(open_tokenizer_path(path, NULL, &t, &err), JL_ERR_FORMAT);
    w = start(path, "bert", &tokens);
    gguf_put_bool(w, KEY("add_bos_token"), true);
    finish(w);
    assert_int_equal(open_tokenizer_path(path, NULL, &t, &err), JL_ERR_FORMAT);
    free_tokens(&tokens);
}

/* A folder as Yi, Baichuan and InternLM are published: tokenizer.model and a configuration. */
static void test_folder(void **state) {
    (void)state;
    size_t len;
    struct tokenizer *t;
    struct jl_error err;
    char *model = read_all(FIXTURES "sp_bpe_bytes.model", &len);
    scratch_write("published/tokenizer.model", model, len);
    scratch_text("published/tokenizer_config.json",
                 "{\"add_bos_token\": false, \"tokenizer_class\": \"LlamaTokenizer\", "
                 "\"added_tokens_decoder\": {\"900\": {\"content\": \"<|im_start|>\", \"special\": "
                 "true}}}");
    if (open_tokenizer_path(scratch_path("published"), NULL, &t, &err) != JL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(tokenizer_vocab_size(t), 901);
    json_t *root = read_json(FIXTURES "sp_bpe_bytes.json");
    check_cases(t, json_object_get(root, "cases"), ENCODE_ADD_BOS);
    int32_t *ids;
    size_t n = fixture_encode(t, "<|im_start|>", 12, ENCODE_SPECIAL, &ids);
    assert_int_equal(n, 1);
    assert_int_equal(ids[0], 900);
    free(ids);
    json_decref(root);
    tokenizer_free(t);
    free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t5),
        cmocka_unit_test(test_bert),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
