/* Weights that are written are read back: names, shapes, bytes; shards and their index; what the
 * reader would refuse, and what a caller does wrong, leaves nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>

#include "format/model_file.h"
#include "format/st_write.h"
#include "support/scratch.h"

static uint8_t bytes[4096];

static struct st_writer *start(size_t shard_bytes) {
    struct st_writer *w;
    struct jl_error err;
    scratch_text("out/config.json", "{}");
    if (st_writer_create(scratch_path("out"), shard_bytes, &w, &err) != JL_OK)
        fail_msg("%s", err.message);
    return w;
}

static void add(struct st_writer *w, const char *name, enum dtype dtype, int64_t rows,
                int64_t cols) {
    const int64_t dim[] = {rows, cols};
    st_add_tensor(w, name, dtype, 2, dim);
}

static void data(struct st_writer *w, size_t n) {
    struct jl_error err;
    if (st_write_data(w, bytes, n, &err) != JL_OK) fail_msg("%s", err.message);
}

static struct model_file *finish(struct st_writer *w) {
    struct jl_error err;
    struct model_file *file;
    if (st_writer_commit(w, &err) != JL_OK) fail_msg("%s", err.message);
    st_writer_free(w);
    if (model_file_open(scratch_path("out"), &file, &err) != JL_OK) fail_msg("%s", err.message);
    return file;
}

static void has(const struct model_file *file, const char *name, enum dtype dtype, int64_t rows,
                int64_t cols) {
    const struct tensor_info *t = model_file_find(file, name);
    if (!t) fail_msg("%s is missing", name);
    assert_int_equal(t->dtype, dtype);
    assert_true(t->n_dim == 2 && t->dim[0] == rows && t->dim[1] == cols);
    assert_memory_equal(t->data, bytes, t->bytes);
}

static void test_one_file(void **state) {
    (void)state;
    struct st_writer *w = start(0);
    const int64_t vector[] = {3}, four[] = {2, 1, 3, 1};
    add(w, "a.weight", DTYPE_F32, 3, 5);
    add(w, "b", DTYPE_BF16, 2, 7);
    st_add_tensor(w, "c", DTYPE_F16, 1, vector);
    st_add_tensor(w, "d", DTYPE_F8_E4M3, 4, four);
    data(w, 20);
    data(w, 0);
    memmove(bytes, bytes + 20, 40); // the second piece goes on where the first ended
    data(w, 40);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    data(w, 28);
    data(w, 6);
    data(w, 6);
    struct model_file *file = finish(w);
    assert_int_equal(file->n_tensor, 4);
    has(file, "b", DTYPE_BF16, 2, 7);
    assert_int_equal(model_file_find(file, "d")->n_dim, 4);
    // The data begins at a multiple of eight.
    assert_int_equal((model_file_find(file, "a.weight")->data - file->maps[0].data) % 8, 0);
    model_file_free(file);
    scratch_remove();
}

static void test_shards(void **state) {
    (void)state;
    for (size_t limit = 1; limit < 700; limit += 37) {
        struct st_writer *w = start(limit);
        char name[16];
        for (int i = 0; i < 9; i++) {
            snprintf(name, sizeof name, "t%d", i);
            add(w, name, DTYPE_F32, 1 + i % 4, 8);
        }
        for (int i = 0; i < 9; i++)
            data(w, (size_t)(1 + i % 4) * 32);
        struct model_file *file = finish(w);
        assert_int_equal(file->n_tensor, 9);
        for (size_t m = 0; m < file->n_map && file->n_map > 1; m++) {
            size_t held = 0, n = 0;
            for (size_t i = 0; i < 9; i++)
                if (file->tensors[i].file == file->maps[m].path) {
                    held += file->tensors[i].bytes;
                    n++;
                }
            assert_true(n == 1 || held <= limit);
        }
        for (int i = 0; i < 9; i++) {
            snprintf(name, sizeof name, "t%d", i);
            has(file, name, DTYPE_F32, 1 + i % 4, 8);
        }
        if (limit == 1) assert_int_equal(file->n_map, 9);
        model_file_free(file);
        scratch_remove();
    }
}

/* The first failure sticks, and is what commit says. */
static void expect_bad(struct st_writer *w, enum jl_status status, const char *needle) {
    struct jl_error err;
    assert_int_equal(st_writer_commit(w, &err), status);
    if (!strstr(err.message, needle)) fail_msg("no '%s' in: %s", needle, err.message);
    st_writer_free(w);
    assert_false(file_exists(scratch_path("out/model.safetensors")));
    scratch_remove();
}

