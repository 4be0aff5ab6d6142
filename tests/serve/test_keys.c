/* The keys file: its lines, who may read it, what is added, and what finds a key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/scratch.h"
#include "base/file.h"
#include "serve/http/keys.h"

/* SHA-256 of "abc" (FIPS 180-2, B.1) and of "" */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void lines_are_read(void **state) {
    static const struct {
        const char *text;
        int n; // -1: refused
        const char *says;
    } cases[] = {
        {"", 0, NULL},
        {"\n\n  \n# a comment\n", 0, NULL},
        {"ann sha256:" ABC, 1, NULL},
        {"  ann\tsha256:" ABC "  # hers\r\nbob sha256:" EMPTY "\n", 2, NULL},
        {"a.b_c@d-E9 sha256:" ABC " at-once=2 per-minute=3 tokens-per-minute=4", 1, NULL},
        {"ann sha256:" ABC " tokens-per-minute=1000000000", 1, NULL},
        {"ann sha256:" ABC " admin at-once=2", 1, NULL},
        {"ann sha256:" ABC " admin admin", -1, "a limit"},
        {"ann sha256:" ABC " admins", -1, "a limit"},
        {"ann", -1, ":1: after the name"},
        {"\nann sha256:" ABC "0", -1, ":2: after the name"},
        {"ann sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", -1,
         "after"},
        {"ann md5:" ABC, -1, "after the name"},
        {"an/n sha256:" ABC, -1, "a name has"},
        {"\xC3\xA9 sha256:" ABC, -1, "a name has"},
        {"ann sha256:" ABC " at-once=0", -1, "a limit"},
        {"ann sha256:" ABC " at-once=", -1, "a limit"},
        {"ann sha256:" ABC " at-once=-1", -1, "a limit"},
        {"ann sha256:" ABC " at-once=1x", -1, "a limit"},
        {"ann sha256:" ABC " at-once=1 at-once=2", -1, "a limit"},
        {"ann sha256:" ABC " per-minute=1000000001", -1, "a limit"},
        {"ann sha256:" ABC " per-minute=99999999999999999999", -1, "a limit"},
        {"ann sha256:" ABC " rpm=1", -1, "a limit"},
        {"ann sha256:" ABC " at-once", -1, "a limit"},
        {"ann sha256:" ABC "\nann sha256:" EMPTY, -1, ":2: the name or the hash"},
        {"ann sha256:" ABC "\nbob sha256:" ABC, -1, ":2: the name or the hash"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_keys keys;
        struct jl_error err = {0};
        enum jl_status status =
            http_keys_parse(cases[i].text, strlen(cases[i].text), "F", &keys, &err);
        if ((status == JL_OK) != (cases[i].n >= 0)) fail_msg("%s: %s", cases[i].text, err.message);
        if (cases[i].n < 0) {
            assert_int_equal(status, JL_ERR_FORMAT);
            if (!strstr(err.message, cases[i].says)) fail_msg("%s: %s", cases[i].text, err.message);
            assert_null(keys.rows);
        }
        assert_int_equal(keys.n, cases[i].n < 0 ? 0 : cases[i].n);
        http_keys_free(&keys);
    }
    struct http_keys keys;
    assert_int_equal(http_keys_parse("a\0b sha256:" ABC, 75, "F", &keys, NULL), JL_ERR_FORMAT);
}

static void names_have_an_end(void **state) {
    char text[256], name[HTTP_KEY_NAME + 1];
    struct http_keys keys;
    (void)state;
    memset(name, 'n', sizeof name);
    name[HTTP_KEY_NAME - 1] = 0;
    int n = sprintf(text, "%s sha256:" ABC, name);
    assert_int_equal(http_keys_parse(text, (size_t)n, "F", &keys, NULL), JL_OK);
    assert_string_equal(keys.rows[0].name, name);
    http_keys_free(&keys);
    n = sprintf(text, "%sn sha256:" ABC, name);
    assert_int_equal(http_keys_parse(text, (size_t)n, "F", &keys, NULL), JL_ERR_FORMAT);
}

static void keys_are_found(void **state) {
    const char *text = "ann sha256:" ABC " at-once=2 per-minute=3 tokens-per-minute=4\n"
                       "bob sha256:" EMPTY "\n";
    char longest[HTTP_KEY_PRESENTED + 2];
    struct http_keys keys, none = {0};
    (void)state;
    assert_int_equal(http_keys_parse(text, strlen(text), "F", &keys, NULL), JL_OK);
    const struct http_key *ann = http_keys_find(&keys, "abc");
    assert_ptr_equal(ann, http_keys_named(&keys, "ann"));
    assert_int_equal(ann->at_once, 2);
    assert_int_equal(ann->per_minute, 3);
    assert_int_equal(ann->tokens_per_minute, 4);
    assert_ptr_equal(http_keys_find(&keys, ""), http_keys_named(&keys, "bob"));
    assert_null(http_keys_find(&keys, "abd"));
    assert_null(http_keys_find(&keys, "abc "));
    assert_null(http_keys_find(&keys, ABC));
    assert_null(http_keys_find(&none, "abc"));
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = 0;
    assert_null(http_keys_find(&keys, longest));
    http_keys_free(&keys);
}

static void files_of_others_are_refused(void **state) {
    struct http_keys keys;
    struct jl_error err = {0};
    const char *path = scratch_path("keys");
    static const struct {
        mode_t mode;
        bool good;
    } cases[] = {{0600, true},  {0400, true},  {0700, true},  {0640, false}, {0604, false},
                 {0620, false}, {0602, false}, {0644, false}, {0611, true}};
    (void)state;
    scratch_text("keys", "ann sha256:" ABC "\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(chmod(path, cases[i].mode), 0);
        enum jl_status status = http_keys_read(path, &keys, &err);
        if ((status == JL_OK) != cases[i].good) fail_msg("%o: %s", cases[i].mode, err.message);
        if (!cases[i].good) assert_non_null(strstr(err.message, "chmod 600"));
        http_keys_free(&keys);
    }
    chmod(path, 0600);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
        assert_int_equal(http_keys_read(path, &keys, &err), JL_ERR_IO);
        assert_non_null(strstr(err.message, "another user"));
    }
    assert_int_equal(http_keys_read(scratch_dir(), &keys, NULL), JL_ERR_IO);
    assert_int_equal(http_keys_read(scratch_path("absent"), &keys, NULL), JL_ERR_IO);
    assert_int_equal(mkfifo(scratch_path("pipe"), 0600), 0);
    assert_int_equal(http_keys_read(scratch_path("pipe"), &keys, NULL), JL_ERR_IO);
}

