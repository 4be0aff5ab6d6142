/* Folders are whole or absent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/file_folder.h"
#include "support/scratch.h"

static void put(const struct file_folder *folder, const char *name) {
    struct file_writer writer;
    struct jl_error err;
    char *path = file_path_in(folder->tmp_path, name);
    assert_int_equal(file_writer_open(path, &writer, &err), JL_OK);
    fputs(name, writer.stream);
    assert_int_equal(file_writer_commit(&writer, &err), JL_OK);
    free(path);
}

static void commits(void **state) {
    (void)state;
    struct file_folder folder;
    struct jl_error err;
    mkdir(scratch_path("empty"), 0777);
    const char *const names[] = {"new", "slashes//", "empty"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *path = scratch_path(names[i]);
        int before = scratch_folders(), is_new = i == 0;
        assert_int_equal(file_folder_open(path, &folder, &err), JL_OK);
        put(&folder, "a");
        assert_int_equal(scratch_folders(), before + 1);
        assert_int_equal(file_folder_commit(&folder, &err), JL_OK);
        assert_int_equal(scratch_folders(), before + is_new);
        assert_null(folder.path);
        file_folder_abort(&folder);
        assert_int_equal(file_folder_commit(&folder, &err), JL_ERR_USAGE);
    }
    assert_true(file_exists(scratch_path("slashes/a")) && file_exists(scratch_path("empty/a")));
}

static void gives_up(void **state) {
    (void)state;
    struct file_folder folder;
    struct jl_error err;
    int before = scratch_folders();
    assert_int_equal(file_folder_open(scratch_path("gone"), &folder, &err), JL_OK);
    put(&folder, "a");
    put(&folder, "b");
    char *below = file_path_in(folder.tmp_path, "below");
    assert_int_equal(mkdir(below, 0777), 0);
    free(below);
    put(&folder, "below/c");
    file_folder_abort(&folder);
    assert_int_equal(scratch_folders(), before);
}

/* What came into being meanwhile stays, and so does what was there. */
static void refuses_what_is_there(void **state) {
    (void)state;
    struct file_folder folder;
    struct jl_error err;
    scratch_text("full/x", "x");
    scratch_text("file", "x");
    const char *const names[] = {"full", "file"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(file_folder_open(scratch_path(names[i]), &folder, &err), JL_ERR_IO);
        assert_non_null(strstr(err.message, "exists already"));
        assert_null(folder.path);
    }
    assert_int_equal(file_folder_open(scratch_path("late"), &folder, &err), JL_OK);
    put(&folder, "a");
    scratch_text("late/x", "x");
    int before = scratch_folders();
    assert_int_equal(file_folder_commit(&folder, &err), JL_ERR_IO);
    assert_non_null(strstr(err.message, "late"));
    assert_int_equal(scratch_folders(), before - 1); // the temporary one is gone
    assert_true(file_exists(scratch_path("late/x")));
    scratch_text("plain", "x");
    assert_int_equal(file_folder_open(scratch_path("file/below"), &folder, &err), JL_ERR_IO);
}

static int teardown(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(commits, teardown),
        cmocka_unit_test_teardown(gives_up, teardown),
        cmocka_unit_test_teardown(refuses_what_is_there, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
