/* Caches: the same bytes for any number of threads, made anew when anything has changed, whole or
 * absent. */
#include <dirent.h>
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
#include "fixture.h"
#include "support/scratch.h"
#include "train/data/cache.h"

static struct data_fixture fixture;

/* The one file of a folder, NULL when it is empty; heap. */
static char *only_file(const char *folder, int *n) {
    DIR *dir = opendir(folder);
    char *path = NULL;
    *n = 0;
    if (!dir) return NULL;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.') continue;
        ++*n;
        free(path);
        path = file_path_in(folder, entry->d_name);
    }
    closedir(dir);
    return path;
}

static struct data_spec spec_of(struct data_source_spec *source, const char *folder) {
    static char kept[512];
    snprintf(kept, sizeof kept, "%s", scratch_path(folder));
    return (struct data_spec){
        .sources = source, .n_source = 1, .seed = 1, .seq_len = 64, .rows = 100, .cache_dir = kept};
}

static const char *write_texts(const char *name, int n) {
    static char path[512];
    char *text = data_fixture_texts(n, "n");
    scratch_text(name, text);
    free(text);
    snprintf(path, sizeof path, "%s", scratch_path(name));
    return path;
}

static void threads_do_not_matter(void **state) {
    (void)state;
    struct data_source_spec source = {write_texts("many.jsonl", 3000), 1, 0, 0};
    char *bytes[3], *path;
    size_t size[3];
    static const int threads[] = {1, 2, 5};
    for (int i = 0; i < 3; i++) {
        char folder[16];
        int n;
        snprintf(folder, sizeof folder, "threads%d", i);
        struct data_spec spec = spec_of(&source, folder);
        struct data *data = data_fixture_data(&fixture, &spec, threads[i]);
        struct data_source_summary summary = data_summary(data, 0);
        assert_int_equal(summary.n_document, 3000);
        assert_int_equal(summary.n_example, 3000);
        assert_int_equal(summary.n_line, 3000);
        assert_int_equal(summary.n_loss, summary.n_token - 3000);
        assert_false(summary.from_cache);
        data_free(data);
        path = only_file(spec.cache_dir, &n);
        assert_int_equal(n, 1);
        assert_int_equal(file_read(path, 1 << 28, &bytes[i], &size[i], NULL), JL_OK);
        free(path);
        assert_int_equal(size[i], size[0]);
        assert_memory_equal(bytes[i], bytes[0], size[0]);
    }
    for (int i = 0; i < 3; i++)
        free(bytes[i]);
}

/* Whether opening found a cache that fits. */
static bool reused(const struct data_fixture *f, const struct data_spec *spec) {
    struct data *data = data_fixture_data(f, spec, 1);
    bool from_cache = data_summary(data, 0).from_cache;
    data_free(data);
    return from_cache;
}

static void a_change_is_noticed(void **state) {
    (void)state;
    struct data_source_spec source = {write_texts("change.jsonl", 20), 1, 0, 0};
    struct data_spec spec = spec_of(&source, "change");
    struct data_fixture other;
    int n;
    assert_false(reused(&fixture, &spec));
    assert_true(reused(&fixture, &spec));
    spec.seed = 2; // no matter of the tokens
    spec.rows = 10;
    assert_true(reused(&fixture, &spec));

    write_texts("change.jsonl", 21);
    assert_false(reused(&fixture, &spec));
    assert_true(reused(&fixture, &spec));
    free(only_file(spec.cache_dir, &n));
    assert_int_equal(n, 1); // it has replaced the old one

    data_fixture_open(&other, DATA_FIXTURE_OTHER, "turns");
    assert_false(reused(&other, &spec)); // the same vocabulary, another merge first
    assert_true(reused(&other, &spec));
    data_fixture_close(&other);
    data_fixture_open(&other, DATA_FIXTURE_PLAIN, "bare");
    assert_false(reused(&other, &spec));
    data_fixture_close(&other);
    data_fixture_open(&other, DATA_FIXTURE_PLAIN, NULL);
    assert_false(reused(&other, &spec));
    data_fixture_close(&other);
    spec.now = 86400;
    assert_false(reused(&fixture, &spec));
    spec.now = 0;
    assert_true(reused(&fixture, &spec));
    free(only_file(spec.cache_dir, &n));
    assert_int_equal(n, 5);
}

