/* Tokenizers of GGUF files as files of a folder: read again they encode and decode the same; what
 * such files cannot hold is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "fixture.h"

static void same(const struct tokenizer *a, const struct tokenizer *b, const char *text, size_t len,
                 int flags) {
    int32_t *x, *y;
    size_t n = fixture_encode(a, text, len, flags, &x), decoded[2];
    if (n != fixture_encode(b, text, len, flags, &y) || memcmp(x, y, n * sizeof *x) != 0)
        fail_msg("other ids for '%.*s'", (int)len, text);
    char *p = fixture_decode(a, x, n, &decoded[0]), *q = fixture_decode(b, x, n, &decoded[1]);
    if (decoded[0] != decoded[1] || memcmp(p, q, decoded[0]) != 0)
        fail_msg("'%s' decoded as '%s'", p, q);
    free(p);
    free(q);
    free(x);
    free(y);
}

static void same_for_random_texts(const struct tokenizer *a, const struct tokenizer *b) {
    static const char *const marked[] = {"<tool>a<tool>", "x <|end|> y", " <|end|>", "<s>  </s>",
                                         ""};
    uint64_t state = 5;
    char text[400];
    for (int i = 0; i < 200; i++) {
        size_t len = fixture_random_text(&state, text, fixture_random(&state) % 300);
        same(a, b, text, len, i % 2 ? ENCODE_ADD_BOS | ENCODE_SPECIAL : 0);
    }
    for (size_t i = 0; i < sizeof marked / sizeof marked[0]; i++)
        same(a, b, marked[i], strlen(marked[i]), ENCODE_SPECIAL);
    assert_int_equal(tokenizer_bos(a), tokenizer_bos(b));
    assert_int_equal(tokenizer_eos(a), tokenizer_eos(b));
}

/* ---- SentencePiece ---- */

static void check_spm(const struct spm_spec *spec) {
    struct tokenizer_folder folder;
    struct tokenizer *a, *b;
    struct jl_error err;
    if (tokenizer_spm_to_folder(spec, &folder, &err) != JL_OK) fail_msg("%s", err.message);
    assert_string_equal(folder.name, "tokenizer.model");
    assert_int_equal(tokenizer_from_spm(spec, &a, &err), JL_OK);
    if (tokenizer_from_sentencepiece(folder.bytes, folder.len, folder.config, strlen(folder.config),
                                     &b, &err) != JL_OK)
        fail_msg("%s", err.message);
    same_for_random_texts(a, b);
    tokenizer_free(a);
    tokenizer_free(b);
    tokenizer_folder_free(&folder);
}

static void test_spm(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    check_spm(&f.spec);
    f.spec.add_space_prefix = false;
    check_spm(&f.spec);
    f.spec.add_bos = false;
    f.spec.add_eos = true;
    check_spm(&f.spec);
    f.tokens[FIXTURE_PIECE0 + 4].score = f.tokens[FIXTURE_PIECE0 + 5].score; // a tie
    check_spm(&f.spec);
}

/* ---- bytes ---- */

/* The fixture's vocabulary of bytes, as GGUF's arrays, with a pre-tokenizer that is replaced. */
static struct tokenizer_gguf byte_level(void) {
    json_t *file = json_load_file("tests/text/tokenizer/fixtures/hf_byte_level.json", 0, NULL);
    assert_non_null(file);
    json_t *root = json_object_get(file, "base");
    json_t *added = json_object_get(root, "added_tokens");
    while (json_array_size(added) > 3) // the others take white space with them
        json_array_remove(added, json_array_size(added) - 1);
    json_object_set_new(root, "normalizer", json_null());
    json_object_set_new(root, "pre_tokenizer",
                        json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space",
                                  0, "trim_offsets", 1, "use_regex", 1));
    char *text = json_dumps(root, 0);
    struct tokenizer *t;
    struct tokenizer_gguf gguf = {0};
    struct jl_error err;
    if (tokenizer_from_json(text, strlen(text), NULL, 0, &t, &err) != JL_OK ||
        tokenizer_to_gguf(t, tokenizer_vocab_size(t) + 2, &gguf, &err) != JL_OK)
        fail_msg("%s", err.message);
    tokenizer_free(t);
    free(text);
    json_decref(file);
    return gguf;
}

