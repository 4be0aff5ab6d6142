/* Bytes of a keyboard as keys, through a pipe in one piece and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/chat/keys.h"

/* Keys as a text: characters as U+..., others by name; pasted text in brackets. */
static void describe(const struct keys *keys, struct key key, char *out, size_t size) {
    static const char *const names[] = {[KEY_UP] = "up",
                                        [KEY_DOWN] = "down",
                                        [KEY_LEFT] = "left",
                                        [KEY_RIGHT] = "right",
                                        [KEY_HOME] = "home",
                                        [KEY_END] = "end",
                                        [KEY_DELETE] = "delete",
                                        [KEY_WORD_LEFT] = "word-left",
                                        [KEY_WORD_RIGHT] = "word-right",
                                        [KEY_OVERLONG] = "overlong"};
    size_t at = strlen(out);
    if (key.kind == KEY_CHAR)
        snprintf(out + at, size - at, "%x ", key.code);
    else if (key.kind == KEY_ALT)
        snprintf(out + at, size - at, "alt-%x ", key.code);
    else if (key.kind == KEY_PASTE)
        snprintf(out + at, size - at, "[%s] ", keys->paste_len ? keys->paste : "");
    else
        snprintf(out + at, size - at, "%s ", names[key.kind]);
}

static void check(const char *bytes, size_t len, const char *wanted) {
    int ends[2];
    char got[512] = "";
    struct keys keys;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], bytes, len), (ssize_t)len);
    close(ends[1]);
    keys_open(&keys, ends[0]);
    for (struct key key; (key = keys_next(&keys)).kind != KEY_CLOSED;)
        describe(&keys, key, got, sizeof got);
    assert_string_equal(got, wanted);
    keys_close(&keys);
    close(ends[0]);
}
#define CHECK(bytes, wanted) check(bytes, sizeof(bytes) - 1, wanted)

static void test_characters(void **state) {
    (void)state;
    CHECK("a\t\r\x7f\x03", "61 9 d 7f 3 ");
    CHECK("\xe4\xbd\xa0\xf0\x9f\x90\x9f\xc3\xa9", "4f60 1f41f e9 ");
    CHECK("\xffz", "fffd 7a ");
    CHECK("\xe4\xbdz", "fffd 7a ");
    CHECK("\xe4\xe4\xbd\xa0", "fffd 4f60 ");
    CHECK("\xed\xa0\x80", "fffd fffd fffd ");
    CHECK("\xf0\x9f", "fffd ");
}

static void test_named_keys(void **state) {
    (void)state;
    CHECK("\033[A\033[B\033[C\033[D\033OA\033OD", "up down right left up left ");
    CHECK("\033[H\033[F\033[1~\033[4~\033[7~\033[8~\033OH\033OF",
          "home end home end home end home end ");
    CHECK("\033[3~\033[1;5D\033[1;5C\033[1;3D", "delete word-left word-right word-left ");
    CHECK("\033b\033\r\033\xe4\xbd\xa0", "alt-62 alt-d alt-4f60 ");
    CHECK("\033\033[A", "up ");
}

static void test_what_is_no_key_vanishes(void **state) {
    (void)state;
    CHECK("a\033[15~b\033[<35;1;2Mc\033OQd", "61 62 63 64 ");
    CHECK("\033[12345678901234567890123456789012345678901234567890~x", "78 ");
    CHECK("\033", "");
    CHECK("\033[", "");
    CHECK("\033[1;\nx", "a 78 ");
    CHECK("\033[9999999999999999999~x", "78 ");
}

static void test_paste(void **state) {
    (void)state;
    CHECK("\033[200~a\rb\r\nc\nd\033[201~x", "[a\nb\nc\nd] 78 ");
    CHECK("\033[200~\033[201~x", "[] 78 ");
    CHECK("\033[200~\033[A\003\004\033[201~", "[\033[A\003\004] ");
    CHECK("\033[200~\033[20\033[201\033\033[201~", "[\033[20\033[201\033] ");
    CHECK("\033[200~one\033[201~\033[200~two\033[201~", "[one] [two] ");
    CHECK("\033[200~never ends", "[never ends] ");
}

/* A terminal may hand out a sequence or a character in pieces. */
static void test_pieces(void **state) {
    (void)state;
    const char bytes[] = "\033[A\xe4\xbd\xa0\033[200~\xe4\xbd\xa0\r\033[201~";
    char got[128] = "";
    int ends[2];
    struct keys keys;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = 0; i + 1 < sizeof bytes; i++) {
            if (write(ends[1], bytes + i, 1) != 1) _exit(1);
            usleep(2000);
        }
        _exit(0);
    }
    close(ends[1]);
    keys_open(&keys, ends[0]);
    for (struct key key; (key = keys_next(&keys)).kind != KEY_CLOSED;)
        describe(&keys, key, got, sizeof got);
    assert_string_equal(got, "up 4f60 [\xe4\xbd\xa0\n] ");
    keys_close(&keys);
    close(ends[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_named_keys),
        cmocka_unit_test(test_what_is_no_key_vanishes),
        cmocka_unit_test(test_paste),
        cmocka_unit_test(test_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
