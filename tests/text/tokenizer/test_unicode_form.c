/* Normalisation forms and the small normalisers. Python's unicodedata (Unicode 14) is compared over
 * all characters by differential.py; here stand the cases one can read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "text/tokenizer/unicode_form.h"

static void check_form(enum unicode_form form, const char *text, const char *want) {
    struct byte_buffer out = {0};
    assert_true(unicode_form_apply(form, text, strlen(text), &out));
    assert_int_equal(out.len, strlen(want));
    if (out.len) assert_memory_equal(out.data, want, out.len);
    if (unicode_form_is(form, text, strlen(text))) assert_string_equal(text, want);
    buffer_free(&out);
}

static void test_forms(void **state) {
    (void)state;
    check_form(UNICODE_NFC, "", "");
    check_form(UNICODE_NFC, "plain text of more than eight bytes", // nothing to do
               "plain text of more than eight bytes");
    check_form(UNICODE_NFC, "e\xCC\x81", "\xC3\xA9");
    check_form(UNICODE_NFC, "abcdefgh\xCC\x81", "abcdefgh\xCC\x81"); // no h with acute
    check_form(UNICODE_NFC, "abcdefge\xCC\x81x", "abcdefg\xC3\xA9x");
    check_form(UNICODE_NFC, "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8", "\xEA\xB0\x81"); // Hangul
    check_form(UNICODE_NFC, "\xEA\xB0\x80\xE1\x86\xA8", "\xEA\xB0\x81");
    check_form(UNICODE_NFC, "\xE2\x84\xAB", "\xC3\x85"); // the Angstrom sign is a letter
    check_form(UNICODE_NFD, "\xC3\xA9", "e\xCC\x81");
    check_form(UNICODE_NFD, "\xEA\xB0\x81", "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8");
    check_form(UNICODE_NFKC, "\xEF\xAC\x81\xE2\x91\xA0\xE3\x80\x80", "fi1 ");
    check_form(UNICODE_NFKD, "\xEF\xBC\xA1\xC3\xA9", "Ae\xCC\x81");
    // Marks in the wrong order: dot below (220) comes before dot above (230).
    check_form(UNICODE_NFD, "q\xCC\x87\xCC\xA3", "q\xCC\xA3\xCC\x87");
    // A stray byte composes with nothing and stays.
    check_form(UNICODE_NFC, "e\xFF\xCC\x81\xC3", "e\xFF\xCC\x81\xC3");
    check_form(UNICODE_NFC,
               "\xCC\x81"
               "e\xCC\x81",
               "\xCC\x81\xC3\xA9");
}

/* Orders of classes that a bubble sort would take hours for. */
static void test_long_marks(void **state) {
    (void)state;
    const size_t n = 200000;
    struct byte_buffer in = {0}, out = {0};
    assert_true(buffer_append(&in, "a", 1));
    for (size_t i = 0; i < n; i++) // above, below, above, below ...
        assert_true(buffer_append(&in, i % 2 ? "\xCC\xA3" : "\xCC\x84", 2));
    assert_true(unicode_form_apply(UNICODE_NFD, in.data, in.len, &out));
    assert_int_equal(out.len, in.len);
    for (size_t i = 0; i < n; i++)
        assert_memory_equal(out.data + 1 + 2 * i, i < n / 2 ? "\xCC\xA3" : "\xCC\x84", 2);
    buffer_free(&in);
    buffer_free(&out);
}

/* Each form twice is the form once, whatever the bytes. */
static void test_idempotent(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        uint64_t random = seed;
        char text[64];
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = (char)(i % 3 ? 0x80 | fixture_random(&random) : fixture_random(&random));
        for (int form = UNICODE_NFC; form <= UNICODE_NFKD; form++) {
            struct byte_buffer once = {0}, twice = {0};
            assert_true(unicode_form_apply((enum unicode_form)form, text, sizeof text, &once));
            assert_true(unicode_form_apply((enum unicode_form)form, once.data, once.len, &twice));
            assert_int_equal(once.len, twice.len);
            assert_memory_equal(once.data, twice.data, once.len);
            buffer_free(&once);
            buffer_free(&twice);
        }
    }
}

typedef bool (*rewrite)(const char *text, size_t len, struct byte_buffer *out);

static void check(rewrite f, const char *text, const char *want) {
    struct byte_buffer out = {0};
    assert_true(f(text, strlen(text), &out));
    assert_int_equal(out.len, strlen(want));
    if (out.len) assert_memory_equal(out.data, want, out.len);
    buffer_free(&out);
}

static bool strip_both(const char *text, size_t len, struct byte_buffer *out) {
    return unicode_form_strip(true, true, text, len, out);
}
static bool strip_left(const char *text, size_t len, struct byte_buffer *out) {
    return unicode_form_strip(true, false, text, len, out);
}
static bool strip_right(const char *text, size_t len, struct byte_buffer *out) {
    return unicode_form_strip(false, true, text, len, out);
}
static bool uncased(const char *text, size_t len, struct byte_buffer *out) {
    const struct unicode_form_bert bert = {true, true, true, true};
    return unicode_form_bert(&bert, text, len, out);
}
static bool cased(const char *text, size_t len, struct byte_buffer *out) {
    const struct unicode_form_bert bert = {true, false, false, false};
    return unicode_form_bert(&bert, text, len, out);
}

static void test_small(void **state) {
    (void)state;
    check(unicode_form_lowercase, "ABC\xC3\x84\xCE\xA3\xFF", "abc\xC3\xA4\xCF\x83\xFF");
    check(unicode_form_lowercase, "\xC4\xB0", "i\xCC\x87"); // I with dot becomes two
    check(unicode_form_strip_accents, "e\xCC\x81o\xE0\xA4\xBE!", "eo!");
    check(unicode_form_strip_accents, "\xC3\xA9", "\xC3\xA9"); // not decomposed first
    check(strip_both, " \t\xE3\x80\x80 a b \n", "a b");
    check(strip_left, "  a ", "a ");
    check(strip_right, "  a ", "  a");
    check(strip_both, " \n ", "");
    check(strip_both, "", "");
    check(unicode_form_nmt,
          "a\x01"
          "b\tc\xE2\x80\x8B"
          "d\xC2\xA0",
          "ab c d\xC2\xA0");
    check(uncased, "H\xC3\xA9llo\tW\x01\xE9\x87\x91\xEF\xBF\xBD", "hello w \xE9\x87\x91 ");
    check(cased, "H\xC3\xA9llo\t\xE9\x87\x91", "H\xC3\xA9llo \xE9\x87\x91");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_long_marks),
        cmocka_unit_test(test_idempotent),
        cmocka_unit_test(test_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
