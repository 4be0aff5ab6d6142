/* The writer: what it writes reads back equal; what the reader would refuse it refuses. */
#include "fixture.h"

#include "format/gguf_write.h"
#include "format/model_file.h"

static struct gguf_writer *create(const char *path, size_t alignment) {
    struct gguf_writer *w;
    struct jl_error err;
    if (gguf_writer_create(path, alignment, &w, &err) != JL_OK) fail_msg("%s", err.message);
    return w;
}

static void put_everything(struct gguf_writer *w) {
    static const struct gguf_string words[] = {{"ein", 3}, {"", 0}, {"a\0b", 3}};
    gguf_put_text(w, "general.architecture", "tiny");
    gguf_put(w, "v.u8", GGUF_UINT8, &(uint8_t){255});
    gguf_put(w, "v.i8", GGUF_INT8, &(int8_t){-128});
    gguf_put(w, "v.u16", GGUF_UINT16, &(uint16_t){65535});
    gguf_put(w, "v.i16", GGUF_INT16, &(int16_t){-32768});
    gguf_put_u32(w, "v.u32", UINT32_MAX);
    gguf_put(w, "v.i32", GGUF_INT32, &(int32_t){INT32_MIN});
    gguf_put_f32(w, "v.f32", 1e-5f);
    gguf_put_bool(w, "v.bool", true);
    gguf_put(w, "v.u64", GGUF_UINT64, &(uint64_t){UINT64_MAX});
    gguf_put(w, "v.i64", GGUF_INT64, &(int64_t){INT64_MIN});
    gguf_put(w, "v.f64", GGUF_FLOAT64, &(double){0.1});
    gguf_put_string(w, "v.bytes", "x\0y", 3);
    gguf_put_strings(w, "a.words", words, 3);
    gguf_put_strings(w, "a.no_words", NULL, 0);
    gguf_put_array(w, "a.i32", GGUF_INT32, (int32_t[]){1, -2, 3}, 3);
    gguf_put_array(w, "a.bools", GGUF_BOOL, (uint8_t[]){1, 0}, 2);
    gguf_put_array(w, "a.none", GGUF_FLOAT32, NULL, 0);
}

static void check_values(struct meta *m) {
    struct meta item;
    assert_string_equal(meta_find(m, "general.architecture")->as.s.text, "tiny");
    assert_int_equal(meta_find(m, "v.u8")->as.i, 255);
    assert_int_equal(meta_find(m, "v.i8")->as.i, -128);
    assert_int_equal(meta_find(m, "v.u16")->as.i, 65535);
    assert_int_equal(meta_find(m, "v.i16")->as.i, -32768);
    assert_int_equal(meta_find(m, "v.u32")->as.i, UINT32_MAX);
    assert_int_equal(meta_find(m, "v.i32")->as.i, INT32_MIN);
    assert_true(meta_find(m, "v.f32")->as.f == (double)1e-5f);
    assert_true(meta_find(m, "v.bool")->as.b);
    assert_true(meta_find(m, "v.u64")->as.u == UINT64_MAX);
    assert_true(meta_find(m, "v.i64")->as.i == INT64_MIN);
    assert_true(meta_find(m, "v.f64")->as.f == 0.1);
    assert_int_equal(meta_find(m, "v.bytes")->as.s.len, 3);
    assert_memory_equal(meta_find(m, "v.bytes")->as.s.text, "x\0y", 4);
    struct meta_iter iter = {.array = meta_find(m, "a.words")};
    assert_int_equal(meta_count(iter.array), 3);
    assert_true(meta_iter_next(&iter, &item) && item.as.s.len == 3);
    assert_true(meta_iter_next(&iter, &item) && item.as.s.len == 0);
    assert_true(meta_iter_next(&iter, &item) && memcmp(item.as.s.text, "a\0b", 3) == 0);
    assert_int_equal(meta_count(meta_find(m, "a.no_words")), 0);
    iter = (struct meta_iter){.array = meta_find(m, "a.i32")};
    for (int i = 0; i < 3; i++) {
        assert_true(meta_iter_next(&iter, &item));
        assert_int_equal(item.as.i, ((int[]){1, -2, 3})[i]);
    }
    assert_int_equal(meta_count(meta_find(m, "a.bools")), 2);
    assert_int_equal(meta_count(meta_find(m, "a.none")), 0);
}

