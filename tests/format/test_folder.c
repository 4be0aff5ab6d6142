/* model_file_open: Hugging Face folders, shards, and what it says when given the wrong thing. */
#include "fixture.h"

#include <sys/stat.h>

#include "format/model_file.h"

#define CONFIG "{\"model_type\":\"tiny\",\"text_config\":{\"hidden_size\":8}}"
#define INDEX "model.safetensors.index.json"
#define SHARD_1 "model-00001-of-00002.safetensors"
#define SHARD_2 "model-00002-of-00002.safetensors"

/* A file with one U8 tensor of 4 bytes for each name; `fill` is the value of its bytes. */
static void write_tensors(const struct folder *folder, const char *file, const char *const *names,
                          int fill) {
    struct bytes header = {0};
    char text[256];
    int n = 0;
    add_text(&header, "{");
    for (; names[n]; n++) {
        snprintf(text, sizeof text,
                 "%s\"%s\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[%d,%d]}", n ? "," : "",
                 names[n], n * 4, n * 4 + 4);
        add_text(&header, text);
    }
    add_text(&header, "}");
    add_u8(&header, 0);
    struct bytes bytes = st_bytes((const char *)header.data, 0);
    for (int i = 0; i < n * 4; i++)
        add_u8(&bytes, (unsigned)fill);
    write_bytes(folder_file(folder, file), bytes.data, bytes.len);
    bytes_free(&bytes);
    bytes_free(&header);
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Writes a good sharded model: a, c in the first shard, b in the second. */
static void write_sharded(struct folder *folder) {
    folder_make(folder);
    write_text(folder_file(folder, "config.json"), CONFIG);
    write_tensors(folder, SHARD_1, NAMES("c", "a"), 1);
    write_tensors(folder, SHARD_2, NAMES("b"), 2);
    write_text(folder_file(folder, INDEX),
               "{\"metadata\":{\"total_size\":12},\"weight_map\":{"
               "\"a\":\"" SHARD_1 "\",\"b\":\"" SHARD_2 "\",\"c\":\"" SHARD_1 "\"}}");
}

static struct model_file *open_ok(const char *path) {
    struct model_file *model;
    struct jl_error err;
    if (model_file_open(path, &model, &err) != JL_OK) fail_msg("%s", err.message);
    return model;
}

static void expect_refusal(const char *name, const char *path, enum jl_status want,
                           const char *const *needles) {
    struct model_file *model;
    struct jl_error err = {0};
    enum jl_status status = model_file_open(path, &model, &err);
    assert_null(model);
    expect_error(name, status, &err, want, needles);
}

#define SAYS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void opens_a_single_file(void **state) {
    (void)state;
    struct folder folder;
    folder_make(&folder);
    write_text(folder_file(&folder, "config.json"), CONFIG);
    write_tensors(&folder, "model.safetensors", NAMES("b", "a"), 7);
    struct model_file *model = open_ok(folder.path);
    assert_int_equal(model->kind, MODEL_FILE_HF);
    assert_string_equal(model->path, folder.path);
    assert_int_equal(model->n_tensor, 2);
    assert_string_equal(model->tensors[0].name, "a");
    assert_int_equal(model_file_find(model, "b")->data[3], 7);
    assert_int_equal(meta_find_path(model->meta, "text_config.hidden_size")->as.i, 8);
    assert_null(model->generation);
    assert_int_equal(model_file_bytes(model), model->maps[0].size);
    model_file_free(model);

    char with_slash[600];
    snprintf(with_slash, sizeof with_slash, "%s/", folder.path);
    write_text(folder_file(&folder, "generation_config.json"), "{\"eos_token_id\":[1,2]}");
    model = open_ok(with_slash);
    assert_int_equal(meta_count(meta_find(model->generation, "eos_token_id")), 2);
    model_file_free(model);

    write_text(folder_file(&folder, "generation_config.json"), "{\"eos_token_id\":");
    expect_refusal("generation", folder.path, JL_ERR_FORMAT,
                   SAYS("generation_config.json: ", "JSON error"));
    model_file_free(NULL);
    folder_remove(&folder);
}

static void opens_shards(void **state) {
    (void)state;
    struct folder folder;
    write_sharded(&folder);
    struct model_file *model = open_ok(folder.path);
    assert_int_equal(model->n_map, 2);
    assert_int_equal(model->n_tensor, 3);
    assert_int_equal(model_file_find(model, "a")->data[0], 1);
    assert_int_equal(model_file_find(model, "b")->data[0], 2);
    assert_int_equal(model_file_find(model, "c")->data[0], 1);
    assert_non_null(strstr(model_file_find(model, "b")->file, SHARD_2));
    assert_int_equal(model_file_bytes(model), model->maps[0].size + model->maps[1].size);
    model_file_free(model);
    folder_remove(&folder);
}

