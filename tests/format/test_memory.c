/* Every allocation fails once: each must end in an error, without a crash and without a leak.
 * The linker routes the code's malloc, calloc, realloc, strdup and aligned_alloc through the
 * counters below (-Wl,--wrap); jansson gets them by its own hook. */
#include "fixture.h"

#include <errno.h>
#include <jansson.h>

#include "format/gguf_write.h"
#include "format/model_file.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

static long countdown = -1; // the allocation that fails, counted from 0; negative: none
static long failures;

static bool fails(void) {
    if (countdown < 0 || countdown-- > 0) return false;
    failures++;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *old, size_t size) { return fails() ? NULL : __real_realloc(old, size); }
char *__wrap_strdup(const char *text) { return fails() ? NULL : __real_strdup(text); }
void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

static void *jansson_malloc(size_t size) { return __wrap_malloc(size); }

static void ignore(void *ctx, const char *path) {
    (void)ctx;
    (void)path;
}

static enum jl_status open_and_list(const char *path, struct jl_error *err) {
    struct model_file *model;
    enum jl_status status = model_file_open(path, &model, err);
    if (status != JL_OK) return status;
    status = meta_unread(model->meta, ignore, NULL);
    if (status != JL_OK) status = jl_fail(err, status, "out of memory for a list");
    model_file_free(model);
    return status;
}

static enum jl_status write_model(const char *path, struct jl_error *err) {
    struct gguf_writer *w;
    JL_TRY(gguf_writer_create(path, 64, &w, err));
    gguf_put_text(w, "general.architecture", "tiny");
    gguf_put_strings(w, "words", (struct gguf_string[]){{"one", 3}, {"two", 3}}, 2);
    gguf_add_tensor(w, "w", DTYPE_F32, 2, (int64_t[]){2, 2});
    gguf_add_tensor(w, "v", DTYPE_F32, 1, (int64_t[]){2});
    enum jl_status status = gguf_write_data(w, "0123456789abcdef", 16, err);
    if (status == JL_OK) status = gguf_write_data(w, "01234567", 8, err);
    if (status == JL_OK) status = gguf_writer_commit(w, err);
    gguf_writer_free(w);
    return status;
}

/* Runs `action` with its n-th allocation failing, for n = 0, 1, ... until it needs no more. */
static void fail_each(const char *name, enum jl_status (*action)(const char *, struct jl_error *),
                      const char *path) {
    long n = 0;
    for (;; n++) {
        struct jl_error err = {0};
        failures = 0;
        countdown = n;
        enum jl_status status = action(path, &err);
        countdown = -1;
        if (failures == 0) {
            if (status != JL_OK) fail_msg("%s: %s", name, err.message);
            break;
        }
        /* jansson's lexer takes a failed allocation for bad text. Where a call reports through
         * errno alone, the status may be that of its caller. */
        if (status == JL_OK || (!strstr(err.message, "memory") && !strstr(err.message, "JSON"))) {
            fail_msg("%s, allocation %ld: %s: %s", name, n, jl_status_name(status), err.message);
        }
    }
    print_message("%s: %ld allocations\n", name, n);
    assert_true(n > 1);
}

#define ST(name, from, to)                                                                         \
    "\"" name "\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[" #from "," #to "]}"

static void each_allocation_may_fail(void **state) {
    (void)state;
    struct folder folder;
    json_set_alloc_funcs(jansson_malloc, free);
    folder_make(&folder);
    char gguf[600], path[600];
    snprintf(gguf, sizeof gguf, "%s/m.gguf", folder.path);
    snprintf(path, sizeof path, "%s/w.gguf", folder.path);
    struct bytes file = sample_gguf(3);
    write_bytes(gguf, file.data, file.len);
    bytes_free(&file);
    fail_each("gguf", open_and_list, gguf);
    fail_each("write", write_model, path);
    fail_each("read back", open_and_list, path);

    write_text(folder_file(&folder, "config.json"), "{\"a\":{\"b\":[1,\"x\",null]},\"c\":1.5}");
    write_text(folder_file(&folder, "generation_config.json"), "{\"eos\":2}");
    file = st_bytes("{" ST("b", 0, 4) "," ST("a", 4, 8) "}", 8);
    write_bytes(folder_file(&folder, "model.safetensors"), file.data, file.len);
    fail_each("folder", open_and_list, folder.path);
    assert_int_equal(
        rename(folder_file(&folder, "model.safetensors"), folder_file(&folder, "1.safetensors")),
        0);
    bytes_free(&file);
    file = st_bytes("{" ST("c", 0, 4) "}", 4);
    write_bytes(folder_file(&folder, "2.safetensors"), file.data, file.len);
    bytes_free(&file);
    write_text(folder_file(&folder, "model.safetensors.index.json"),
               "{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"1.safetensors\","
               "\"c\":\"2.safetensors\"}}");
    fail_each("shards", open_and_list, folder.path);
    folder_remove(&folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