static void torn_ones_are_made_anew(void **state) {
    (void)state;
    struct data_source_spec source = {write_texts("torn.jsonl", 5), 1, 0, 0};
    struct data_spec spec = spec_of(&source, "torn");
    struct data_cache cache;
    char *whole, *path, *again;
    size_t size, size_again;
    int n;
    assert_false(reused(&fixture, &spec));
    path = only_file(spec.cache_dir, &n);
    assert_int_equal(file_read(path, 1 << 20, &whole, &size, NULL), JL_OK);
    uint8_t key[DATA_SHA256_BYTES];
    memcpy(key, ((const struct data_cache_head *)(void *)whole)->key, sizeof key);
    for (size_t at = 0; at < size; at++) { // one bit
        struct jl_error err;
        whole[at] ^= 16;
        FILE *file = fopen(path, "wb");
        assert_int_equal(fwrite(whole, 1, size, file), size);
        fclose(file);
        whole[at] ^= 16;
        assert_int_equal(data_cache_open(path, key, &cache, &err), JL_ERR_FORMAT);
        assert_non_null(strstr(err.message, path));
    }
    for (size_t cut = 0; cut < size; cut += cut < 200 ? 1 : 7) {
        FILE *file = fopen(path, "wb");
        assert_int_equal(fwrite(whole, 1, cut, file), cut);
        fclose(file);
        assert_int_equal(data_cache_open(path, key, &cache, NULL), JL_ERR_FORMAT);
    }
    assert_false(reused(&fixture, &spec));
    assert_true(reused(&fixture, &spec));
    assert_int_equal(file_read(path, 1 << 20, &again, &size_again, NULL), JL_OK);
    assert_int_equal(size_again, size);
    assert_memory_equal(again, whole, size);
    free(again);
    free(whole);
    free(path);
}

/* Sums that are right do not make the rest right: each field is looked at. */
static void lies_are_found(void **state) {
    (void)state;
    static const uint32_t good[] = {3, 2, 5, 6, 7, 6};
    uint64_t n_token, n_loss;
    assert_true(data_doc_check(good, 6, 1, 8, &n_token, &n_loss));
    assert_false(data_doc_check(good, 6, 1, 7, &n_token, &n_loss)); // an id
    assert_false(data_doc_check(good, 5, 1, 8, &n_token, &n_loss));
    assert_false(data_doc_check(good, 6, 0, 8, &n_token, &n_loss));
    assert_false(data_doc_check(good, 6, 2, 8, &n_token, &n_loss));
    static const struct {
        int at;
        uint32_t value;
    } lies[] = {{0, 1}, {0, 2}, {0, 4}, {0, UINT32_MAX}, {1, 1}, {1, 3}, {5, 7}, {5, 14}, {5, 0}};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        uint32_t words[6];
        memcpy(words, good, sizeof words);
        words[lies[i].at] = lies[i].value;
        assert_false(data_doc_check(words, 6, 1, 8, &n_token, &n_loss));
    }
}

static void a_bad_line_leaves_nothing(void **state) {
    (void)state;
    struct data_source_spec source = {write_texts("bad.jsonl", 1500), 1, 0, 0};
    struct data_spec spec = spec_of(&source, "bad");
    struct data *data;
    struct jl_error err;
    int n;
    FILE *file = fopen(source.path, "ab");
    fputs("\n  \n{\"text\": \"last\"}\n{\"txt\": 1}\n{\"text\": 3}", file);
    fclose(file);
    for (int threads = 1; threads < 4; threads++) {
        struct pool *pool;
        const struct pool_options options = {.n_threads = threads};
        assert_int_equal(pool_create(&options, &pool, &err), JL_OK);
        assert_int_equal(data_open(&spec, &fixture.model, pool, &data, &err), JL_ERR_FORMAT);
        pool_free(pool);
        assert_null(data);
        assert_non_null(strstr(err.message, "bad.jsonl, line 1504: it has neither"));
        assert_null(only_file(spec.cache_dir, &n));
        assert_int_equal(n, 0);
    }
}

