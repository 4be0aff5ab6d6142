/* Files made by others' tools, where they are at hand: golden folders and GGUF vocabularies. */
#include "fixture.h"

#include <dirent.h>

#include "format/model_file.h"

/* Every promise of an opened model that can be checked from outside. */
static void check_model(const struct model_file *model) {
    for (size_t i = 0; i < model->n_tensor; i++) {
        const struct tensor_info *t = &model->tensors[i];
        size_t bytes, rows = 1;
        bool inside = false;
        assert_ptr_equal(model_file_find(model, t->name), t);
        if (i) assert_true(strcmp(model->tensors[i - 1].name, t->name) < 0);
        for (int k = 0; k < t->n_dim - 1; k++)
            rows *= (size_t)t->dim[k];
        assert_true(dtype_row_bytes(t->dtype, t->dim[t->n_dim - 1], &bytes));
        assert_int_equal(bytes * rows, t->bytes);
        for (size_t k = 0; k < model->n_map; k++) {
            const struct file_map *map = &model->maps[k];
            inside |= t->data >= map->data && t->data + t->bytes <= map->data + map->size;
        }
        assert_true(inside);
    }
}

static bool ends_with(const char *name, const char *suffix) {
    size_t len = strlen(name), tail = strlen(suffix);
    return len > tail && strcmp(name + len - tail, suffix) == 0;
}

/* Opens each entry of a shared folder that `wanted` accepts. A file of a type that this program
 * does not read must be refused as unsupported, by the name of a tensor. */
static void open_each(const char *shared, const char *suffix, int *opened, int *refused) {
    const char *base = shared_path(shared);
    if (!base) skip();
    char path[2048];
    DIR *dir = opendir(base);
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (entry->d_name[0] == '.' || !ends_with(entry->d_name, suffix)) continue;
        struct model_file *model;
        struct jl_error err;
        snprintf(path, sizeof path, "%s/%s", base, entry->d_name);
        if (!*suffix && !file_is_dir(path)) continue;
        if (model_file_open(path, &model, &err) == JL_OK) {
            check_model(model);
            model_file_free(model);
            ++*opened;
        } else {
            if (err.status != JL_ERR_UNSUPPORTED) fail_msg("%s", err.message);
            assert_non_null(strstr(err.message, "tensor '"));
            ++*refused;
        }
    }
    closedir(dir);
    print_message("%s: %d opened, %d of unsupported types\n", shared, *opened, *refused);
}

static void opens_golden_folders(void **state) {
    (void)state;
    int opened = 0, refused = 0;
    open_each("golden", "", &opened, &refused);
    if (opened + refused) assert_true(opened > 10);
}

static void opens_golden_gguf(void **state) {
    (void)state;
    int opened = 0, refused = 0;
    open_each("golden-gguf", ".gguf", &opened, &refused);
    if (opened + refused) assert_true(opened > 5);
}

static void opens_vocabularies(void **state) {
    (void)state;
    int opened = 0, refused = 0;
    open_each("vocab/gguf", ".gguf", &opened, &refused);
    assert_int_equal(refused, 0);
}

/* A sharded and an unsharded copy of one model hold the same tensors. */
static void sharded_equals_single(void **state) {
    (void)state;
    struct model_file *one, *many;
    struct jl_error err;
    const char *path = shared_path("golden/qwen3-moe");
    if (!path) skip();
    assert_int_equal(model_file_open(path, &one, &err), JL_OK);
    path = shared_path("golden/qwen3-moe-sharded");
    assert_non_null(path);
    assert_int_equal(model_file_open(path, &many, &err), JL_OK);
    assert_int_equal(one->n_map, 1);
    assert_int_equal(many->n_map, 3);
    assert_int_equal(one->n_tensor, many->n_tensor);
    for (size_t i = 0; i < one->n_tensor; i++) {
        assert_string_equal(one->tensors[i].name, many->tensors[i].name);
        assert_int_equal(one->tensors[i].bytes, many->tensors[i].bytes);
        assert_memory_equal(one->tensors[i].data, many->tensors[i].data, one->tensors[i].bytes);
    }
    model_file_free(one);
    model_file_free(many);
}

/* String arrays are walked in place: what is allocated does not grow with the vocabulary. */
static void does_not_copy_vocabularies(void **state) {
    (void)state;
    const char *path = shared_path("vocab/gguf/ggml-vocab-deepseek-llm.gguf");
    if (!path) skip();
    struct model_file *model;
    struct jl_error err;
    struct meta item;
    size_t bytes = 0;
    assert_int_equal(model_file_open(path, &model, &err), JL_OK);
    const struct meta *tokens = meta_find(model->meta, "tokenizer.ggml.tokens");
    assert_int_equal(tokens->kind, META_PACKED);
    assert_true(meta_count(tokens) > 100000);
    struct meta_iter iter = {.array = tokens};
    while (meta_iter_next(&iter, &item))
        bytes += 8 + item.as.s.len;
    assert_int_equal(bytes, tokens->as.packed.bytes);
    assert_true(model->arena.bytes < 64 * 1024);
    model_file_free(model);
}

int main(void) {
    if (!shared_path(".")) return 77; // Meson's "skipped"
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_golden_folders),       cmocka_unit_test(opens_golden_gguf),
        cmocka_unit_test(opens_vocabularies),         cmocka_unit_test(sharded_equals_single),
        cmocka_unit_test(does_not_copy_vocabularies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
