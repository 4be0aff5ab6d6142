/* Tokenizers as GGUF's arrays: what is made of them, made into a tokenizer again, encodes the same;
 * what GGUF cannot hold is refused or named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "fixture.h"

/* ---- there and back ---- */

static struct tokenizer *rebuild(const struct tokenizer_gguf *g) {
    struct tokenizer *t;
    struct jl_error err;
    enum jl_status status;
    if (!strcmp(g->model, "llama")) {
        struct spm_spec spec = {g->tokens, g->n_token, g->bos,     g->eos,
                                g->unk,    g->add_bos, g->add_eos, g->add_space_prefix};
        assert_null(g->merges);
        status = tokenizer_from_spm(&spec, &t, &err);
    } else {
        struct bpe_spec spec = {g->tokens, g->n_token,     g->merges,  g->n_merge,
                                g->pre,    strlen(g->pre), g->bos,     g->eos,
                                g->unk,    g->add_bos,     g->add_eos, g->add_space_prefix};
        assert_string_equal(g->model, "gpt2");
        status = tokenizer_from_bpe(&spec, &t, &err);
    }
    if (status != JL_OK) fail_msg("%s", err.message);
    return t;
}

static struct tokenizer_gguf convert(const struct tokenizer *t, int n_token) {
    struct tokenizer_gguf g;
    struct jl_error err;
    if (tokenizer_to_gguf(t, n_token, &g, &err) != JL_OK) fail_msg("%s", err.message);
    return g;
}

static void same_ids(const struct tokenizer *a, const struct tokenizer *b, const char *text,
                     size_t len, int flags) {
    int32_t *x, *y;
    size_t n = fixture_encode(a, text, len, flags, &x);
    if (n != fixture_encode(b, text, len, flags, &y) || memcmp(x, y, n * sizeof *x) != 0)
        fail_msg("other ids for '%.*s'", (int)len, text);
    free(x);
    free(y);
}

static void same_for_random_texts(const struct tokenizer *a, const struct tokenizer *b) {
    uint64_t state = 11;
    char text[400];
    for (int i = 0; i < 300; i++) {
        size_t len = fixture_random_text(&state, text, fixture_random(&state) % 300);
        same_ids(a, b, text, len, i % 2 ? ENCODE_ADD_BOS | ENCODE_SPECIAL : 0);
    }
}

/* ---- SentencePiece ---- */

static void test_scores(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct tokenizer *t = fixture_spm();
    struct tokenizer_gguf g = convert(t, FIXTURE_N + 2);
    assert_string_equal(g.pre, "default");
    assert_int_equal(g.n_token, FIXTURE_N + 2);
    assert_true(g.add_bos && !g.add_eos && g.add_space_prefix);
    assert_true(g.bos == FIXTURE_BOS && g.eos == FIXTURE_EOS && g.unk == FIXTURE_UNK);
    assert_null(g.notes[0]);
    for (int i = 0; i < FIXTURE_N; i++) {
        assert_int_equal(g.tokens[i].type, f.tokens[i].type);
        assert_int_equal(g.tokens[i].len, f.tokens[i].len);
        assert_memory_equal(g.tokens[i].text, f.tokens[i].text, f.tokens[i].len);
    }
    assert_string_equal(g.tokens[FIXTURE_N + 1].text, "[PAD321]");
    assert_int_equal(g.tokens[FIXTURE_N + 1].type, TOKEN_UNUSED);
    assert_true(g.tokens[FIXTURE_PIECE0].score > g.tokens[FIXTURE_PIECE0 + 1].score);
    struct tokenizer *made = rebuild(&g);
    same_for_random_texts(t, made);
    tokenizer_free(made);
    tokenizer_gguf_free(&g);
    tokenizer_free(t);
}