static void checks_shards_against_the_index(void **state) {
    (void)state;
    struct folder folder;
    write_sharded(&folder);
    write_tensors(&folder, SHARD_2, NAMES("b", "extra"), 2);
    expect_refusal("unlisted", folder.path, JL_ERR_FORMAT,
                   SAYS(INDEX ": ", "does not list tensor 'extra'", SHARD_2));
    write_tensors(&folder, SHARD_2, NAMES("aa"), 2);
    expect_refusal("unlisted between", folder.path, JL_ERR_FORMAT,
                   SAYS(INDEX ": ", "does not list tensor 'aa'", SHARD_2));
    write_tensors(&folder, SHARD_2, NAMES("b", "c"), 2);
    expect_refusal("twice", folder.path, JL_ERR_FORMAT,
                   SAYS("tensor 'c'", "occurs also in", "-of-00002.safetensors'"));
    write_tensors(&folder, SHARD_1, NAMES("a"), 1);
    expect_refusal("moved", folder.path, JL_ERR_FORMAT,
                   SAYS(INDEX ": ", SHARD_1, "tensor 'c'", "it lies in '" SHARD_2));
    write_tensors(&folder, SHARD_2, NAMES("b"), 2);
    expect_refusal("lost", folder.path, JL_ERR_FORMAT,
                   SAYS(INDEX ": ", "'" SHARD_1 "' holds tensor 'c'", "no shard does"));
    assert_int_equal(remove(folder_file(&folder, SHARD_2)), 0);
    expect_refusal("missing", folder.path, JL_ERR_IO,
                   SAYS(SHARD_2 ": ", "shard 2 of 2 is missing"));
    write_text(folder_file(&folder, SHARD_2), "");
    expect_refusal("empty", folder.path, JL_ERR_FORMAT, SAYS(SHARD_2 ": ", "cut short"));
    folder_remove(&folder);
}

static void settles_single_file_and_index(void **state) {
    (void)state;
    struct folder folder;
    write_sharded(&folder);
    write_tensors(&folder, "model.safetensors", NAMES("a", "b"), 9);
    expect_refusal("both", folder.path, JL_ERR_FORMAT,
                   SAYS("both model.safetensors and an index", "remove one"));
    /* An index that lists the single file is no contradiction. */
    write_text(folder_file(&folder, INDEX),
               "{\"weight_map\":{\"a\":\"model.safetensors\",\"b\":\"model.safetensors\"}}");
    struct model_file *model = open_ok(folder.path);
    assert_int_equal(model->n_map, 1);
    assert_int_equal(model->n_tensor, 2);
    model_file_free(model);
    folder_remove(&folder);
}

static void says_what_to_pass(void **state) {
    (void)state;
    struct folder folder;
    folder_make(&folder);
    expect_refusal("empty", folder.path, JL_ERR_IO, SAYS("no config.json", "GGUF file"));
    write_text(folder_file(&folder, "q8.gguf"), "GGUF");
    write_text(folder_file(&folder, "q4.gguf"), "GGUF");
    expect_refusal("gguf inside", folder.path, JL_ERR_USAGE,
                   SAYS("no config.json", "pass the file itself", "'q4.gguf'"));
    write_text(folder_file(&folder, "config.json"), CONFIG);
    expect_refusal("no weights", folder.path, JL_ERR_IO, SAYS("neither model.safetensors nor"));
    write_text(folder_file(&folder, "pytorch_model.bin"), "x");
    expect_refusal("torch", folder.path, JL_ERR_UNSUPPORTED, SAYS("PyTorch", "safetensors"));
    write_tensors(&folder, "model.safetensors", NAMES("a"), 1);
    expect_refusal("bare weights", folder_file(&folder, "model.safetensors"), JL_ERR_USAGE,
                   SAYS("model.safetensors: ", "pass the folder"));
    expect_refusal("bare config", folder_file(&folder, "config.json"), JL_ERR_USAGE,
                   SAYS("config.json: ", "pass the folder"));
    expect_refusal("absent", folder_file(&folder, "nothing.gguf"), JL_ERR_IO, SAYS("nothing.gguf"));
    expect_refusal("absent weights", folder_file(&folder, "x.safetensors"), JL_ERR_IO,
                   SAYS("x.safetensors"));
    expect_refusal("not gguf", folder_file(&folder, "pytorch_model.bin"), JL_ERR_FORMAT,
                   SAYS("pytorch_model.bin: ", "cut short"));
    write_text(folder_file(&folder, "zero"), "");
    expect_refusal("zero", folder_file(&folder, "zero"), JL_ERR_FORMAT, SAYS("zero: ", "byte 0"));
    folder_remove(&folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_a_single_file),
        cmocka_unit_test(opens_shards),
        cmocka_unit_test(checks_shards_against_the_index),
        cmocka_unit_test(settles_single_file_and_index),
        cmocka_unit_test(says_what_to_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