static void reads_back_what_it_wrote(void **state) {
    (void)state;
    static const size_t alignments[] = {0, 8, 64, 4096};
    uint8_t data[144];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)i;
    for (size_t a = 0; a < sizeof alignments / sizeof *alignments; a++) {
        struct folder folder;
        struct jl_error err;
        struct model_file *model;
        folder_make(&folder);
        struct gguf_writer *w = create(folder_file(&folder, "m.gguf"), alignments[a]);
        put_everything(w);
        gguf_add_tensor(w, "z.vector", DTYPE_F32, 1, (int64_t[]){3});
        gguf_add_tensor(w, "b.q4k", DTYPE_Q4_K, 2, (int64_t[]){1, 256});
        gguf_add_tensor(w, "c.four", DTYPE_F16, 4, (int64_t[]){2, 3, 4, 1});
        assert_int_equal(gguf_write_data(w, data, 12, &err), JL_OK);
        assert_int_equal(gguf_write_data(w, data, 44, &err), JL_OK); // a tensor in three pieces
        assert_int_equal(gguf_write_data(w, data, 0, &err), JL_OK);
        assert_int_equal(gguf_write_data(w, data + 44, 99, &err), JL_OK);
        assert_int_equal(gguf_write_data(w, data + 143, 1, &err), JL_OK);
        assert_int_equal(gguf_write_data(w, data + 1, 48, &err), JL_OK);
        assert_int_equal(gguf_writer_commit(w, &err), JL_OK);
        assert_int_not_equal(gguf_write_data(w, data, 1, &err), JL_OK);
        gguf_writer_free(w);

        if (model_file_open(folder_file(&folder, "m.gguf"), &model, &err) != JL_OK) {
            fail_msg("%s", err.message);
        }
        size_t alignment = alignments[a] ? alignments[a] : 32;
        check_values(model->meta);
        assert_int_equal(meta_find(model->meta, "general.alignment") != NULL, alignment != 32);
        assert_int_equal(model->n_tensor, 3);
        assert_memory_equal(model_file_find(model, "z.vector")->data, data, 12);
        assert_memory_equal(model_file_find(model, "b.q4k")->data, data, 144);
        const struct tensor_info *four = model_file_find(model, "c.four");
        assert_memory_equal(four->data, data + 1, 48);
        for (int i = 0; i < 4; i++)
            assert_int_equal(four->dim[i], ((int[]){2, 3, 4, 1})[i]);
        assert_int_equal((size_t)(four->data - model->maps[0].data) % alignment, 0);
        assert_int_equal(model->maps[0].size % alignment, 0);
        model_file_free(model);
        folder_remove(&folder); // fails if a temporary file was left in a sub-folder
    }
}

static void writes_metadata_alone(void **state) {
    (void)state;
    struct folder folder;
    struct jl_error err;
    struct model_file *model;
    folder_make(&folder);
    struct gguf_writer *w = create(folder_file(&folder, "v.gguf"), 0);
    put_everything(w);
    assert_int_equal(gguf_writer_commit(w, &err), JL_OK);
    gguf_writer_free(w);
    assert_int_equal(model_file_open(folder_file(&folder, "v.gguf"), &model, &err), JL_OK);
    assert_int_equal(model->n_tensor, 0);
    check_values(model->meta);
    model_file_free(model);
    folder_remove(&folder);
}

/* ---- misuse ---- */