static void test_json_of_pieces(void **state) {
    (void)state;
    static const struct fixture_json kinds[] = {
        {0},
        {.pairs = true},
        {.normalizer = "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":"
                       "\"\xE2\x96\x81\"}"},
    };
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char *json = fixture_json_text(&f, &kinds[i]);
        struct tokenizer *t = fixture_from_json(json);
        struct tokenizer_gguf g = convert(t, FIXTURE_N);
        struct tokenizer *made = rebuild(&g);
        assert_int_equal(g.add_space_prefix, i < 2);
        assert_int_equal(g.tokens[FIXTURE_BYTE0].type, TOKEN_BYTE);
        assert_null(g.notes[0]);
        same_for_random_texts(t, made);
        tokenizer_free(made);
        tokenizer_gguf_free(&g);
        tokenizer_free(t);
        free(json);
    }
}

/* ---- bytes ---- */

static json_t *load(const char *name) {
    char path[160];
    snprintf(path, sizeof path, "tests/text/tokenizer/fixtures/%s.json", name);
    json_t *file = json_load_file(path, 0, NULL), *base;
    assert_non_null(file);
    base = json_deep_copy(json_object_get(file, "base"));
    json_decref(file);
    return base;
}

static struct tokenizer *from_root(json_t *root, struct jl_error *err) {
    struct tokenizer *t;
    char *text = json_dumps(root, 0);
    enum jl_status status = tokenizer_from_json(text, strlen(text), NULL, 0, &t, err);
    free(text);
    if (status != JL_OK) fail_msg("%s", err->message);
    return t;
}

/* The vocabulary of bytes with a pre-tokenizer of one or more patterns, as the hub spells them. */
static struct tokenizer *with_patterns(const char *const *patterns, bool ignore_merges,
                                       const char *normalizer) {
    json_t *root = load("hf_byte_level"), *steps = json_array();
    struct jl_error err;
    for (int i = 0; patterns[i]; i++)
        json_array_append_new(steps,
                              json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern",
                                        "Regex", patterns[i], "behavior", "Isolated", "invert", 0));
    json_array_append_new(steps,
                          json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space",
                                    0, "trim_offsets", 1, "use_regex", 0));
    json_object_set_new(root, "pre_tokenizer",
                        json_pack("{s:s, s:o}", "type", "Sequence", "pretokenizers", steps));
    json_object_set_new(root, "normalizer",
                        normalizer ? json_loads(normalizer, 0, NULL) : json_null());
    json_t *added = json_object_get(root, "added_tokens");
    while (json_array_size(added) > 3) // the others take white space with them
        json_array_remove(added, json_array_size(added) - 1);
    json_object_set_new(json_object_get(root, "model"), "ignore_merges",
                        json_boolean(ignore_merges));
    struct tokenizer *t = from_root(root, &err);
    json_decref(root);
    return t;
}

#define LLAMA3                                                                                     \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "                     \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define QWEN2                                                                                      \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "                          \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define HAN "[\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F\xE3\x82\xA0-\xE3\x83\xBF]+"
#define DEEPSEEK                                                                                   \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p" \
    "{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static void test_pre_tokenizers(void **state) {
    (void)state;
    static const struct {
        const char *patterns[4], *pre;
        bool ignore_merges;
        const char *normalizer, *note;
    } cases[] = {
        {{QWEN2}, "qwen2", false, NULL, NULL},
        {{QWEN2}, "qwen2", false, "{\"type\":\"NFC\"}", "normalisation form"},
        {{LLAMA3}, "llama-bpe", true, NULL, NULL},
        {{LLAMA3}, "dbrx", false, NULL, NULL},
        {{"\\p{N}{1,3}", HAN, DEEPSEEK}, "deepseek-v3", false, NULL, NULL},
        {{"\\p{N}{1,3}", "[\\u4E00-\\u9fa5\\x{3040}-\\x{309F}\\u30a0-\\u30FF]+", DEEPSEEK},
         "deepseek-v3",
         false,
         NULL,
         NULL},
        // The same cuts, written in another way: found by trying.
        {{"'(?:s|t|re|ve|m|ll|d)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"},
         "gpt-2",
         false,
         NULL,
         "no known pre-tokenizer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tokenizer *t =
            with_patterns(cases[i].patterns, cases[i].ignore_merges, cases[i].normalizer);
        struct tokenizer_gguf g = convert(t, tokenizer_vocab_size(t));
        struct tokenizer *made = rebuild(&g);
        assert_string_equal(g.pre, cases[i].pre);
        if (cases[i].note)
            assert_true(g.notes[0] && strstr(g.notes[0], cases[i].note) && !g.notes[1]);
        else
            assert_null(g.notes[0]);
        same_for_random_texts(t, made);
        tokenizer_free(made);
        tokenizer_gguf_free(&g);
        tokenizer_free(t);
    }
}

