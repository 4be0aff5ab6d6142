/* Stop strings against a plain search, at any cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "text/stop_filter.h"

struct result {
    char text[4096];
    size_t len, used;
    int stopped;
};

static struct stop_filter *new_filter(const char *const *strings, size_t n) {
    struct pattern_text list[8];
    struct jl_error err;
    struct stop_filter *filter;
    for (size_t i = 0; i < n; i++)
        list[i] = (struct pattern_text){strings[i], strlen(strings[i])};
    if (stop_filter_new(list, n, &filter, &err) != JL_OK) fail_msg("%s", err.message);
    return filter;
}

static void take(struct result *result, const char *out, size_t len) {
    assert_true(result->len + len < sizeof result->text);
    memcpy(result->text + result->len, out, len);
    result->len += len;
}

static struct result run(const char *const *strings, size_t n, const char *text, size_t len,
                         cut_fn *cut, void *ctx) {
    struct stop_filter *filter = new_filter(strings, n);
    struct result result = {0};
    struct jl_error err;
    const char *out;
    size_t out_len;
    for (size_t at = 0; at < len;) {
        size_t piece = cut(ctx, at, len - at);
        assert_int_equal(stop_filter_push(filter, text + at, piece, &out, &out_len, &err), JL_OK);
        take(&result, out, out_len);
        at += piece;
    }
    assert_int_equal(stop_filter_end(filter, &out, &out_len, &err), JL_OK);
    take(&result, out, out_len);
    result.stopped = stop_filter_stopped(filter);
    result.used = stop_filter_used(filter);
    stop_filter_free(filter);
    return result;
}

/* The first place where a string ends, the longest of those. */
static struct result plain(const char *const *strings, size_t n, const char *text, size_t len) {
    struct result result = {.stopped = -1, .len = len, .used = len};
    memcpy(result.text, text, len);
    for (size_t end = 1; end <= len && result.stopped < 0; end++) {
        for (size_t i = 0; i < n; i++) {
            size_t size = strlen(strings[i]);
            if (size > end || memcmp(text + end - size, strings[i], size) != 0) continue;
            if (result.stopped >= 0 && strlen(strings[result.stopped]) >= size) continue;
            result.stopped = (int)i;
            result.len = result.used = end - size;
        }
    }
    return result;
}

static void check(const char *const *strings, size_t n, const char *text, size_t len,
                  uint64_t seed) {
    struct result wanted = plain(strings, n, text, len);
    for (unsigned how = 0; how < len + 12; how++) {
        struct cut_random random = {seed + how, 1 + how % 9};
        size_t place = how;
        struct result got = how < len    ? run(strings, n, text, len, cut_once, &place)
                            : how == len ? run(strings, n, text, len, cut_bytes, NULL)
                                         : run(strings, n, text, len, cut_random, &random);
        if (got.stopped != wanted.stopped || got.len != wanted.len || got.used != wanted.used ||
            memcmp(got.text, wanted.text, got.len) != 0)
            fail_msg("'%.*s' cut %u: '%.*s' by %d, wanted '%.*s' by %d", (int)len, text, how,
                     (int)got.len, got.text, got.stopped, (int)wanted.len, wanted.text,
                     wanted.stopped);
    }
}

static void test_known(void **state) {
    (void)state;
    static const char *const strings[] = {"\n\nUser:", "。\n", "END", "aab"};
    static const char *const texts[] = {
        "Hello\n\nUser: x",
        "你好。\n再见",
        "aaab",
        "aaaab!",
        "EN END",
        "\n\nUse",
        "",
        "ENEND",
        "。",
        "aaENDaab",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check(strings, 4, texts[i], strlen(texts[i]), i);
    check(strings, 0, "passes", 6, 1);
}

static void test_random(void **state) {
    (void)state;
    uint64_t random = random_seed();
    static const char *const letters[] = {"a", "b", "é", "è", "中", "丮"};
    for (int round = 0; round < 3000; round++) {
        char strings[4][32], text[96] = "";
        const char *list[4];
        size_t n = 1 + next_random(&random) % 4, n_letter = 1 + next_random(&random) % 20;
        for (size_t i = 0; i < n; i++) {
            size_t size = 1 + next_random(&random) % 5;
            strings[i][0] = 0;
            for (size_t k = 0; k < size; k++)
                strcat(strings[i], letters[next_random(&random) % 6]);
            list[i] = strings[i];
        }
        for (size_t k = 0; k < n_letter; k++)
            strcat(text, letters[next_random(&random) % 6]);
        check(list, n, text, strlen(text), random);
    }
}

/* What is shown at once: all but what may begin a string or is half a character. */
static void test_hold(void **state) {
    (void)state;
    static const char *const strings[] = {"STOP", "中文"};
    static const struct {
        const char *push, *shown;
    } rows[] = {{"abcS", "abc"}, {"T", ""},    {"x", "STx"},       {"\xE4", ""},
                {"\xB8", ""},    {"\xAD", ""}, {"国\xE5", "中国"}, {"\x9B\xBD", "国"}};
    struct stop_filter *filter = new_filter(strings, 2);
    struct jl_error err;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *out;
        size_t len;
        assert_int_equal(
            stop_filter_push(filter, rows[i].push, strlen(rows[i].push), &out, &len, &err), JL_OK);
        if (len != strlen(rows[i].shown) || memcmp(out, rows[i].shown, len) != 0)
            fail_msg("row %zu: '%.*s'", i, (int)len, out);
    }
    stop_filter_free(filter);
}

static void test_refusals(void **state) {
    (void)state;
    struct stop_filter *filter;
    struct jl_error err;
    struct pattern_text many[STOP_FILTER_STRINGS + 1];
    for (size_t i = 0; i <= STOP_FILTER_STRINGS; i++)
        many[i] = (struct pattern_text){"x", 1};
    assert_int_equal(stop_filter_new(many, STOP_FILTER_STRINGS + 1, &filter, &err), JL_ERR_USAGE);
    assert_int_equal(stop_filter_new(many, STOP_FILTER_STRINGS, &filter, &err), JL_OK);
    stop_filter_free(filter);
    assert_int_equal(stop_filter_new(&(struct pattern_text){"", 0}, 1, &filter, &err),
                     JL_ERR_USAGE);
    assert_int_equal(stop_filter_new(&(struct pattern_text){"\xE4", 1}, 1, &filter, &err),
                     JL_ERR_USAGE);
    char *longest = malloc(STOP_FILTER_BYTES + 1);
    assert_non_null(longest);
    memset(longest, 'x', STOP_FILTER_BYTES + 1);
    assert_int_equal(
        stop_filter_new(&(struct pattern_text){longest, STOP_FILTER_BYTES + 1}, 1, &filter, &err),
        JL_ERR_USAGE);
    free(longest);
    assert_null(filter);
    stop_filter_free(NULL);
}

/* A megabyte that keeps all automata busy. */
static void test_linear(void **state) {
    (void)state;
    static char string[4097], text[1 << 20];
    memset(string, 'a', sizeof string - 1);
    string[4095] = 'b';
    memset(text, 'a', sizeof text);
    const char *strings[] = {string, string, string, string};
    struct stop_filter *filter = new_filter(strings, 4);
    struct jl_error err;
    const char *out;
    size_t len, total = 0;
    for (size_t at = 0; at < sizeof text; at += 256) {
        assert_int_equal(stop_filter_push(filter, text + at, 256, &out, &len, &err), JL_OK);
        total += len;
    }
    assert_int_equal(total, sizeof text - 4095);
    stop_filter_free(filter);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),    cmocka_unit_test(test_random), cmocka_unit_test(test_hold),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
