/* Text made fit for a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cli/chat/shown.h"

static void check(const char *text, size_t len, const char *wanted) {
    struct shown shown = {0};
    struct byte_buffer out = {0};
    assert_true(shown_push(&shown, text, len, &out));
    assert_true(shown_end(&shown, &out));
    assert_true(buffer_append(&out, "", 1));
    assert_string_equal(out.data, wanted);
    buffer_free(&out);
}
#define CHECK(text, wanted) check(text, sizeof(text) - 1, wanted)

static void test_text_passes(void **state) {
    (void)state;
    CHECK("plain \xe4\xbd\xa0 \xf0\x9f\x90\x9f\n\ttab\n",
          "plain \xe4\xbd\xa0 \xf0\x9f\x90\x9f\n\ttab\n");
    CHECK("\xe2\x80\x8d\xef\xb8\x8f", "\xe2\x80\x8d\xef\xb8\x8f"); // emoji need both
    CHECK("", "");
}

static void test_commands_are_spelled(void **state) {
    (void)state;
    CHECK("\033[2J\033]0;title\a", "^[[2J^[]0;title^G");
    CHECK("a\0b\x7f\b", "a^@b^?^H");
    CHECK("\xc2\x9b"
          "31m",
          "<U+009B>31m");
    CHECK("\xe2\x80\xae\xe2\x81\xa6", "<U+202E><U+2066>");
    CHECK("\xf3\xa0\x81\x81", "<U+E0041>");
    CHECK("\xff\xe4\xbd", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

static void test_line_ends(void **state) {
    (void)state;
    CHECK("a\r\nb\rc\r\r\n\r", "a\nb^Mc^M\n^M");
    struct shown shown = {0};
    struct byte_buffer out = {0};
    assert_true(shown_push(&shown, "a\r", 2, &out) && shown_push(&shown, "\nb", 2, &out));
    assert_int_equal(out.len, 3);
    assert_memory_equal(out.data, "a\nb", 3);
    buffer_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_passes),
        cmocka_unit_test(test_commands_are_spelled),
        cmocka_unit_test(test_line_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
