/* Split GGUF sets, through model_file_open as users do. */
#include "fixture.h"

#include "format/model_file.h"

struct part {
    unsigned no, count, total; // as its metadata says
    const char *tensor;        // its one tensor
    const char *extra_key;     // or NULL
    uint32_t alignment;        // 0: the default, no key
};

static const struct part good[3] = {
    {0, 3, 3, "w.b", "general.architecture", 0},
    {1, 3, 3, "w.c", NULL, 64}, // parts may differ in alignment
    {2, 3, 3, "w.a", "general.file", 0},
};

static void write_part(const char *path, const struct part *part) {
    struct draft d = {.alignment = part->alignment};
    draft_u16(&d, "split.no", part->no);
    draft_u16(&d, "split.count", part->count);
    draft_u32(&d, "split.tensors.count", part->total);
    if (part->alignment) draft_u32(&d, "general.alignment", part->alignment);
    if (part->extra_key) draft_string(&d, part->extra_key, "tiny");
    draft_vector(&d, part->tensor, 4, (float)part->no);
    struct bytes file = draft_finish(&d);
    write_bytes(path, file.data, file.len);
    bytes_free(&file);
}

static const char *part_path(const struct folder *folder, int no) {
    char name[64];
    snprintf(name, sizeof name, "m-%05d-of-00003.gguf", no);
    return folder_file(folder, name);
}

/* Three good parts, one of them replaced (NULL: none). */
static void write_set(const struct folder *folder, int replace, const struct part *by) {
    for (int i = 0; i < 3; i++) {
        write_part(part_path(folder, i + 1), by && i == replace ? by : &good[i]);
    }
}

static void opens_all_parts(void **state) {
    (void)state;
    struct folder folder;
    struct model_file *model;
    struct jl_error err;
    folder_make(&folder);
    write_set(&folder, 0, NULL);
    if (model_file_open(part_path(&folder, 1), &model, &err) != JL_OK) fail_msg("%s", err.message);
    assert_int_equal(model->kind, MODEL_FILE_GGUF);
    assert_int_equal(model->n_map, 3);
    assert_int_equal(model->n_tensor, 3);
    assert_non_null(meta_find(model->meta, "general.architecture"));
    static const char *const names[] = {"w.a", "w.b", "w.c"};
    static const float firsts[] = {2, 0, 1};
    for (int i = 0; i < 3; i++) {
        const struct tensor_info *info = model_file_find(model, names[i]);
        float first;
        assert_non_null(info);
        assert_ptr_equal(info, &model->tensors[i]);
        memcpy(&first, info->data, sizeof first);
        assert_true(first == firsts[i]);
    }
    assert_non_null(strstr(model_file_find(model, "w.a")->file, "m-00003-of-00003.gguf"));
    assert_null(model_file_find(model, "w.d"));
    model_file_free(model);
    folder_remove(&folder);
}

static void opens_merged_files(void **state) {
    (void)state;
    struct folder folder;
    struct jl_error err;
    folder_make(&folder);
    for (unsigned count = 0; count < 2; count++) {
        struct model_file *model;
        write_part(folder_file(&folder, "merged.gguf"), &(struct part){0, count, 1, "w", NULL, 0});
        assert_int_equal(model_file_open(folder_file(&folder, "merged.gguf"), &model, &err), JL_OK);
        assert_int_equal(model->n_tensor, 1);
        model_file_free(model);
    }
    folder_remove(&folder);
}

struct bad_set {
    const char *name;
    int replace;
    struct part by;
    const char *needles[4];
};

static const struct bad_set bad_sets[] = {
    {"wrong no", 1, {2, 3, 3, "w.c"}, {"m-00002-of-00003.gguf: ", "split.no 2", "calls for 1"}},
    {"wrong count", 2, {2, 4, 3, "w.a"}, {"m-00003-of-00003.gguf: ", "split.count 4"}},
    {"wrong total", 2, {2, 3, 9, "w.a"}, {"m-00003-of-00003.gguf: ", "split.tensors.count 9"}},
    {"not a part", 2, {0, 1, 3, "w.a"}, {"m-00003-of-00003.gguf: ", "do not fit the first part"}},
    {"same tensor", 2, {2, 3, 3, "w.b"}, {"tensor 'w.b'", "occurs also in", "of-00003.gguf'"}},
    {"extra key",
     1,
     {1, 3, 3, "w.c", "llama.block_count"},
     {"m-00002-of-00003.gguf: ", "key 'llama.block_count'", "only the first part"}},
    {"no not below count", 0, {3, 3, 3, "w.b"}, {"'split.no' is 3", "'split.count' 3"}},
    {"no without count", 0, {1, 1, 3, "w.b"}, {"'split.no' is 1", "one file"}},
};

