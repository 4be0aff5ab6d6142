/* WordPiece by hand: both ways to mark what begins a word, unknown words, the length limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/tokenizer/wordpiece.h"

static void check(const struct wordpiece *w, const char *text, const char *want) {
    struct id_buffer ids = {0};
    struct jl_error err;
    char got[200] = "";
    assert_int_equal(wordpiece_encode(w, text, strlen(text), &ids, &err), JL_OK);
    for (size_t i = 0; i < ids.len; i++)
        sprintf(got + strlen(got), "%s%d", i ? " " : "", ids.data[i]);
    assert_string_equal(got, want);
    free(ids.data);
}

static struct wordpiece_token token(const char *text, int32_t id) {
    return (struct wordpiece_token){text, strlen(text), id};
}

static void test_prefix(void **state) {
    (void)state;
    const struct wordpiece_token tokens[] = {
        token("un", 1),   token("##aff", 2), token("##able", 3),       token("una", 4),
        token("##ff", 5), token("##", 6),    token("\xE9\x87\x91", 7), token("##\xE9\xB3\x9E", 8)};
    struct wordpiece w = {.unknown = 0, .max_chars = 10};
    assert_true(wordpiece_build(&w, tokens, 8, "##", 2));
    check(&w, "", "");
    check(&w, "un", "1");
    check(&w, "unaffable", "4 5 3"); // greedy
    check(&w, "unx", "0");           // one bad place, the whole word
    check(&w, "able", "0");          // only ever a continuation
    check(&w, "##able", "3");        // as Hugging Face: any token can begin a word
    check(&w, "\xE9\x87\x91\xE9\xB3\x9E", "7 8");
    check(&w, "unaffffffff", "0"); // 11 characters
    check(&w, "unafffffff", "0");  // 10, but an f is left over
    check(&w, "unaffffff", "4 5 5 5");
    check(&w, "unaffff", "4 5 5");
    wordpiece_free(&w);
}

static void test_mark(void **state) {
    (void)state;
    const struct wordpiece_token tokens[] = {token("\xE2\x96\x81un", 1), token("able", 2),
                                             token("\xE2\x96\x81", 3)};
    struct wordpiece w = {.unknown = -1, .max_chars = SIZE_MAX};
    struct jl_error err;
    struct id_buffer ids = {0};
    assert_true(wordpiece_build_marked(&w, tokens, 3, "\xE2\x96\x81", 3));
    check(&w, "unableable", "1 2 2");
    assert_int_equal(wordpiece_encode(&w, "able", 4, &ids, &err), JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "able"));
    free(ids.data);
    wordpiece_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_prefix), cmocka_unit_test(test_mark)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
