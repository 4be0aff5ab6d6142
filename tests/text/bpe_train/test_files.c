/* The files that are written: ids, special tokens, roles; and what is read of JSONL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "trainer.h"

static const char words[] = "the golden scale, the golden carp; the scale of the carp";

static struct bpe_train_options with_specials(bool first) {
    struct bpe_train_options options;
    bpe_train_defaults(&options);
    options.vocab_size = 275;
    options.min_count = 1;
    options.special[0] = "<|bos|>";
    options.special[1] = "<|end|>";
    options.special[2] = "<pad \xE9\x87\x91>";
    options.n_special = 3;
    options.special_first = first;
    options.bos = "<|bos|>";
    options.eos = "<|end|>";
    options.pad = options.special[2];
    return options;
}

static void test_specials(void **unused) {
    (void)unused;
    for (int kind = 0; kind < 4; kind++) {
        bool first = kind & 1, add = kind >> 1;
        struct bpe_train_options options = with_specials(first);
        options.add_bos = add;
        struct bpe_trained trained = trainer_run_text(words, sizeof words - 1, &options);
        struct tokenizer *t = trainer_load(&trained);
        int32_t base = first ? 0 : trained.n_token - 3, *ids;
        assert_int_equal(trained.n_token, 275);
        assert_int_equal(trained.n_merge, 275 - 256 - 3);
        assert_int_equal(tokenizer_bos(t), base);
        assert_int_equal(tokenizer_eos(t), base + 1);
        for (int i = 0; i < 3; i++) {
            const char *text = options.special[i];
            assert_int_equal(tokenizer_find_added(t, text, strlen(text)), base + i);
            assert_true(tokenizer_is_control(t, base + i));
        }
        size_t n = fixture_encode(t, "<|end|>", 7, ENCODE_SPECIAL | ENCODE_ADD_BOS, &ids);
        assert_int_equal(n, 1 + add);
        assert_int_equal(ids[add], base + 1);
        if (add) assert_int_equal(ids[0], base);
        free(ids);
        n = fixture_encode(t, "<|end|>", 7, 0, &ids); // a user's words
        assert_true(n > 1);
        for (size_t i = 0; i < n; i++)
            assert_true(ids[i] < base || ids[i] > base + 2);
        free(ids);
        for (int byte = 0; byte < 256; byte++) { // bytes by their value
            char text = (char)byte;
            assert_int_equal(fixture_encode(t, &text, 1, 0, &ids), 1);
            assert_int_equal(ids[0], byte + (first ? 3 : 0));
            free(ids);
        }
        tokenizer_free(t);
        bpe_trained_free(&trained);
    }
}

static void test_config(void **unused) {
    (void)unused;
    struct bpe_train_options options = with_specials(false);
    options.chat_template = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}";
    struct bpe_trained trained = trainer_run_text(words, sizeof words - 1, &options);
    json_t *config = trainer_json(trained.config, trained.config_len);
    json_t *root = trainer_json(trained.tokenizer, trained.tokenizer_len);
    assert_string_equal(json_string_value(json_object_get(config, "bos_token")), "<|bos|>");
    assert_string_equal(json_string_value(json_object_get(config, "eos_token")), "<|end|>");
    assert_string_equal(json_string_value(json_object_get(config, "pad_token")),
                        options.special[2]);
    assert_string_equal(json_string_value(json_object_get(config, "chat_template")),
                        options.chat_template);
    assert_int_equal(json_object_size(json_object_get(config, "added_tokens_decoder")), 3);
    assert_int_equal(json_array_size(json_object_get(root, "added_tokens")), 3);
    assert_true(json_is_null(json_object_get(root, "post_processor")));
    json_decref(config);
    json_decref(root);
    bpe_trained_free(&trained);
}

/* A merge never makes a special token's text, nor what it would read as in the byte alphabet. */
static void test_no_second_name(void **unused) {
    (void)unused;
    static const char text[] = "ab ab ab ab ab the the the";
    struct bpe_train_options options;
    bpe_train_defaults(&options);
    options.special[0] = "ab";
    options.special[1] = "\xC4\xA0the"; // " the"
    options.n_special = 2;
    options.min_count = 1;
    struct bpe_trained trained = trainer_run_text(text, sizeof text - 1, &options);
    json_t *root = trainer_json(trained.tokenizer, trained.tokenizer_len); // refuses twins
    const json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab");
    assert_null(json_object_get(vocab, "ab"));
    assert_null(json_object_get(vocab, "\xC4\xA0the"));
    assert_non_null(json_object_get(vocab, "\xC4\xA0t")); // and "he", but never both
    tokenizer_free(trainer_load(&trained));
    json_decref(root);
    bpe_trained_free(&trained);
}

