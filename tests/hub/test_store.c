/* Manifests, folders, and which of several models a name means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hub/store.h"
#include "support/scratch.h"

static struct arena arena = {.block_size = 4096};

static struct hub_name name_of(const char *text) {
    struct hub_name name;
    assert_int_equal(hub_name_parse(text, NULL, NULL, &arena, &name, NULL), JL_OK);
    return name;
}

static const char *folder_of(const char *text) {
    struct hub_name name = name_of(text);
    const char *folder;
    assert_int_equal(hub_store_folder("H", &name, &arena, &folder, NULL), JL_OK);
    return folder;
}

static void folders(void **state) {
    (void)state;
    assert_string_equal(folder_of("a/b"), "H/hf/a/b");
    assert_string_equal(folder_of("ms:a/b@v1"), "H/ms/a/b");
    assert_string_equal(folder_of("a/b:s/m-Q8_0-00001-of-00002.gguf"), "H/hf/a/b+s+m-Q8_0");
    assert_string_equal(folder_of("https://X.org/y/m.gguf?z"), "H/url/x.org_443/m");
    assert_string_equal(hub_store_home(NULL, NULL, "/h", &arena), "/h/.local/share/jinlin/models");
    assert_string_equal(hub_store_home(NULL, "/x", "/h", &arena), "/x/jinlin/models");
    assert_string_equal(hub_store_home(NULL, "relative", "/h", &arena),
                        "/h/.local/share/jinlin/models");
    assert_string_equal(hub_store_home("own", "/x", "/h", &arena), "own");
    assert_null(hub_store_home(NULL, NULL, NULL, &arena));
}

/* Writes a manifest of one file below the scratch folder's "models". */
static void pulled(const char *text, const char *commit) {
    struct hub_stored_file file = {.path = "m.gguf", .file = "m.gguf", .size = 3};
    struct hub_model model = {.name = name_of(text),
                              .commit = commit,
                              .type = "Q8_0",
                              .date = "now",
                              .complete = true,
                              .checked = true,
                              .files = &file,
                              .n = 1};
    struct jl_error err;
    const char *folder;
    int dir, lock;
    assert_true(
        hub_hash_read("0123456789abcdef0123456789abcdef01234567", HUB_HASH_GIT, &file.hash));
    model.name.revision = "main";
    assert_int_equal(hub_store_folder(scratch_path("models"), &model.name, &arena, &folder, &err),
                     JL_OK);
    assert_int_equal(hub_store_open(scratch_path("models"), folder, text, &dir, &lock, &err),
                     JL_OK);
    assert_int_equal(hub_manifest_write(&model, folder, &err), JL_OK);
    hub_store_close(scratch_path("models"), folder, dir, lock);
}

static const char *found(const struct hub_models *models, const char *text) {
    struct hub_name name = name_of(text);
    const struct hub_model *model;
    if (hub_store_find(models, &name, text, &model, NULL)) return "several";
    return model ? hub_model_label(model, &arena) : "none";
}

static void one_of_several(void **state) {
    struct hub_models models;
    struct jl_error err;
    (void)state;
    pulled("a/b", "1111111111111111111111111111111111111111");
    pulled("a/b:m-Q8_0.gguf", "2222222222222222222222222222222222222222");
    pulled("a/b:m-Q4_0.gguf", "");
    pulled("a/c:s/m-Q8_0.gguf", "");
    pulled("ms:a/d", "");
    pulled("hf:a/d", "");
    assert_int_equal(hub_store_list(scratch_path("models"), &arena, &models, NULL, &err), JL_OK);
    assert_int_equal(models.n, 6);
    assert_string_equal(models.items[0].files[0].file, "m.gguf");
    assert_int_equal(models.items[0].files[0].size, 3);
    assert_int_equal(models.items[0].files[0].hash.kind, HUB_HASH_GIT);
    assert_true(models.items[0].complete && models.items[0].checked);
    assert_string_equal(found(&models, "a/b"), "a/b");
    assert_string_equal(found(&models, "a/b:Q8_0"), "a/b:m-Q8_0.gguf");
    assert_string_equal(found(&models, "a/b:Q5_0"), "none");
    assert_string_equal(found(&models, "a/c"), "a/c:s/m-Q8_0.gguf");
    assert_string_equal(found(&models, "a/c:q8_0"), "a/c:s/m-Q8_0.gguf");
    assert_string_equal(found(&models, "a/d"), "several");
    assert_string_equal(found(&models, "ms:a/d"), "ms:a/d");
    assert_string_equal(found(&models, "a/b@main"), "a/b");
    assert_string_equal(found(&models, "a/b@1111111"), "a/b");
    assert_string_equal(found(&models, "a/b@2222222"), "a/b:m-Q8_0.gguf");
    assert_string_equal(found(&models, "a/b@111111"), "none"); // too short for a commit
    assert_string_equal(found(&models, "a/b@dev"), "none");
    bool left;
    for (size_t i = 0; i < models.n; i++)
        assert_int_equal(hub_store_remove(scratch_path("models"), &models.items[i], &left, &err),
                         JL_OK);
    assert_int_equal(rmdir(scratch_path("models")), 0); // nothing was left in it
}

static void manifests_that_are_none(void **state) {
#define HEAD "{\"version\":1,\"source\":\"hf\",\"repo\":\"a/b\",\"files\":"
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"version\":2}",
        HEAD "[]}",
        HEAD "[1]}",
        HEAD "[{\"path\":\"a\"}]}",
        HEAD "[{\"path\":\"a\",\"file\":\"../a\",\"size\":1}]}",
        HEAD "[{\"path\":\"a\",\"file\":\"b/a\",\"size\":1}]}",
        HEAD "[{\"path\":\"a\",\"file\":\"a\",\"size\":-1}]}",
        HEAD "[{\"path\":\"a\",\"file\":\"a\",\"size\":1,\"sha256\":\"12\"}]}",
        "{\"version\":1,\"source\":\"hf\",\"repo\":\"a/"
        "\\u001bb\",\"files\":[{\"path\":\"a\",\"file\":"
        "\"a\",\"size\":1}]}",
        "{\"version\":1,\"source\":\"xx\",\"repo\":\"a/"
        "b\",\"files\":[{\"path\":\"a\",\"file\":\"a\",\"size\":1}]}",
        "{\"version\":1,\"source\":\"url\",\"repo\":\"a/"
        "b\",\"files\":[{\"path\":\"a\",\"file\":\"a\",\"size\":1}]}",
    };
    struct hub_model model;
    struct jl_error err;
    (void)state;
    const char *good = HEAD "[{\"path\":\"a\",\"file\":\"a\",\"size\":1}]}";
    assert_int_equal(hub_manifest_parse(good, strlen(good), "x", &arena, &model, &err), JL_OK);
    assert_false(model.complete);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (hub_manifest_parse(bad[i], strlen(bad[i]), "x", &arena, &model, &err) != JL_ERR_FORMAT)
            fail_msg("accepted: %s", bad[i]);
}

static int release(void **state) {
    (void)state;
    arena_free(&arena);
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders),
        cmocka_unit_test(one_of_several),
        cmocka_unit_test(manifests_that_are_none),
    };
    return cmocka_run_group_tests_name("hub/store", tests, NULL, release);
}
