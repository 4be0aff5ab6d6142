/* Status codes and messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

static void fills_the_error(void **state) {
    (void)state;
    struct jl_error err;
    assert_int_equal(jl_fail(&err, JL_ERR_FORMAT, "%s: %d", "x.gguf", 7), JL_ERR_FORMAT);
    assert_int_equal(err.status, JL_ERR_FORMAT);
    assert_string_equal(err.message, "x.gguf: 7");
    assert_int_equal(jl_fail(NULL, JL_ERR_IO, "nobody listens"), JL_ERR_IO);
}

static void may_quote_its_own_message(void **state) {
    (void)state;
    struct jl_error err;
    jl_fail(&err, JL_ERR_IO, "inner");
    jl_fail(&err, err.status, "outer: %s", err.message);
    assert_string_equal(err.message, "outer: inner");
}

static void cuts_long_messages_at_a_character(void **state) {
    (void)state;
    struct jl_error err;
    char text[3000];
    for (size_t shift = 0; shift < 3; shift++) { // a three-byte character across the end
        memset(text, 'a', shift);
        for (size_t i = shift; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xE9\xB3\x9E", 4);
        jl_fail(&err, JL_ERR_IO, "%s", text);
        size_t len = strlen(err.message);
        assert_true(len == sizeof err.message - 1);
        for (size_t i = len - 3; i < len; i++)
            assert_true(err.message[i] == '?' || i - shift < (len - shift) / 3 * 3);
    }
}

static void makes_hostile_text_harmless(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"two\nlines\r\ttab", "two?lines??tab"},
        {"\x1b[2Jclear\x7f", "?[2Jclear?"},
        {"caf\xC3\xA9 \xE9\x87\x91\xE9\xB3\x9E \xF0\x9F\x90\x89", // accent, Han, dragon: kept
         "caf\xC3\xA9 \xE9\x87\x91\xE9\xB3\x9E \xF0\x9F\x90\x89"},
        {"\xC2\x9B c1", "?? c1"},
        {"\xC0\xAF overlong \xE0\x80\xAF", "?? overlong ???"},
        {"\xED\xA0\x80 surrogate", "??? surrogate"},
        {"\xF5\x80\x80\x80 \xF4\x90\x80\x80", "???? ????"},
        {"\xE9\x87", "??"},
        {"\x80 \xFF", "? ?"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct jl_error err;
        jl_fail(&err, JL_ERR_FORMAT, "%s", rows[i].in);
        assert_string_equal(err.message, rows[i].out);
    }
}

static void every_status_has_a_name_and_a_code(void **state) {
    (void)state;
    assert_int_equal(jl_status_exit_code(JL_OK), 0);
    for (int a = 0; a < JL_STATUS_COUNT; a++) {
        assert_string_not_equal(jl_status_name((enum jl_status)a), "unknown");
        for (int b = 0; b < a; b++)
            assert_int_not_equal(jl_status_exit_code((enum jl_status)a),
                                 jl_status_exit_code((enum jl_status)b));
    }
    assert_string_equal(jl_status_name((enum jl_status)999), "unknown");
    assert_int_equal(jl_status_exit_code((enum jl_status)999), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_the_error),
        cmocka_unit_test(may_quote_its_own_message),
        cmocka_unit_test(cuts_long_messages_at_a_character),
        cmocka_unit_test(makes_hostile_text_harmless),
        cmocka_unit_test(every_status_has_a_name_and_a_code),
    };
    return cmocka_run_group_tests_name("base/status", tests, NULL, NULL);
}
