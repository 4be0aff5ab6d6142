/* The merges are those of a trainer that recounts everything; they do not depend on threads, nor on
 * how the text was cut to be shared among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "reference.h"
#include "text/tokenizer/byte_alphabet.h"
#include "trainer.h"

/* ---- against the reference ---- */

static void spell(const struct reference_token *token, struct byte_buffer *out) {
    assert_true(byte_alphabet_write((const char *)token->bytes, token->len, out));
}

static void same_merges(const struct bpe_trained *trained, const struct reference *want,
                        uint64_t seed) {
    json_t *root = trainer_json(trained->tokenizer, trained->tokenizer_len);
    const json_t *merges = json_object_get(json_object_get(root, "model"), "merges");
    struct byte_buffer text = {0};
    for (int i = 0; i < want->n && i < (int)json_array_size(merges); i++) {
        text.len = 0;
        spell(&want->merges[i].left, &text);
        assert_true(buffer_append(&text, " ", 1));
        spell(&want->merges[i].right, &text);
        assert_true(buffer_append(&text, "", 1));
        const char *got = json_string_value(json_array_get(merges, (size_t)i));
        if (strcmp(got, text.data) != 0)
            fail_msg("seed %llu: merge %d is '%s', not '%s'", (unsigned long long)seed, i, got,
                     text.data);
    }
    if (want->n != (int)json_array_size(merges))
        fail_msg("seed %llu: %zu merges, not %d", (unsigned long long)seed, json_array_size(merges),
                 want->n);
    assert_int_equal(trained->n_merge, want->n);
    buffer_free(&text);
    json_decref(root);
}

static struct bpe_train_options random_options(uint64_t *state) {
    struct bpe_train_options options;
    uint64_t bits = fixture_random(state);
    bpe_train_defaults(&options);
    options.vocab_size = 256 + 20 + (int)(fixture_random(state) % 60);
    options.rules.pattern = bpe_train_pattern((int)(bits % 4));
    options.rules.han_single = bits >> 8 & 1;
    options.rules.digits_single = bits >> 9 & 1;
    options.rules.newlines_single = bits >> 10 & 1;
    options.rules.spaces_apart = bits >> 11 & 1;
    options.cross_characters = bits >> 12 & 1;
    options.min_count = 1 + (bits >> 16) % 4;
    options.max_token_bytes = 4 + (bits >> 24) % 12;
    if (bits >> 13 & 1) {
        options.special[options.n_special++] = "the";
        options.special[options.n_special++] = "ab";
    }
    return options;
}

static void test_reference(void **unused) {
    (void)unused;
    static struct reference want;
    for (uint64_t seed = 1; seed <= 160; seed++) {
        uint64_t state = seed;
        char text[700];
        struct bpe_train_options options = random_options(&state);
        size_t len = trainer_text(&state, (enum trainer_alphabet)(seed % TRAINER_KINDS), text,
                                  20 + fixture_random(&state) % (sizeof text - 20));
        struct bpe_trained trained = trainer_run_text(text, len, &options);
        reference_train(text, len, &options, &want);
        same_merges(&trained, &want, seed);
        bpe_trained_free(&trained);
    }
}

/* Long runs of one letter: pairs that overlap themselves. */
static void test_runs(void **unused) {
    (void)unused;
    static struct reference want;
    for (size_t len = 2; len < 40; len++) {
        char text[40];
        struct bpe_train_options options;
        bpe_train_defaults(&options);
        options.vocab_size = 300;
        options.min_count = 1;
        memset(text, 'a', sizeof text);
        text[len / 3] = ' ';
        struct bpe_trained trained = trainer_run_text(text, len, &options);
        reference_train(text, len, &options, &want);
        same_merges(&trained, &want, len);
        bpe_trained_free(&trained);
    }
}

/* ---- threads, chunks, weights ---- */

static void same_files(const struct bpe_trained *a, const struct bpe_trained *b) {
    assert_int_equal(a->tokenizer_len, b->tokenizer_len);
    assert_memory_equal(a->tokenizer, b->tokenizer, a->tokenizer_len);
    assert_int_equal(a->config_len, b->config_len);
    assert_memory_equal(a->config, b->config, a->config_len);
}

static char *long_text(enum trainer_alphabet alphabet, size_t size, size_t *len) {
    uint64_t state = 5;
    char *text = malloc(size);
    assert_non_null(text);
    *len = trainer_text(&state, alphabet, text, size);
    return text;
}

/* {"text": ...}, on one line. */
static char *as_line(const char *text, size_t len, size_t *line_len) {
    json_t *value = json_pack("{s:o}", "text", json_stringn(text, len));
    char *line = json_dumps(value, JSON_COMPACT);
    json_decref(value);
    assert_non_null(line);
    *line_len = strlen(line);
    return line;
}

static void test_threads(void **unused) {
    (void)unused;
    for (int kind = TRAINER_WORDS; kind < TRAINER_KINDS; kind++) {
        size_t len, n_line;
        char *text = long_text((enum trainer_alphabet)kind, (size_t)3 << 20, &len);
        char *line = as_line(text, len, &n_line);
        for (int pattern = 0; bpe_train_pattern(pattern); pattern++) {
            struct bpe_train_options options;
            bpe_train_defaults(&options);
            options.vocab_size = 600;
            options.rules.pattern = bpe_train_pattern(pattern);
            options.rules.han_single = pattern & 1;
            const struct bpe_train_source file = {"text", text, len, false, 1};
            const struct bpe_train_source whole = {"line", line, n_line, true, 1};
            struct bpe_trained one = trainer_run(&file, 1, &options, 1);
            struct bpe_trained seven = trainer_run(&file, 1, &options, 7);
            struct bpe_trained uncut = trainer_run(&whole, 1, &options, 2);
            same_files(&one, &seven);
            same_files(&one, &uncut);
            bpe_trained_free(&one);
            bpe_trained_free(&seven);
            bpe_trained_free(&uncut);
        }
        free(line);
        free(text);
    }
}

static void test_weights(void **unused) {
    (void)unused;
    static const char text[] = "ab ab ab ba ba cd", other[] = "cd cd cd cd";
    const struct bpe_train_source weighed[] = {{"a", text, sizeof text - 1, false, 2},
                                               {"b", other, sizeof other - 1, false, 3}};
    const struct bpe_train_source often[] = {{"a", text, sizeof text - 1, false, 1},
                                             {"a", text, sizeof text - 1, false, 1},
                                             {"b", other, sizeof other - 1, false, 1},
                                             {"b", other, sizeof other - 1, false, 1},
                                             {"b", other, sizeof other - 1, false, 1}};
    struct bpe_train_options options;
    bpe_train_defaults(&options);
    struct bpe_trained a = trainer_run(weighed, 2, &options, 2);
    struct bpe_trained b = trainer_run(often, 5, &options, 3);
    same_files(&a, &b);
    assert_true(strstr(a.tokenizer, "\"c d\"") < strstr(a.tokenizer, "\"a b\""));
    bpe_trained_free(&a);
    bpe_trained_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
