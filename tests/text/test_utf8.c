/* UTF-8: every code point, every ill-formed kind, and the character classes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/utf8.h"

static void test_all_code_points(void **state) {
    (void)state;
    for (uint32_t code = 0; code < UTF8_CODE_END; code++) {
        char bytes[UTF8_MAX];
        uint32_t back;
        int n = utf8_encode(code, bytes);
        bool surrogate = code >= 0xD800 && code <= 0xDFFF;
        assert_int_equal(utf8_decode(bytes, (size_t)n, &back), surrogate ? 0 : n);
        if (surrogate) continue;
        assert_int_equal(back, code);
        for (size_t cut = 1; cut < (size_t)n; cut++) {
            bool unfinished;
            assert_int_equal(utf8_length(bytes, cut), 0);
            assert_int_equal(utf8_bad_length(bytes, cut, &unfinished), cut);
            assert_true(unfinished);
        }
    }
}

static void test_ill_formed(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        int bad; // length of the part that one U+FFFD stands for
    } rows[] = {
        {"\x80", 1},
        {"\xBF"
         "a",
         1},
        {"\xC0\x80", 1},
        {"\xC1\xBF", 1},
        {"\xE0\x80\x80", 1},
        {"\xE0\x9F\xBF", 1},
        {"\xED\xA0\x80", 1},
        {"\xF0\x8F\xBF\xBF", 1},
        {"\xF4\x90\x80\x80", 1},
        {"\xF5\x80\x80\x80", 1},
        {"\xFF", 1},
        {"\xC3(", 1},
        {"\xE2\x96(", 2},
        {"\xF0\x9F\x98(", 3},
        {"\xF0\x9F(", 2},
        {"\xE2(", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = strlen(rows[i].bytes);
        uint32_t code;
        bool unfinished;
        assert_int_equal(utf8_length(rows[i].bytes, len), 0);
        assert_int_equal(utf8_step(rows[i].bytes, len, &code), 1);
        assert_int_equal(code, UTF8_CODE_END + (unsigned char)rows[i].bytes[0]);
        assert_int_equal(utf8_bad_length(rows[i].bytes, len, &unfinished), rows[i].bad);
        assert_false(unfinished);
    }
    assert_int_equal(utf8_length("", 0), 0);
    assert_int_equal(utf8_length("\0", 1), 1);
}

static void test_classes(void **state) {
    (void)state;
    static const uint32_t words[] = {'a',   'Z',    '0',     '_',    0xE9,   0x301,
                                     0x660, 0x4E00, 0x1D7CE, 0x200D, 0x203F, 0x2160};
    static const uint32_t not_words[] = {' ',    '-',    '<',     0xA0, 0xD7,
                                         0x2581, 0x3002, 0x1F600, 0xBD, 0x110041};
    static const uint32_t spaces[] = {' ', '\t', '\n', '\r', 0x85, 0xA0, 0x2003, 0x2028, 0x3000};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        assert_true(utf8_is_word(words[i]));
        assert_false(utf8_is_space(words[i]));
    }
    for (size_t i = 0; i < sizeof not_words / sizeof not_words[0]; i++)
        assert_false(utf8_is_word(not_words[i]));
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
        assert_true(utf8_is_space(spaces[i]));
    assert_false(utf8_is_space(0x200B));
    assert_false(utf8_is_space(0x2581));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_code_points),
        cmocka_unit_test(test_ill_formed),
        cmocka_unit_test(test_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