static void keys_are_made(void **state) {
    struct http_key ann = {.name = "ann", .at_once = 2},
                    bob = {.name = "bob", .per_minute = 60, .tokens_per_minute = 1000};
    char first[HTTP_KEY_TEXT], second[HTTP_KEY_TEXT], *text;
    struct http_keys keys;
    struct jl_error err = {0};
    struct stat info;
    const char *path = scratch_path("made");
    (void)state;
    assert_int_equal(http_keys_add(path, &ann, first, &err), JL_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(http_keys_add(path, &bob, second, &err), JL_OK);
    assert_int_equal(strlen(first), HTTP_KEY_TEXT - 1);
    assert_int_equal(strncmp(first, "jl-", 3), 0);
    assert_string_not_equal(first, second);
    assert_int_equal(http_keys_read(path, &keys, &err), JL_OK);
    assert_int_equal(keys.n, 2);
    assert_string_equal(http_keys_find(&keys, first)->name, "ann");
    assert_int_equal(http_keys_find(&keys, first)->at_once, 2);
    assert_string_equal(http_keys_find(&keys, second)->name, "bob");
    assert_int_equal(http_keys_find(&keys, second)->per_minute, 60);
    assert_int_equal(http_keys_find(&keys, second)->tokens_per_minute, 1000);
    http_keys_free(&keys);
    assert_int_equal(file_read(path, 4096, &text, NULL, NULL), JL_OK);
    assert_null(strstr(text, first + 3)); // the hash alone
    free(text);
}

/* Every bit of a key is drawn: each digit takes many values over some keys, the last one 16. */
static void keys_are_random(void **state) {
    bool seen[43][128] = {0};
    struct http_key row = {.name = ""};
    (void)state;
    for (int i = 0; i < 200; i++) {
        char key[HTTP_KEY_TEXT];
        sprintf(row.name, "n%d", i);
        assert_int_equal(http_keys_add(scratch_path("random"), &row, key, NULL), JL_OK);
        for (int k = 0; k < 43; k++)
            seen[k][(unsigned char)key[3 + k]] = true;
    }
    for (int k = 0; k < 43; k++) {
        int n = 0;
        for (int c = 0; c < 128; c++)
            n += seen[k][c];
        assert_in_range(n, k == 42 ? 12 : 45, k == 42 ? 16 : 64);
    }
}

static void additions_are_refused(void **state) {
    struct http_key ann = {.name = "ann"}, bad = {.name = "a b"}, none = {.name = ""};
    char key[HTTP_KEY_TEXT], *text;
    struct http_keys keys;
    struct jl_error err = {0};
    const char *path = scratch_path("full");
    (void)state;
    scratch_text("full", "ann sha256:" ABC); // without a newline at its end
    chmod(path, 0600);
    assert_int_equal(http_keys_add(path, &ann, key, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "'ann'"));
    assert_int_equal(http_keys_add(path, &bad, key, &err), JL_ERR_USAGE);
    assert_int_equal(http_keys_add(path, &none, key, &err), JL_ERR_USAGE);
    assert_string_equal(key, "");
    strcpy(ann.name, "eve");
    assert_int_equal(http_keys_add(path, &ann, key, &err), JL_OK);
    assert_int_equal(http_keys_read(path, &keys, &err), JL_OK);
    assert_int_equal(keys.n, 2);
    http_keys_free(&keys);
    chmod(path, 0644);
    strcpy(ann.name, "joe");
    assert_int_equal(http_keys_add(path, &ann, key, &err), JL_ERR_IO);
    scratch_text("broken", "what is this\n");
    chmod(scratch_path("broken"), 0600);
    assert_int_equal(http_keys_add(scratch_path("broken"), &ann, key, &err), JL_ERR_FORMAT);
    assert_int_equal(file_read(scratch_path("broken"), 4096, &text, NULL, NULL), JL_OK);
    assert_string_equal(text, "what is this\n");
    free(text);
}

static void keys_are_taken_out(void **state) {
    char *text, key[HTTP_KEY_TEXT];
    struct jl_error err = {0};
    struct http_key ann = {.name = "ann", .admin = true};
    struct http_keys keys;
    struct stat info;
    const char *path = scratch_path("less");
    (void)state;
    scratch_text("less", "# ann sha256: was the first\nannie sha256:" ABC " at-once=2 # ann\n\n"
                         " \tbob sha256:" EMPTY);
    chmod(path, 0600);
    assert_int_equal(http_keys_remove(path, "ann", &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "'ann'"));
    for (size_t i = 0; i < 4; i++) {
        static const char *const wrong[] = {"", "#", "an nie", "b"};
        assert_int_equal(http_keys_remove(path, wrong[i], &err), JL_ERR_USAGE);
    }
    assert_int_equal(http_keys_remove(path, "annie", &err), JL_OK);
    assert_int_equal(http_keys_add(path, &ann, key, &err), JL_OK);
    assert_int_equal(http_keys_read(path, &keys, &err), JL_OK);
    assert_int_equal(keys.n, 2);
    assert_false(keys.rows[0].admin);
    assert_true(http_keys_find(&keys, key)->admin);
    http_keys_free(&keys);
    assert_int_equal(http_keys_remove(path, "bob", &err), JL_OK);
    assert_int_equal(http_keys_remove(path, "bob", &err), JL_ERR_USAGE);
    assert_int_equal(http_keys_remove(path, "ann", &err), JL_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(file_read(path, 4096, &text, NULL, NULL), JL_OK);
    assert_string_equal(text, "# ann sha256: was the first\n\n");
    free(text);
    assert_int_equal(http_keys_remove(scratch_path("absent"), "ann", &err), JL_ERR_IO);
    chmod(path, 0644);
    assert_int_equal(http_keys_remove(path, "ann", &err), JL_ERR_IO);
}

static int end(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read),        cmocka_unit_test(names_have_an_end),
        cmocka_unit_test(keys_are_found),        cmocka_unit_test(files_of_others_are_refused),
        cmocka_unit_test(keys_are_made),         cmocka_unit_test(keys_are_random),
        cmocka_unit_test(additions_are_refused), cmocka_unit_test(keys_are_taken_out)};
    return cmocka_run_group_tests_name("serve/keys", tests, NULL, end);
}