static void key_empty(struct gguf_writer *w) { gguf_put_u32(w, "", 1); }
static void key_odd(struct gguf_writer *w) { gguf_put_u32(w, "a\tb", 1); }
static void key_twice(struct gguf_writer *w) {
    gguf_put_u32(w, "k.same", 1);
    gguf_put_text(w, "k.other", "");
    gguf_put_text(w, "k.same", "");
}
static void first_failure(struct gguf_writer *w) {
    gguf_put_u32(w, "\x7f", 1);
    gguf_put_u32(w, "", 1);
    gguf_add_tensor(w, "w", DTYPE_F32, 9, NULL);
}
static void bad_bool(struct gguf_writer *w) { gguf_put(w, "k.flag", GGUF_BOOL, &(uint8_t){2}); }
static void bad_type(struct gguf_writer *w) { gguf_put(w, "k.list", GGUF_ARRAY, ""); }
static void name_twice(struct gguf_writer *w) {
    gguf_add_tensor(w, "w.same", DTYPE_F32, 1, (int64_t[]){4});
    gguf_add_tensor(w, "w.same", DTYPE_F32, 1, (int64_t[]){4});
}
static void name_long(struct gguf_writer *w) {
    gguf_add_tensor(w, "0123456789012345678901234567890123456789012345678901234567890123",
                    DTYPE_F32, 1, (int64_t[]){4});
}
static void no_dims(struct gguf_writer *w) { gguf_add_tensor(w, "w.dims", DTYPE_F32, 0, NULL); }
static void zero_dim(struct gguf_writer *w) {
    gguf_add_tensor(w, "w.dims", DTYPE_F32, 2, (int64_t[]){0, 4});
}
static void huge_dims(struct gguf_writer *w) {
    gguf_add_tensor(w, "w.dims", DTYPE_F32, 2, (int64_t[]){INT64_MAX, 4});
}
static void part_block(struct gguf_writer *w) {
    gguf_add_tensor(w, "w.row", DTYPE_Q8_0, 1, (int64_t[]){33});
}
static void no_gguf_type(struct gguf_writer *w) {
    gguf_add_tensor(w, "w.bool", DTYPE_BOOL, 1, (int64_t[]){4});
}
static void too_much(struct gguf_writer *w) {
    struct jl_error err;
    gguf_add_tensor(w, "w", DTYPE_F32, 1, (int64_t[]){1});
    assert_int_equal(gguf_write_data(w, "12345", 5, &err), JL_ERR_USAGE);
}
static void too_little(struct gguf_writer *w) {
    struct jl_error err;
    gguf_add_tensor(w, "w.half", DTYPE_F32, 1, (int64_t[]){2});
    assert_int_equal(gguf_write_data(w, "1234", 4, &err), JL_OK);
}
static void late_key(struct gguf_writer *w) {
    struct jl_error err;
    gguf_add_tensor(w, "w", DTYPE_F32, 1, (int64_t[]){1});
    assert_int_equal(gguf_write_data(w, "1234", 4, &err), JL_OK);
    gguf_put_u32(w, "k.late", 1);
}

static const struct {
    const char *name;
    void (*misuse)(struct gguf_writer *w);
    const char *needles[3];
} misuses[] = {
    {"key_empty", key_empty, {"empty"}},
    {"key_odd", key_odd, {"'a\\x09b'", "printable"}},
    {"key_twice", key_twice, {"'k.same'", "twice"}},
    {"first_failure", first_failure, {"'\\x7f'", "printable"}},
    {"bad_bool", bad_bool, {"'k.flag'", "0 or 1"}},
    {"bad_type", bad_type, {"'k.list'", "fixed size"}},
    {"name_twice", name_twice, {"'w.same'", "twice"}},
    {"name_long", name_long, {"too long"}},
    {"no_dims", no_dims, {"'w.dims'", "1 to 4"}},
    {"zero_dim", zero_dim, {"'w.dims'", "above zero"}},
    {"huge_dims", huge_dims, {"'w.dims'", "overflows"}},
    {"part_block", part_block, {"'w.row'", "multiple of 32"}},
    {"no_gguf_type", no_gguf_type, {"'w.bool'", "no such type"}},
    {"too_much", too_much, {"5 bytes", "4 more"}},
    {"too_little", too_little, {"'w.half'", "incomplete"}},
    {"late_key", late_key, {"'k.late'", "already written"}},
};