static void test_misuse(void **state) {
    (void)state;
    struct jl_error err;
    const int64_t none[] = {4, 0};
    static const char *const names[] = {"", "a\"b", "a\\b", "a\nb", "\xC3\xA9", "__metadata__"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct st_writer *w = start(0);
        add(w, names[i], DTYPE_F32, 1, 1);
        add(w, "fine", DTYPE_F32, 1, 1);
        assert_int_equal(st_write_data(w, bytes, 4, &err), JL_ERR_USAGE);
        expect_bad(w, JL_ERR_USAGE, "cannot write tensor");
    }
    struct st_writer *w = start(0);
    add(w, "q", DTYPE_Q8_0, 1, 32);
    expect_bad(w, JL_ERR_USAGE, "no such type");
    w = start(0);
    st_add_tensor(w, "zero", DTYPE_F32, 2, none);
    expect_bad(w, JL_ERR_USAGE, "above zero");
    w = start(0);
    st_add_tensor(w, "five", DTYPE_F32, 5, none);
    expect_bad(w, JL_ERR_USAGE, "dimensions");
    w = start(0);
    add(w, "huge", DTYPE_F32, INT64_MAX / 2, 64);
    expect_bad(w, JL_ERR_FORMAT, "overflows");
    w = start(0);
    add(w, "twice", DTYPE_F32, 1, 1);
    add(w, "twice", DTYPE_F32, 1, 1);
    expect_bad(w, JL_ERR_USAGE, "added twice");
    w = start(0);
    add(w, "short", DTYPE_F32, 2, 2);
    data(w, 12);
    expect_bad(w, JL_ERR_USAGE, "incomplete");
    w = start(0);
    add(w, "long", DTYPE_F32, 2, 2);
    assert_int_equal(st_write_data(w, bytes, 17, &err), JL_ERR_USAGE);
    expect_bad(w, JL_ERR_USAGE, "takes 16 more");
    w = start(0);
    add(w, "early", DTYPE_F32, 2, 2);
    data(w, 4);
    add(w, "late", DTYPE_F32, 2, 2);
    expect_bad(w, JL_ERR_USAGE, "already written");
    expect_bad(start(0), JL_ERR_USAGE, "no tensors");
    st_writer_free(NULL);
}

static void test_given_up(void **state) {
    (void)state;
    struct st_writer *w = start(0);
    add(w, "a", DTYPE_F32, 2, 2);
    data(w, 8);
    st_writer_free(w);
    assert_false(file_exists(scratch_path("out/model.safetensors")));
    scratch_remove();
}

/* The disk ends in the second shard: it is not there, nor is the index. */
static void test_full_disk(void **state) {
    (void)state;
    struct rlimit old, small;
    struct jl_error err;
    struct st_writer *w = start(8000);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 5000;
    add(w, "a", DTYPE_F32, 1, 1000);
    add(w, "b", DTYPE_F32, 2, 1000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    data(w, 4000);
    enum jl_status status = JL_OK;
    for (int i = 0; i < 2 && status == JL_OK; i++)
        status = st_write_data(w, bytes, 4000, &err);
    if (status == JL_OK) status = st_writer_commit(w, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, JL_ERR_IO);
    assert_non_null(strstr(err.message, "cannot write"));
    assert_int_equal(st_writer_commit(w, &err), JL_ERR_IO);
    st_writer_free(w);
    assert_true(file_exists(scratch_path("out/model-00001-of-00002.safetensors")));
    assert_false(file_exists(scratch_path("out/model-00002-of-00002.safetensors")));
    assert_false(file_exists(scratch_path("out/model.safetensors.index.json")));
    scratch_remove();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_file),  cmocka_unit_test(test_shards),
        cmocka_unit_test(test_misuse),    cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