static struct bpe_spec spec_of(const struct tokenizer_gguf *g, const char *pre) {
    return (struct bpe_spec){.tokens = g->tokens,
                             .n_token = g->n_token,
                             .merges = g->merges,
                             .n_merge = g->n_merge,
                             .pre = pre,
                             .pre_len = strlen(pre),
                             .bos = g->bos,
                             .eos = g->eos,
                             .unk = g->unk};
}

static int32_t some_control(const struct tokenizer_gguf *g) {
    for (int32_t i = 0; i < g->n_token; i++)
        if (g->tokens[i].type == TOKEN_CONTROL) return i;
    fail_msg("no control token");
    return TOKEN_NONE;
}

static void test_bytes(void **state) {
    (void)state;
    struct tokenizer_gguf gguf = byte_level();
    struct jl_error err;
    for (int row = 0; tokenizer_pre_names(row); row++) {
        char name[64];
        struct tokenizer_folder folder;
        struct tokenizer *a, *b;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(tokenizer_pre_names(row), " "),
                 tokenizer_pre_names(row));
        struct bpe_spec spec = spec_of(&gguf, name);
        spec.bos = spec.eos = some_control(&gguf);
        spec.add_bos = row % 2;
        spec.add_eos = row % 3 == 1;
        if (tokenizer_bpe_to_folder(&spec, &folder, &err) != JL_OK)
            fail_msg("%s: %s", name, err.message);
        assert_string_equal(folder.name, "tokenizer.json");
        assert_int_equal(tokenizer_from_bpe(&spec, &a, &err), JL_OK);
        // The post-processor alone says what stands around a text, too.
        for (int config = 0; config < 2; config++) {
            if (tokenizer_from_json(folder.bytes, folder.len, config ? folder.config : NULL,
                                    config ? strlen(folder.config) : 0, &b, &err) != JL_OK)
                fail_msg("%s: %s", name, err.message);
            if (config)
                same_for_random_texts(a, b);
            else
                same(a, b, "a b", 3, ENCODE_ADD_BOS);
            tokenizer_free(b);
        }
        tokenizer_free(a);
        tokenizer_folder_free(&folder);
    }
    tokenizer_gguf_free(&gguf);
}

/* ---- refusals ---- */

static void refused(enum jl_status status, const struct jl_error *err, const char *needle) {
    assert_int_not_equal(status, JL_OK);
    if (!strstr(err->message, needle)) fail_msg("no '%s' in: %s", needle, err->message);
}

static void test_refused(void **state) {
    (void)state;
    struct tokenizer_gguf gguf = byte_level();
    struct tokenizer_folder folder;
    struct jl_error err;
    struct bpe_spec spec = spec_of(&gguf, "gpt-2");
    spec.add_space_prefix = true;
    refused(tokenizer_bpe_to_folder(&spec, &folder, &err), &err, "puts a space in front");
    spec.add_space_prefix = false;
    spec.pre_len = 2;
    refused(tokenizer_bpe_to_folder(&spec, &folder, &err), &err, "'gp' is not known");
    spec.pre_len = 5;
    gguf.tokens[some_control(&gguf)].text = "\xFF";
    gguf.tokens[some_control(&gguf)].len = 1;
    refused(tokenizer_bpe_to_folder(&spec, &folder, &err), &err, "no UTF-8");
    assert_null(folder.bytes);
    tokenizer_folder_free(&folder);
    tokenizer_gguf_free(&gguf);
    struct fixture f;
    fixture_init(&f);
    f.tokens[FIXTURE_UNK].type = TOKEN_CONTROL;
    f.spec.unk = TOKEN_NONE; // else it would be that one
    refused(tokenizer_spm_to_folder(&f.spec, &folder, &err), &err, "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spm),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