/* What GGUF says is what it says again: every name of a pre-tokenizer comes back as its row. */
static void test_every_name(void **state) {
    (void)state;
    static const char *const none[] = {NULL};
    struct tokenizer *t = with_patterns(none, false, NULL);
    struct jl_error err;
    struct tokenizer_gguf plain = {0};
    // Without any cut there is no name.
    assert_int_equal(tokenizer_to_gguf(t, tokenizer_vocab_size(t), &plain, &err),
                     JL_ERR_UNSUPPORTED);
    tokenizer_free(t);
    t = with_patterns((const char *const[]){QWEN2, NULL}, false, NULL);
    plain = convert(t, tokenizer_vocab_size(t));
    for (int row = 0; tokenizer_pre_names(row); row++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(tokenizer_pre_names(row), " "),
                 tokenizer_pre_names(row));
        plain.pre = name;
        struct tokenizer *named = rebuild(&plain);
        struct tokenizer_gguf again = convert(named, plain.n_token);
        bool glm = !strcmp(name, "glm4"); // another row has the same patterns
        assert_string_equal(again.pre, glm ? "dbrx" : name);
        assert_int_equal(again.n_merge, plain.n_merge);
        for (size_t i = 0; i < plain.n_merge; i++)
            assert_string_equal(again.merges[i].text, plain.merges[i].text);
        tokenizer_gguf_free(&again);
        tokenizer_free(named);
    }
    plain.pre = NULL;
    tokenizer_gguf_free(&plain);
    tokenizer_free(t);
}

/* ---- refusals ---- */

static void expect_refused(struct tokenizer *t, int n_token, const char *needle) {
    struct tokenizer_gguf g;
    struct jl_error err;
    assert_int_equal(tokenizer_to_gguf(t, n_token, &g, &err), JL_ERR_UNSUPPORTED);
    if (!strstr(err.message, needle)) fail_msg("no '%s' in: %s", needle, err.message);
    assert_null(g.arena);
    tokenizer_gguf_free(&g);
    tokenizer_free(t);
}

static void test_refusals(void **state) {
    (void)state;
    struct jl_error err;
    expect_refused(fixture_spm(), FIXTURE_N - 1, "320 tokens");
    static const char *const kinds[] = {"hf_unigram", "hf_wordpiece"};
    for (int i = 0; i < 2; i++) {
        json_t *root = load(kinds[i]);
        expect_refused(from_root(root, &err), 100000, "no byte-pair encoding");
        json_decref(root);
    }
    expect_refused(
        with_patterns((const char *const[]){QWEN2, NULL}, false, "{\"type\":\"Lowercase\"}"),
        100000, "its normalizer");
    expect_refused(with_patterns((const char *const[]){"\\p{L}", NULL}, false, NULL), 100000,
                   "pre-tokenizer");
    struct fixture f;
    fixture_init(&f);
    char *json =
        fixture_json_text(&f, &(struct fixture_json){.normalizer = "{\"type\":\"Lowercase\"}"});
    expect_refused(fixture_from_json(json), FIXTURE_N, "its normalizer or pre-tokenizer");
    free(json);
    // Merges in an order that no scores can say: a token between two ways to make another.
    json = fixture_json_text(&f, NULL);
    json_t *root = json_loads(json, 0, NULL);
    json_t *merges = json_object_get(json_object_get(root, "model"), "merges");
    size_t at = 0;
    while (strcmp(json_string_value(json_array_get(merges, at)), "ab c") != 0)
        at++;
    json_array_append(merges, json_array_get(merges, at)); // "a bc" stays where it is
    json_array_remove(merges, at);
    expect_refused(from_root(root, &err), FIXTURE_N, "order of its merges");
    json_decref(root);
    free(json);
}