static void refuses_sets_that_do_not_fit(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_sets / sizeof *bad_sets; i++) {
        const struct bad_set *c = &bad_sets[i];
        const char *needles[5] = {0};
        struct folder folder;
        struct model_file *model;
        struct jl_error err = {0};
        folder_make(&folder);
        write_set(&folder, c->replace, &c->by);
        for (int k = 0; k < 4; k++)
            needles[k] = c->needles[k];
        enum jl_status status = model_file_open(part_path(&folder, 1), &model, &err);
        assert_null(model);
        expect_error(c->name, status, &err, JL_ERR_FORMAT, needles);
        folder_remove(&folder);
    }
}

static void refuses_a_wrong_total(void **state) {
    (void)state;
    struct folder folder;
    struct model_file *model;
    struct jl_error err;
    folder_make(&folder);
    for (int i = 0; i < 3; i++) {
        struct part part = good[i];
        part.total = 4;
        write_part(part_path(&folder, i + 1), &part);
    }
    enum jl_status status = model_file_open(part_path(&folder, 1), &model, &err);
    expect_error("total", status, &err, JL_ERR_FORMAT,
                 (const char *[]){"'split.tensors.count' is 4", "hold 3 tensors", NULL});
    folder_remove(&folder);
}

static void says_which_file_to_pass(void **state) {
    (void)state;
    struct folder folder;
    struct model_file *model;
    struct jl_error err;
    folder_make(&folder);
    write_set(&folder, 0, NULL);
    enum jl_status status = model_file_open(part_path(&folder, 2), &model, &err);
    expect_error("second part", status, &err, JL_ERR_USAGE,
                 (const char *[]){"m-00002-of-00003.gguf: ", "part 2 of 3", "pass the first part",
                                  "m-00001-of-00003.gguf", NULL});
    assert_int_equal(rename(part_path(&folder, 1), folder_file(&folder, "renamed.gguf")), 0);
    status = model_file_open(folder_file(&folder, "renamed.gguf"), &model, &err);
    expect_error("renamed", status, &err, JL_ERR_FORMAT,
                 (const char *[]){"renamed.gguf: ", "part 1 of 3", "-00001-of-00003.gguf", NULL});
    folder_remove(&folder);
}

static void names_a_missing_part(void **state) {
    (void)state;
    struct folder folder;
    struct model_file *model;
    struct jl_error err;
    folder_make(&folder);
    write_set(&folder, 0, NULL);
    assert_int_equal(remove(part_path(&folder, 2)), 0);
    enum jl_status status = model_file_open(part_path(&folder, 1), &model, &err);
    expect_error("missing", status, &err, JL_ERR_IO,
                 (const char *[]){"m-00002-of-00003.gguf: ", "part 2 of 3", "missing", NULL});
    folder_remove(&folder);
}

static void refuses_incomplete_keys(void **state) {
    (void)state;
    struct folder folder;
    struct model_file *model;
    struct jl_error err;
    folder_make(&folder);
    const char *path = part_path(&folder, 1);
    static const char *const want[] = {"split.no", "split.tensors.count", "split.count"};
    for (int i = 0; i < 3; i++) {
        struct draft d = {0};
        if (i == 2)
            draft_string(&d, "split.count", "3");
        else
            draft_u16(&d, "split.count", 3);
        if (i != 0) draft_u16(&d, "split.no", 0);
        if (i != 1) draft_u32(&d, "split.tensors.count", 1);
        struct bytes file = draft_finish(&d);
        write_bytes(path, file.data, file.len);
        bytes_free(&file);
        enum jl_status status = model_file_open(path, &model, &err);
        expect_error(want[i], status, &err, JL_ERR_FORMAT, (const char *[]){want[i], NULL});
    }
    folder_remove(&folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_all_parts),
        cmocka_unit_test(opens_merged_files),
        cmocka_unit_test(refuses_sets_that_do_not_fit),
        cmocka_unit_test(refuses_a_wrong_total),
        cmocka_unit_test(says_which_file_to_pass),
        cmocka_unit_test(names_a_missing_part),
        cmocka_unit_test(refuses_incomplete_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