/* Nothing to learn is no failure: the bytes are a vocabulary. */
static void test_little(void **unused) {
    (void)unused;
    static const char *const texts[] = {"", "a", "\n", "\xE9\x87\x91", "a b c d"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct bpe_train_options options;
        bpe_train_defaults(&options);
        struct bpe_trained trained = trainer_run_text(texts[i], strlen(texts[i]), &options);
        assert_int_equal(trained.n_token, 256);
        assert_int_equal(trained.n_merge, 0);
        tokenizer_free(trainer_load(&trained));
        bpe_trained_free(&trained);
    }
    struct bpe_train_options options;
    bpe_train_defaults(&options);
    options.vocab_size = 256;
    struct bpe_trained trained = trainer_run_text(words, sizeof words - 1, &options);
    assert_int_equal(trained.n_token, 256);
    bpe_trained_free(&trained);
}

/* One word of half a megabyte: the time of a merge is that of its places, not of the words. */
static void test_long_word(void **unused) {
    (void)unused;
    size_t size = 500000;
    char *text = malloc(size);
    uint64_t state = 3;
    struct bpe_train_options options;
    bpe_train_defaults(&options);
    options.vocab_size = 3000;
    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + fixture_random(&state) % 26);
    struct bpe_trained trained = trainer_run_text(text, size, &options);
    assert_int_equal(trained.n_token, 3000);
    assert_int_equal(trained.n_piece, 1);
    bpe_trained_free(&trained);
    free(text);
}

static struct bpe_trained run_lines(const char *lines) {
    const struct bpe_train_source source = {"lines", lines, strlen(lines), true, 1};
    struct bpe_train_options options;
    bpe_train_defaults(&options);
    options.min_count = 1;
    return trainer_run(&source, 1, &options, 2);
}

static void test_lines(void **unused) {
    (void)unused;
    static const char *const alike[] = {
        "{\"text\":\"ab ab\"}\n{\"text\":\"xyz\"}\n",
        "\n{\"id\":1,\"text\":\"ab ab\"}\r\n  \n{\"text\":\"\\u0078yz\"}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"ab ab\"},{\"content\":\"xyz\"}]}\n",
        "{\"messages\":[{\"content\":[{\"type\":\"text\",\"text\":\"ab "
        "ab\"},{\"type\":\"image\"}]},"
        "{\"content\":null},{\"role\":\"tool\"},{\"content\":\"xyz\"}]}\n{\"messages\":[]}",
    };
    struct bpe_trained first = run_lines(alike[0]);
    assert_true(first.n_merge > 0);
    for (size_t i = 1; i < sizeof alike / sizeof alike[0]; i++) {
        struct bpe_trained other = run_lines(alike[i]);
        assert_int_equal(other.tokenizer_len, first.tokenizer_len);
        assert_memory_equal(other.tokenizer, first.tokenizer, first.tokenizer_len);
        bpe_trained_free(&other);
    }
    bpe_trained_free(&first);
    struct bpe_trained nul = run_lines("{\"text\":\"a\\u0000b\"}\n"); // any character, this one too
    assert_true(nul.n_merge > 0);
    bpe_trained_free(&nul);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_specials),       cmocka_unit_test(test_config),
        cmocka_unit_test(test_no_second_name), cmocka_unit_test(test_little),
        cmocka_unit_test(test_long_word),      cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