static void test_notes(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    char *json = fixture_json_text(
        &f, &(struct fixture_json){.normalizer = "null",
                                   .pre_tokenizer =
                                       "{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\","
                                       "\"prepend_scheme\":\"first\",\"split\":false}"});
    struct tokenizer *t = fixture_from_json(json);
    struct tokenizer_gguf g = convert(t, FIXTURE_N);
    assert_true(g.add_space_prefix && g.notes[0] && g.notes[1] && !g.notes[2]);
    assert_non_null(strstr(g.notes[0], "second space"));
    assert_non_null(strstr(g.notes[1], "whole text"));
    tokenizer_gguf_free(&g);
    tokenizer_free(t);
    free(json);
}

/* ---- the published vocabularies, where the shared folder is there ---- */

static struct tokenizer *open_shared(const char *name, const char *pre) {
    char *path = fixture_shared(name), *text;
    size_t len;
    struct tokenizer *t;
    struct jl_error err;
    if (!path) return NULL;
    assert_int_equal(file_read(path, (size_t)64 << 20, &text, &len, &err), JL_OK);
    free(path);
    enum jl_status status = pre ? tokenizer_from_ranks(text, len, pre, &t, &err)
                            : strstr(name, "tokenizer.model")
                                ? tokenizer_from_sentencepiece(text, len, NULL, 0, &t, &err)
                                : tokenizer_from_json(text, len, NULL, 0, &t, &err);
    if (status != JL_OK) fail_msg("%s: %s", name, err.message);
    free(text);
    return t;
}

static void test_published(void **state) {
    (void)state;
    static const struct {
        const char *file, *pre, *cases, *named;
    } rows[] = {
        {"vocab/gpt2/tokenizer.json", NULL, "vocab/cases/gpt2.jsonl", "gpt-2"},
        {"vocab/llama-2/tokenizer.json", NULL, "vocab/cases/llama-2.jsonl", "default"},
        {"vocab/llama-2/tokenizer.model", NULL, "vocab/cases/llama-2.jsonl", "default"},
        {"vocab/qwen2/qwen2.tiktoken", "qwen2", "vocab/cases/qwen2.jsonl", "qwen2"},
        {"vocab/llama-3/llama3.tiktoken", "llama-bpe", "vocab/cases/llama-3.jsonl", "llama-bpe"},
        {"vocab/kimi-k2/kimi_k2.tiktoken", "kimi-k2", "vocab/cases/kimi-k2.jsonl", "kimi-k2"},
        {"vocab/deepseek-v3/deepseek_v3.tiktoken", "deepseek-v3", "vocab/cases/deepseek-v3.jsonl",
         "deepseek-v3"},
        {"models/stories260K/tokenizer.json", NULL, NULL, "default"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tokenizer *t = open_shared(rows[i].file, rows[i].pre);
        if (!t) skip();
        struct tokenizer_gguf g = convert(t, tokenizer_vocab_size(t) + 7);
        struct tokenizer *made = rebuild(&g);
        assert_string_equal(g.pre, rows[i].named);
        for (int n = 0; g.notes[n]; n++)
            printf("%s: %s\n", rows[i].file, g.notes[n]);
        char *path = rows[i].cases ? fixture_shared(rows[i].cases) : NULL;
        if (path) printf("%s: %zu cases\n", rows[i].file, fixture_check_cases(made, path));
        free(path);
        same_for_random_texts(t, made);
        tokenizer_free(made);
        tokenizer_gguf_free(&g);
        tokenizer_free(t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores),         cmocka_unit_test(test_json_of_pieces),
        cmocka_unit_test(test_pre_tokenizers), cmocka_unit_test(test_every_name),
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_notes),
        cmocka_unit_test(test_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