static void a_full_disk_leaves_nothing(void **state) {
    (void)state;
    struct data_source_spec source = {write_texts("full.jsonl", 500), 1, 0, 0};
    struct data_spec spec = spec_of(&source, "full");
    static const rlim_t limits[] = {0, 100, 5000, 150000};
    struct rlimit old, small;
    struct data *data;
    struct jl_error err;
    int n;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        small = old;
        small.rlim_cur = limits[i];
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        enum jl_status status = data_open(&spec, &fixture.model, NULL, &data, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(status, JL_ERR_IO);
        assert_non_null(strstr(err.message, "File too large"));
        assert_null(only_file(spec.cache_dir, &n));
        assert_int_equal(n, 0);
    }
    signal(SIGXFSZ, before);
    assert_false(reused(&fixture, &spec));
}

struct watch {
    int calls, stop_at;
    uint64_t last;
    bool tokenizing;
};

static bool watch(void *ctx, const struct data_progress *progress) {
    struct watch *w = ctx;
    assert_true(progress->done >= w->last && progress->done <= progress->total);
    w->last = progress->done;
    w->tokenizing = progress->tokenizing;
    return ++w->calls != w->stop_at;
}

static void progress_is_told_and_may_stop(void **state) {
    (void)state;
    struct data_source_spec source = {write_texts("slow.jsonl", 5000), 1, 0, 0};
    struct data_spec spec = spec_of(&source, "slow");
    struct watch w = {.stop_at = 2};
    struct data *data;
    struct jl_error err;
    int n;
    spec.progress = watch;
    spec.progress_ctx = &w;
    assert_int_equal(data_open(&spec, &fixture.model, NULL, &data, &err), JL_ERR_CANCELLED);
    assert_null(only_file(spec.cache_dir, &n));
    w = (struct watch){0};
    assert_false(reused(&fixture, &spec));
    assert_true(w.tokenizing && w.calls > 4);
    w = (struct watch){0};
    assert_true(reused(&fixture, &spec));
    assert_false(w.tokenizing);
}

/* A line longer than a block, an empty file, no newline at the end. */
static void lines_of_all_lengths(void **state) {
    (void)state;
    size_t len = DATA_READER_BLOCK + 12345;
    char *text = malloc(len + 100);
    assert_non_null(text);
    strcpy(text, "{\"text\": \"");
    memset(text + 10, 'a', len);
    strcpy(text + 10 + len, "\"}\n{\"text\": \"b\"}");
    scratch_text("long.jsonl", text);
    free(text);
    struct data_source_spec source = {strdup(scratch_path("long.jsonl")), 1, 0, 0};
    struct data_spec spec = spec_of(&source, "long");
    struct data *data = data_fixture_data(&fixture, &spec, 1);
    assert_int_equal(data_summary(data, 0).n_document, 2);
    assert_int_equal(data_summary(data, 0).n_line, 2);
    assert_int_equal(data_summary(data, 0).n_token, len + 2 + 3);
    data_free(data);
    free((char *)source.path);

    struct jl_error err;
    scratch_text("empty.jsonl", "");
    source.path = strdup(scratch_path("empty.jsonl"));
    assert_int_equal(data_open(&spec, &fixture.model, NULL, &data, &err), JL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "no documents"));
    free((char *)source.path);
    source.path = "no/such/file.jsonl";
    assert_int_equal(data_open(&spec, &fixture.model, NULL, &data, &err), JL_ERR_IO);
    assert_non_null(strstr(err.message, source.path));
}

static int open_all(void **state) {
    (void)state;
    data_fixture_open(&fixture, DATA_FIXTURE_PLAIN, "turns");
    return 0;
}

static int close_all(void **state) {
    (void)state;
    data_fixture_close(&fixture);
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(a_change_is_noticed),
        cmocka_unit_test(torn_ones_are_made_anew),
        cmocka_unit_test(lies_are_found),
        cmocka_unit_test(a_bad_line_leaves_nothing),
        cmocka_unit_test(a_full_disk_leaves_nothing),
        cmocka_unit_test(progress_is_told_and_may_stop),
        cmocka_unit_test(lines_of_all_lengths),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
