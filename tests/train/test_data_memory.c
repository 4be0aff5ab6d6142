/* Memory that runs out anywhere while sources are opened: an error that says so, and nothing left
 * in the folder. A batch asks for none. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <cmocka.h>

#include "fixture.h"
#include "support/scratch.h"
#include "support/short_heap.h"

static int files_in(const char *folder, bool remove) {
    DIR *dir = opendir(folder);
    int n = 0;
    if (!dir) return 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.') continue;
        n++;
        if (remove) assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    }
    closedir(dir);
    return n;
}

static void short_anywhere(const char *name, const char *template_name, const char *lines) {
    struct data_fixture f;
    struct data *data = NULL;
    struct jl_error err;
    char folder[512], path[512];
    data_fixture_open(&f, DATA_FIXTURE_PLAIN, template_name);
    scratch_text(name, lines);
    snprintf(path, sizeof path, "%s", scratch_path(name));
    snprintf(folder, sizeof folder, "%s", scratch_path("cache"));
    const struct data_source_spec source = {path, 1, 0, 0};
    const struct data_spec spec = {.sources = &source,
                                   .n_source = 1,
                                   .seq_len = 1000,
                                   .rows = 1000,
                                   .mode = DATA_WHOLE,
                                   .cache_dir = folder};
    enum jl_status status;
    int n = 0;
    do {
        short_heap_left = n++;
        status = data_open(&spec, &f.model, NULL, &data, &err);
        short_heap_left = -1;
        if (status == JL_OK) break;
        if (status != JL_ERR_MEMORY) fail_msg("after %d: %s", n, err.message);
        assert_null(data);
        assert_int_equal(files_in(folder, false), 0);
    } while (n < 100000);
    assert_in_range(n, 20, 99999);

    struct data_batch batch;
    struct data_cursor cursor;
    assert_int_equal(data_batch_create(data, &batch, &err), JL_OK);
    data_cursor_start(data, &cursor);
    long before = short_heap_calls;
    for (int i = 0; i < 100; i++)
        assert_int_equal(data_next(data, &cursor, &batch, &err), JL_OK);
    assert_int_equal(short_heap_calls, before);
    data_batch_free(&batch);
    short_heap_left = 0;
    assert_int_equal(data_batch_create(data, &batch, &err), JL_ERR_MEMORY);
    short_heap_left = -1;
    data_free(data);
    files_in(folder, true);
    data_fixture_close(&f);
}

#define CHAT                                                                                       \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"1\"},{\"role\":\"assistant\",\"content\":"    \
    "\"2\",\"reasoning_content\":\"t\"},{\"role\":\"user\",\"content\":\"3\"},"                    \
    "{\"role\":\"assistant\",\"content\":\"4\",\"reasoning_content\":\"u\"}]}\n"

static void texts(void **state) {
    (void)state;
    short_anywhere("texts.jsonl", NULL, "{\"text\": \"the river\"}\n\n{\"text\": \"is\"}\n");
}

static void conversations(void **state) {
    (void)state;
    short_anywhere("chats.jsonl", "forgetful", CHAT);
}

static void spoken(void **state) {
    (void)state;
    short_anywhere("spoken.jsonl", "opened", CHAT);
}

static void ends(void **state) {
    (void)state;
    short_anywhere("ends.jsonl", "next",
                   "{\"messages\":[{\"role\":\"user\",\"content\":\"1\"},{\"role\":\"assistant\","
                   "\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}]}\n");
}

static int remove_all(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    json_set_alloc_funcs(malloc, free);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(conversations),
        cmocka_unit_test(spoken),
        cmocka_unit_test(ends),
    };
    return cmocka_run_group_tests(tests, NULL, remove_all);
}
