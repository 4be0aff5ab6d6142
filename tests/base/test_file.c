/* Maps, whole reads, and writes that are whole or absent. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/scratch.h"

static void maps_a_file(void **state) {
    (void)state;
    struct file_map map;
    struct jl_error err;
    scratch_write("map.bin", "a\0b", 3);
    const char *path = scratch_path("map.bin");
    assert_int_equal(file_map_open(path, &map, &err), JL_OK);
    assert_int_equal(map.size, 3);
    assert_memory_equal(map.data, "a\0b", 3);
    assert_string_equal(map.path, path);
    file_map_close(&map);
    assert_null(map.data);
    file_map_close(&map);
    file_map_close(NULL);
}

static void maps_an_empty_file(void **state) {
    (void)state;
    struct file_map map;
    scratch_text("empty", "");
    assert_int_equal(file_map_open(scratch_path("empty"), &map, NULL), JL_OK);
    assert_null(map.data);
    assert_int_equal(map.size, 0);
    assert_non_null(map.path);
    file_map_close(&map);
}

static void refuses(const char *path, const char *says) {
    struct file_map map;
    struct jl_error err;
    char *text;
    assert_int_equal(file_map_open(path, &map, &err), JL_ERR_IO);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, says));
    assert_null(map.data);
    assert_null(map.path);
    assert_int_equal(file_read_regular(path, 100, &text, NULL, &err), JL_ERR_IO);
    assert_null(text);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, says));
    if (strstr(says, "regular")) return; // a pipe may be read where that was asked for
    assert_int_equal(file_read(path, 100, &text, NULL, &err), JL_ERR_IO);
    assert_null(text);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, says));
}

static void errors_name_the_path_and_the_reason(void **state) {
    (void)state;
    refuses(scratch_path("absent"), "No such file");
    refuses(scratch_dir(), "directory");
    scratch_text("plain", "x");
    refuses(scratch_path("plain/below"), "Not a directory");
    assert_int_equal(mkfifo(scratch_path("fifo"), 0600), 0);
    refuses(scratch_path("fifo"), "not a regular file"); // and does not wait for a writer
    refuses("/dev/zero", "not a regular file");
}

/* What cannot be opened is there all the same: the error must come, not another way out. */
static void links_that_lead_nowhere_exist(void **state) {
    (void)state;
    assert_false(file_exists(scratch_path("absent")));
    scratch_text("plain", "x");
    assert_false(file_exists(scratch_path("plain/below")));
    assert_int_equal(symlink("absent", scratch_path("dangling")), 0);
    assert_int_equal(symlink("loop", scratch_path("loop")), 0);
    assert_true(file_exists(scratch_path("dangling")));
    assert_true(file_exists(scratch_path("loop")));
    assert_true(file_exists(scratch_path("loop/below")));
    refuses(scratch_path("dangling"), "No such file");
    refuses(scratch_path("loop"), "symbolic links");
}

static void looks_at_the_first_bytes(void **state) {
    (void)state;
    scratch_text("four", "GGUF");
    scratch_text("three", "GGU");
    assert_true(file_begins(scratch_path("four"), "GGUF", 4));
    assert_false(file_begins(scratch_path("four"), "GGUG", 4));
    assert_false(file_begins(scratch_path("three"), "GGUF", 4));
    assert_false(file_begins(scratch_path("absent"), "GGUF", 4));
    assert_false(file_begins(scratch_dir(), "GGUF", 4));
    assert_int_equal(mkfifo(scratch_path("fifo2"), 0600), 0);
    assert_false(file_begins(scratch_path("fifo2"), "GGUF", 4));
}

static void reads_whole_files_up_to_the_limit(void **state) {
    (void)state;
    struct jl_error err;
    char *text;
    size_t size;
    scratch_write("ten",
                  "01234\0"
                  "6789",
                  10);
    assert_int_equal(file_read(scratch_path("ten"), 10, &text, &size, &err), JL_OK);
    assert_int_equal(size, 10);
    assert_memory_equal(text,
                        "01234\0"
                        "6789",
                        11); // and the closing NUL
    free(text);
    assert_int_equal(file_read(scratch_path("ten"), 9, &text, &size, &err), JL_ERR_LIMIT);
    assert_non_null(strstr(err.message, "10"));
    assert_null(text);
    scratch_text("empty", "");
    assert_int_equal(file_read(scratch_path("empty"), 0, &text, NULL, &err), JL_OK);
    assert_string_equal(text, "");
    free(text);
}

/* Sizes of 0 that are not: the kernel's own files say nothing about their length. */
static void reads_files_of_unknown_size(void **state) {
    (void)state;
    char *text;
    size_t size;
    if (!file_exists("/proc/self/stat")) skip();
    assert_int_equal(file_read("/proc/self/stat", 1 << 20, &text, &size, NULL), JL_OK);
    assert_true(size > 10 && strlen(text) == size);
    free(text);
    assert_int_equal(file_read("/dev/zero", 100000, &text, &size, NULL), JL_ERR_LIMIT);
    assert_null(text);
}