static void refuses_misuse(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof misuses / sizeof *misuses; i++) {
        struct folder folder;
        struct jl_error err = {0};
        const char *needles[5] = {"m.gguf: "};
        folder_make(&folder);
        struct gguf_writer *w = create(folder_file(&folder, "m.gguf"), 0);
        misuses[i].misuse(w);
        enum jl_status status = gguf_writer_commit(w, &err);
        gguf_writer_free(w);
        for (size_t k = 0; k < 3; k++)
            needles[k + 1] = misuses[i].needles[k];
        assert_true(status == JL_ERR_USAGE || status == JL_ERR_FORMAT);
        expect_error(misuses[i].name, status, &err, status, needles);
        FILE *f = fopen(folder_file(&folder, "m.gguf"), "rb");
        assert_null(f); // nothing is left behind
        folder_remove(&folder);
    }
}

/* Copied metadata has the types and values of the file it is from: equal bytes but for the order.
 */
static void copies_metadata(void **state) {
    (void)state;
    struct folder folder;
    struct jl_error err;
    struct model_file *files[2];
    folder_make(&folder);
    struct gguf_writer *w = create(folder_file(&folder, "a.gguf"), 0);
    put_everything(w);
    assert_int_equal(gguf_writer_commit(w, &err), JL_OK);
    gguf_writer_free(w);
    for (int i = 0; i < 2; i++) {
        const char *names[] = {"a.gguf", "b.gguf"};
        if (model_file_open(folder_file(&folder, names[i]), &files[i], &err) != JL_OK)
            fail_msg("%s", err.message);
        if (i) break;
        w = create(folder_file(&folder, "b.gguf"), 0);
        for (size_t k = 0; k < files[0]->meta->as.list.count; k++)
            gguf_put_meta(w, &files[0]->meta->as.list.items[k]);
        assert_int_equal(gguf_writer_commit(w, &err), JL_OK);
        gguf_writer_free(w);
    }
    check_values(files[1]->meta);
    assert_int_equal(files[0]->meta->as.list.count, files[1]->meta->as.list.count);
    assert_int_equal(files[0]->maps[0].size, files[1]->maps[0].size);
    for (size_t k = 0; k < files[0]->meta->as.list.count; k++)
        assert_int_equal(files[0]->meta->as.list.items[k].gguf,
                         files[1]->meta->as.list.items[k].gguf);
    model_file_free(files[0]);
    model_file_free(files[1]);
    folder_remove(&folder);
}

static void leaves_nothing_without_commit(void **state) {
    (void)state;
    struct folder folder;
    struct jl_error err;
    struct gguf_writer *w;
    folder_make(&folder);
    w = create(folder_file(&folder, "m.gguf"), 0);
    put_everything(w);
    gguf_writer_free(w);
    gguf_writer_free(NULL);
    assert_int_not_equal(remove(folder_file(&folder, "m.gguf")), 0);
    enum jl_status status = gguf_writer_create(folder_file(&folder, "m.gguf"), 24, &w, &err);
    expect_error("alignment", status, &err, JL_ERR_USAGE, (const char *[]){"24", NULL});
    status = gguf_writer_create(folder_file(&folder, "no/m.gguf"), 0, &w, &err);
    expect_error("folder", status, &err, JL_ERR_IO, (const char *[]){"m.gguf", NULL});
    folder_remove(&folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_what_it_wrote),
        cmocka_unit_test(writes_metadata_alone),
        cmocka_unit_test(refuses_misuse),
        cmocka_unit_test(copies_metadata),
        cmocka_unit_test(leaves_nothing_without_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
