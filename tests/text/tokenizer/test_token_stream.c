/* Streaming decode: the same text however it is cut, and never half a character. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "text/utf8.h"

static bool well_formed(const char *text, size_t len) {
    for (size_t at = 0; at < len;) {
        int n = utf8_length(text + at, len - at);
        if (n == 0) return false;
        at += (size_t)n;
    }
    return true;
}

/* Bytes as byte tokens. */
static size_t byte_ids(const char *bytes, size_t len, int32_t *ids) {
    for (size_t i = 0; i < len; i++)
        ids[i] = FIXTURE_BYTE0 + (unsigned char)bytes[i];
    return len;
}

static void push(struct token_stream *stream, int32_t id, char **text, size_t *len, size_t *cap) {
    struct jl_error err = {0};
    if (token_stream_push(stream, id, text, len, cap, &err) != JL_OK) fail_msg("%s", err.message);
}

/* After each id the text so far is well-formed and a prefix of the whole; a second stream that
 * goes on at any place (with its own output) gives the rest. */
static void check_stream(const struct tokenizer *t, const int32_t *ids, size_t n,
                         const char *want) {
    struct token_stream stream;
    struct jl_error err = {0};
    size_t want_len = strlen(want);
    for (size_t split = 0; split <= n; split++) {
        char *first = NULL, *rest = NULL;
        size_t first_len = 0, rest_len = 0, first_cap = 0, rest_cap = 0;
        token_stream_init(&stream, t, true);
        for (size_t i = 0; i < n; i++) {
            if (i < split)
                push(&stream, ids[i], &first, &first_len, &first_cap);
            else
                push(&stream, ids[i], &rest, &rest_len, &rest_cap);
            assert_true(well_formed(first, first_len) && well_formed(rest, rest_len));
        }
        assert_int_equal(token_stream_end(&stream, &rest, &rest_len, &rest_cap, &err), JL_OK);
        assert_int_equal(first_len + rest_len, want_len);
        if (first_len) assert_memory_equal(first, want, first_len);
        if (rest_len) assert_memory_equal(rest, want + first_len, rest_len);
        free(first);
        free(rest);
    }
}

static void test_every_split(void **state) {
    (void)state;
    struct tokenizer *t = fixture_spm();
    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint64_t random = seed;
        char text[80];
        int32_t *ids;
        size_t len = fixture_random_text(&random, text, 79);
        text[len] = '\0';
        size_t n = fixture_encode(t, text, len, ENCODE_ADD_BOS, &ids);
        check_stream(t, ids, n, text);
        free(ids);
    }
    tokenizer_free(t);
}

#define BAD UTF8_REPLACEMENT

static void test_ill_formed(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *want;
    } rows[] = {
        {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
        {"\xF0\x9F\x98", BAD},
        {"\xF0\x9F\x98x", BAD "x"},
        {"\xF0\x9F\xF0\x9F\x98\x80", BAD "\xF0\x9F\x98\x80"},
        {"\x80\x80", BAD BAD},
        {"\xC0\xAF", BAD BAD},
        {"\xED\xA0\x80", BAD BAD BAD},
        {"a\xE2\x82z\xFF", "a" BAD "z" BAD},
        {"\xE2\xE2\xE2\x82\xAC", BAD BAD "\xE2\x82\xAC"},
        {" a", "a"}, // the first space is the dummy prefix, whichever token brings it
        {"  a", " a"},
        {"\xE2 a", BAD " a"},
    };
    struct tokenizer *t = fixture_spm();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int32_t ids[16];
        size_t n = byte_ids(rows[i].bytes, strlen(rows[i].bytes), ids);
        check_stream(t, ids, n, rows[i].want);
    }
    tokenizer_free(t);
}

static void test_start(void **state) {
    (void)state;
    struct tokenizer *t = fixture_spm();
    struct token_stream stream;
    int32_t *ids;
    size_t n = fixture_encode(t, "the", 3, ENCODE_ADD_BOS, &ids), len, cap;
    for (int at_start = 0; at_start < 2; at_start++) {
        char *text = NULL;
        len = cap = 0;
        token_stream_init(&stream, t, at_start);
        for (size_t i = 0; i < n; i++)
            push(&stream, ids[i], &text, &len, &cap);
        assert_string_equal(text, at_start ? "the" : " the"); // in mid-text the space is real
        free(text);
    }
    free(ids);
    tokenizer_free(t);
}

/* Control and unknown tokens give nothing, also between the bytes of a character. */
static void test_no_text(void **state) {
    (void)state;
    struct tokenizer *t = fixture_spm();
    static const int32_t ids[] = {FIXTURE_BOS, FIXTURE_BYTE0 + 0xC3, FIXTURE_END,
                                  FIXTURE_UNK, FIXTURE_BYTE0 + 0xB1, FIXTURE_TOOL,
                                  FIXTURE_EOS};
    check_stream(t, ids, sizeof ids / sizeof ids[0], "\xC3\xB1<tool>");
    tokenizer_free(t);
}

static void test_bad_ids(void **state) {
    (void)state;
    struct tokenizer *t = fixture_spm();
    struct token_stream stream;
    struct jl_error err = {0};
    char *text = NULL;
    size_t len = 0, cap = 0;
    static const int32_t bad[] = {-1, FIXTURE_N, INT32_MAX, INT32_MIN};
    token_stream_init(&stream, t, true);
    push(&stream, FIXTURE_BYTE0 + 'x', &text, &len, &cap);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(token_stream_push(&stream, bad[i], &text, &len, &cap, &err), JL_ERR_USAGE);
        assert_non_null(strstr(err.message, "320"));
        assert_string_equal(text, "x"); // as before
    }
    free(text);
    tokenizer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_split), cmocka_unit_test(test_ill_formed),
        cmocka_unit_test(test_start),       cmocka_unit_test(test_no_text),
        cmocka_unit_test(test_bad_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