static void write_text(const char *name, const char *text) {
    struct file_writer writer;
    struct jl_error err;
    assert_int_equal(file_writer_open(scratch_path(name), &writer, &err), JL_OK);
    fputs(text, writer.stream);
    assert_int_equal(file_writer_commit(&writer, &err), JL_OK);
    file_writer_abort(&writer); // no effect
}

static void assert_text(const char *name, const char *expected) {
    char *text;
    assert_int_equal(file_read(scratch_path(name), 1 << 20, &text, NULL, NULL), JL_OK);
    assert_string_equal(text, expected);
    free(text);
}

static void commit_replaces_and_abort_leaves(void **state) {
    (void)state;
    struct file_writer writer;
    int before = scratch_entries();
    write_text("out", "first");
    assert_text("out", "first");

    assert_int_equal(file_writer_open(scratch_path("out"), &writer, NULL), JL_OK);
    fputs("half", writer.stream);
    fflush(writer.stream);
    assert_text("out", "first"); // not before commit
    assert_int_equal(scratch_entries(), before + 2);
    file_writer_abort(&writer);
    assert_text("out", "first");
    assert_int_equal(scratch_entries(), before + 1);

    write_text("out", "second");
    assert_text("out", "second");
    assert_int_equal(scratch_entries(), before + 1);
    file_writer_abort(NULL);
    assert_int_equal(file_writer_commit(&writer, NULL), JL_ERR_USAGE);
}

static void two_writers_do_not_meet(void **state) {
    (void)state;
    struct file_writer a, b;
    assert_int_equal(file_writer_open(scratch_path("race"), &a, NULL), JL_OK);
    assert_int_equal(file_writer_open(scratch_path("race"), &b, NULL), JL_OK);
    fputs("a", a.stream);
    fputs("bb", b.stream);
    assert_int_equal(file_writer_commit(&b, NULL), JL_OK);
    assert_text("race", "bb");
    assert_int_equal(file_writer_commit(&a, NULL), JL_OK);
    assert_text("race", "a");
}

static void keeps_permissions_and_follows_links(void **state) {
    (void)state;
    struct stat st;
    scratch_text("secret", "old");
    assert_int_equal(chmod(scratch_path("secret"), 0600), 0);
    assert_int_equal(symlink("secret", scratch_path("link")), 0);
    write_text("link", "new");
    assert_text("secret", "new");
    assert_int_equal(lstat(scratch_path("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(scratch_path("secret"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void refuses_targets_that_are_not_files(void **state) {
    (void)state;
    struct file_writer writer;
    struct jl_error err;
    assert_int_equal(file_writer_open(scratch_dir(), &writer, &err), JL_ERR_IO);
    assert_non_null(strstr(err.message, "directory"));
    assert_int_equal(file_writer_open("/dev/null", &writer, &err), JL_ERR_IO);
    assert_non_null(strstr(err.message, "/dev/null"));
    scratch_text("plain", "x");
    assert_int_equal(file_writer_open(scratch_path("plain/below"), &writer, &err), JL_ERR_IO);
    assert_null(writer.path);
    file_writer_abort(&writer);
}

/* A write that the system refuses is found at commit, and the old file stays. */
static void failed_write_leaves_the_old_file(void **state) {
    (void)state;
    struct file_writer writer;
    struct jl_error err;
    write_text("limited", "old");
    int before = scratch_entries();
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(file_writer_open(scratch_path("limited"), &writer, &err), JL_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 10000; i++)
        fputs("0123456789", writer.stream);
    enum jl_status status = file_writer_commit(&writer, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, JL_ERR_IO);
    assert_non_null(strstr(err.message, "limited"));
    assert_text("limited", "old");
    assert_int_equal(scratch_entries(), before);
}

static void joins_a_folder_and_a_name(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}, {".", "c/d", "./c/d"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path = file_path_in(cases[i][0], cases[i][1]);
        assert_string_equal(path, cases[i][2]);
        free(path);
    }
}

static int teardown(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_a_file),
        cmocka_unit_test(maps_an_empty_file),
        cmocka_unit_test(errors_name_the_path_and_the_reason),
        cmocka_unit_test(links_that_lead_nowhere_exist),
        cmocka_unit_test(looks_at_the_first_bytes),
        cmocka_unit_test(reads_whole_files_up_to_the_limit),
        cmocka_unit_test(reads_files_of_unknown_size),
        cmocka_unit_test(commit_replaces_and_abort_leaves),
        cmocka_unit_test(two_writers_do_not_meet),
        cmocka_unit_test(keeps_permissions_and_follows_links),
        cmocka_unit_test(refuses_targets_that_are_not_files),
        cmocka_unit_test(failed_write_leaves_the_old_file),
        cmocka_unit_test(joins_a_folder_and_a_name),
    };
    return cmocka_run_group_tests_name("base/file", tests, NULL, teardown);
}
