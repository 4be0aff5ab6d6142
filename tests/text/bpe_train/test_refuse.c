/* What is refused, with the place and the numbers in the message; never a half-made tokenizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "trainer.h"

static struct bpe_train_options defaults(void) {
    struct bpe_train_options options;
    bpe_train_defaults(&options);
    return options;
}

static void refuses(enum jl_status status, const char *said,
                    const struct bpe_train_options *options) {
    const struct bpe_train_source source = {"a.txt", "abc", 3, false, 1};
    struct jl_error err;
    assert_int_equal(trainer_refuses(&source, 1, options, 1, &err), status);
    if (!strstr(err.message, said)) fail_msg("'%s' does not say '%s'", err.message, said);
}

static void test_sizes(void **unused) {
    (void)unused;
    struct bpe_train_options options = defaults();
    options.special[options.n_special++] = "<s>";
    for (int size = -1; size < 257; size += 43) {
        options.vocab_size = size;
        refuses(JL_ERR_USAGE, "at least 257", &options);
    }
    options.vocab_size = INT32_MAX;
    refuses(JL_ERR_LIMIT, "2147483647", &options);
    options = defaults();
    options.max_token_bytes = 3;
    refuses(JL_ERR_USAGE, "4 to 1024", &options);
    options.max_token_bytes = SIZE_MAX;
    refuses(JL_ERR_USAGE, "4 to 1024", &options);
    options = defaults();
    options.rules.pattern = "qwen3";
    refuses(JL_ERR_USAGE, "qwen2, cl100k, o200k, gpt-2", &options);
}

static void test_specials(void **unused) {
    (void)unused;
    static const struct {
        const char *text, *said;
    } bad[] = {{"", "two characters"},
               {"a", "two characters"},
               {"\xE9\x87\x91", "two characters"},
               {"ab\xFF", "UTF-8"},
               {"<s>", "twice"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct bpe_train_options options = defaults();
        options.special[0] = "<s>";
        options.special[1] = bad[i].text;
        options.n_special = 2;
        refuses(JL_ERR_USAGE, bad[i].said, &options);
    }
    char text[BPE_TRAIN_SPECIAL_BYTES + 2];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    struct bpe_train_options options = defaults();
    options.special[options.n_special++] = text;
    refuses(JL_ERR_USAGE, "257 bytes", &options);
    options = defaults();
    options.eos = "<e>";
    refuses(JL_ERR_USAGE, "EOS token '<e>'", &options);
    options = defaults();
    options.add_bos = true;
    refuses(JL_ERR_USAGE, "BOS", &options);
}

static void test_weight(void **unused) {
    (void)unused;
    struct bpe_train_options options = defaults();
    struct jl_error err;
    for (uint32_t weight = 0; weight < 2000; weight += BPE_TRAIN_WEIGHT_MAX + 1) {
        const struct bpe_train_source source = {"w.txt", "abc", 3, false, weight};
        assert_int_equal(trainer_refuses(&source, 1, &options, 1, &err), JL_ERR_USAGE);
        assert_non_null(strstr(err.message, "w.txt"));
    }
}

/* Of several bad places the first is named, whoever found which. */
static void test_bad_bytes(void **unused) {
    (void)unused;
    size_t size = (size_t)6 << 20;
    char *text = malloc(size);
    struct bpe_train_options options = defaults();
    for (size_t i = 0; i < size; i++)
        text[i] = i % 60 == 59 ? '\n' : 'x';
    text[2500000] = text[4500000] = text[size - 1] = '\xFF';
    for (int n_thread = 1; n_thread < 6; n_thread++) {
        const struct bpe_train_source sources[] = {{"good.txt", "abc", 3, false, 1},
                                                   {"bad.txt", text, size, false, 1}};
        struct jl_error err;
        assert_int_equal(trainer_refuses(sources, 2, &options, n_thread, &err), JL_ERR_FORMAT);
        assert_non_null(strstr(err.message, "bad.txt: byte 2500000 (0xFF)"));
    }
    free(text);
    static const char *const bad[] = {"\x80", "a\xC0\x80", "\xED\xA0\x80", "abc\xE9\x87"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct bpe_train_source source = {"b", bad[i], strlen(bad[i]), false, 1};
        struct jl_error err;
        assert_int_equal(trainer_refuses(&source, 1, &options, 1, &err), JL_ERR_FORMAT);
    }
}

static void test_bad_lines(void **unused) {
    (void)unused;
    static const char *const bad[] = {
        "{",
        "[]",
        "7",
        "\"text\"",
        "{}",
        "{\"text\":7}",
        "{\"text\":null}",
        "{\"text\":\"a\",\"messages\":[]}",
        "{\"text\":\"a\",\"text\":\"b\"}",
        "{\"messages\":{}}",
        "{\"messages\":[7]}",
        "{\"messages\":[{\"content\":7}]}",
        "{\"messages\":[{\"content\":[7]}]}",
        "{\"messages\":[{\"content\":[{\"type\":\"text\"}]}]}",
        "{\"text\":\"\xFF\"}",
        "{\"text\":\"\\ud800\"}",
        "{\"text\":\"a\"} x",
    };
    struct bpe_train_options options = defaults();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char lines[200];
        struct jl_error err;
        snprintf(lines, sizeof lines, "{\"text\":\"good\"}\n\n%s\n{\"text\":\"good\"}\n", bad[i]);
        const struct bpe_train_source source = {"c.jsonl", lines, strlen(lines), true, 1};
        assert_int_equal(trainer_refuses(&source, 1, &options, 3, &err), JL_ERR_FORMAT);
        if (!strstr(err.message, "c.jsonl, line 3: ")) fail_msg("%s: %s", bad[i], err.message);
    }
}

/* The message names a least count with which the characters fit, and a lower one does not. */
static void test_han_room(void **unused) {
    (void)unused;
    char text[20000];
    size_t len = 0;
    for (int i = 0; i < 60; i++)
        for (int k = 0; k <= i; k++) {
            memcpy(text + len, "\xE4\xB8\x80", 3);
            text[len + 2] = (char)(0x80 + i);
            len += 3;
        }
    const struct bpe_train_source source = {"han", text, len, false, 1};
    struct bpe_train_options options = defaults();
    struct jl_error err;
    options.rules.han_single = true;
    options.vocab_size = 256 + 31; // 30 characters and what they begin with
    assert_int_equal(trainer_refuses(&source, 1, &options, 1, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "59 Han characters occur at least 2 times"));
    assert_non_null(strstr(err.message, "need 60 tokens"));
    assert_non_null(strstr(err.message, "--min-count 31"));
    options.min_count = 30;
    trainer_refuses(&source, 1, &options, 1, &err);
    options.min_count = 31;
    struct bpe_trained trained = trainer_run(&source, 1, &options, 1);
    assert_int_equal(trained.n_han, 30);
    bpe_trained_free(&trained);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),     cmocka_unit_test(test_specials),
        cmocka_unit_test(test_weight),    cmocka_unit_test(test_bad_bytes),
        cmocka_unit_test(test_bad_lines), cmocka_unit_test(test_han_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
