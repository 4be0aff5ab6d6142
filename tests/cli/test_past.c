/* The history file: what is written is read again, and it stays bounded and private. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "cli/chat/past.h"
#include "support/scratch.h"

struct seen {
    int n;
    char first[64], last[64];
};

static void see(void *ctx, const char *entry) {
    struct seen *seen = ctx;
    if (seen->n++ == 0) snprintf(seen->first, sizeof seen->first, "%s", entry);
    snprintf(seen->last, sizeof seen->last, "%s", entry);
}

static struct seen load(const char *path) {
    struct seen seen = {0};
    struct jl_error err = {0};
    if (past_load(path, see, &seen, &err) != JL_OK) fail_msg("%s", err.message);
    return seen;
}

static void append(const char *path, const char *entry) {
    struct jl_error err = {0};
    if (past_append(path, entry, &err) != JL_OK) fail_msg("%s", err.message);
}

static void test_round_trip(void **state) {
    (void)state;
    static const char *const entries[] = {"plain", "two\nlines \\n \\", "\xe4\xbd\xa0\t\xff"};
    char path[512];
    snprintf(path, sizeof path, "%s/new/folders/history", scratch_dir());
    assert_int_equal(load(path).n, 0); // absent
    for (int i = 0; i < 3; i++) {
        append(path, entries[i]);
        struct seen seen = load(path);
        assert_int_equal(seen.n, i + 1);
        assert_string_equal(seen.last, entries[i]);
    }
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void test_bounds(void **state) {
    (void)state;
    const char *path = scratch_path("bounded");
    char entry[32];
    for (int i = 0; i < 2 * PAST_MAX_ENTRIES; i++) {
        snprintf(entry, sizeof entry, "entry %d", i);
        append(path, entry);
    }
    struct seen seen = load(path);
    assert_int_equal(seen.n, PAST_MAX_ENTRIES);
    assert_string_equal(seen.first, "entry 1000");
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    append(path, "one more");
    seen = load(path); // more than twice as many: the file is cut back
    assert_int_equal(seen.n, PAST_MAX_ENTRIES);
    assert_string_equal(seen.last, "one more");
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_size < before.st_size);
    assert_int_equal(after.st_mode & 0777, 0600);
    assert_int_equal(load(path).n, PAST_MAX_ENTRIES);
    char *large = calloc(1, PAST_MAX_ENTRY + 2);
    memset(large, 'x', PAST_MAX_ENTRY + 1);
    append(path, large);
    assert_string_equal(load(path).last, "one more");
    free(large);
}

static void test_a_file_of_another_kind(void **state) {
    (void)state;
    scratch_write("odd", "a\n\n\0b\nlast without end", 23);
    struct seen seen = load(scratch_path("odd"));
    assert_true(seen.n <= 2);
    struct jl_error err = {0};
    scratch_text("plain", "");
    char path[512];
    snprintf(path, sizeof path, "%s/plain/history", scratch_dir());
    assert_int_equal(past_append(path, "x", &err), JL_ERR_IO);
    assert_non_null(strstr(err.message, path));
}

static void test_path(void **state) {
    (void)state;
    setenv("HOME", "/h", 1);
    unsetenv("XDG_STATE_HOME");
    char *path = past_path();
    assert_string_equal(path, "/h/.local/state/jinlin/history");
    free(path);
    setenv("XDG_STATE_HOME", "relative", 1);
    path = past_path();
    assert_string_equal(path, "/h/.local/state/jinlin/history");
    free(path);
    setenv("XDG_STATE_HOME", "/x", 1);
    path = past_path();
    assert_string_equal(path, "/x/jinlin/history");
    free(path);
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    assert_null(past_path());
}

static int clean(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_a_file_of_another_kind),
        cmocka_unit_test(test_path),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
