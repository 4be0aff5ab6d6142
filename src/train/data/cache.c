#include "train/data/cache.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/arena.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "caches are little-endian and written as they stand in memory"
#endif

_Static_assert(sizeof(struct data_cache_head) == 168, "no padding");
_Static_assert(sizeof(struct data_cache_entry) == 24, "no padding");
_Static_assert(DATA_CACHE_SUM_BYTES == sizeof(XXH128_canonical_t), "one sum");

static void sum_of(const void *data, size_t bytes, uint8_t out[DATA_CACHE_SUM_BYTES]) {
    XXH128_canonical_t sum;
    XXH128_canonicalFromHash(&sum, XXH3_128bits(data, bytes));
    memcpy(out, &sum, sizeof sum);
}

static void sum_head(const struct data_cache_head *head, uint8_t out[DATA_CACHE_SUM_BYTES]) {
    sum_of(head, offsetof(struct data_cache_head, sum), out);
}

/* ---- reading ---- */

static enum jl_status torn(const char *path, const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT, "%s is no cache of this source: %s", path, what);
}

/* Bytes that the head says the file has; false: they overflow. */
static bool file_bytes(const struct data_cache_head *head, size_t *out) {
    size_t words, entries;
    return head->n_word < SIZE_MAX &&
           size_mul((size_t)(head->n_word + head->n_word % 2), 4, &words) &&
           size_mul((size_t)head->n_document, sizeof(struct data_cache_entry), &entries) &&
           size_add(words, sizeof *head, &words) && size_add(words, entries, out);
}

static bool check_documents(const struct data_cache *cache) {
    const struct data_cache_head *head = cache->head;
    uint64_t n_example = 0, n_token = 0, n_loss = 0, line = 0;
    for (uint64_t i = 0; i < head->n_document; i++) {
        const struct data_cache_entry *entry = &cache->entries[i];
        uint64_t end = i + 1 < head->n_document ? entry[1].at : head->n_word;
        if ((i == 0 && entry->at != 0) || entry->at > end || end > head->n_word) return false;
        if (entry->line <= line || entry->line > head->n_line || entry->zero) return false;
        if (!data_doc_check(cache->words + entry->at, (size_t)(end - entry->at), entry->n_example,
                            head->n_vocab, &n_token, &n_loss))
            return false;
        n_example += entry->n_example;
        line = entry->line;
    }
    return n_example == head->n_example && n_token == head->n_token && n_loss == head->n_loss &&
           (head->n_document > 0 || head->n_word == 0);
}

static enum jl_status check(struct data_cache *cache, const char *path,
                            const uint8_t key[DATA_SHA256_BYTES], struct jl_error *err) {
    uint8_t sum[DATA_CACHE_SUM_BYTES];
    size_t bytes;
    const struct data_cache_head *head = (const void *)cache->map.data;
    if (cache->map.size < sizeof *head || memcmp(head->magic, DATA_CACHE_MAGIC, 8) != 0)
        return torn(path, "it is none at all", err);
    if (head->version != DATA_CACHE_VERSION || head->head_bytes != sizeof *head)
        return torn(path, "it is of another version", err);
    sum_head(head, sum);
    if (memcmp(sum, head->sum, sizeof sum) != 0) return torn(path, "its head is damaged", err);
    if (memcmp(key, head->key, sizeof head->key) != 0)
        return torn(path, "it is of another tokenizer or template", err);
    if (!file_bytes(head, &bytes) || bytes != cache->map.size)
        return torn(path, "it was cut off", err);
    sum_of(cache->map.data + sizeof *head, bytes - sizeof *head, sum);
    if (memcmp(sum, head->body, sizeof sum) != 0) return torn(path, "it is damaged", err);
    cache->head = head;
    cache->words = (const void *)(cache->map.data + sizeof *head);
    cache->entries = (const void *)(cache->words + head->n_word + head->n_word % 2);
    return check_documents(cache) ? JL_OK : torn(path, "its documents are damaged", err);
}

enum jl_status data_cache_open(const char *path, const uint8_t key[DATA_SHA256_BYTES],
                               struct data_cache *out, struct jl_error *err) {
    *out = (struct data_cache){0};
    JL_TRY(file_map_open(path, &out->map, err));
    enum jl_status status = check(out, path, key, err);
    if (status != JL_OK) data_cache_close(out);
    return status;
}

void data_cache_close(struct data_cache *cache) {
    file_map_close(&cache->map);
    *cache = (struct data_cache){0};
}

struct data_example data_cache_example(const struct data_cache *cache, uint64_t document,
                                       uint32_t i) {
    const uint32_t *at = cache->words + cache->entries[document].at;
    while (i--)
        at += data_example_words(at[0]);
    return data_example_at(at);
}

/* ---- writing ---- */

static enum jl_status put(struct data_cache_writer *w, const void *data, size_t bytes,
                          struct jl_error *err) {
    if (bytes && fwrite(data, 1, bytes, w->file.stream) != bytes)
        return jl_fail(err, JL_ERR_IO, "cannot write %s: %m", w->file.path);
    XXH3_128bits_update(w->sum, data, bytes);
    return JL_OK;
}

static enum jl_status open_entries(const char *path, struct data_cache_writer *w,
                                   struct jl_error *err) {
    char *name;
    if (asprintf(&name, "%s.entries", path) < 0)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a path");
    enum jl_status status = file_writer_open(name, &w->entries, err);
    free(name);
    return status;
}

enum jl_status data_cache_writer_open(const char *path, const uint8_t key[DATA_SHA256_BYTES],
                                      uint32_t n_vocab, struct data_cache_writer *out,
                                      struct jl_error *err) {
    *out = (struct data_cache_writer){.head = {.version = DATA_CACHE_VERSION,
                                               .head_bytes = sizeof out->head,
                                               .n_vocab = n_vocab}};
    memcpy(out->head.magic, DATA_CACHE_MAGIC, sizeof out->head.magic);
    memcpy(out->head.key, key, sizeof out->head.key);
    out->sum = XXH3_createState();
    if (!out->sum) return jl_fail(err, JL_ERR_MEMORY, "out of memory writing %s", path);
    XXH3_128bits_reset(out->sum);
    enum jl_status status = file_writer_open(path, &out->file, err);
    if (status == JL_OK) status = open_entries(path, out, err);
    if (status == JL_OK && fwrite(&out->head, sizeof out->head, 1, out->file.stream) != 1)
        status = jl_fail(err, JL_ERR_IO, "cannot write %s: %m", path);
    if (status != JL_OK) data_cache_writer_abort(out);
    return status;
}

enum jl_status data_cache_writer_add(struct data_cache_writer *w, const struct data_doc *doc,
                                     uint64_t line, struct jl_error *err) {
    struct data_cache_head *head = &w->head;
    const struct data_cache_entry entry = {head->n_word, line, doc->n_example, 0};
    JL_TRY(put(w, doc->words, doc->n_word * sizeof *doc->words, err));
    if (fwrite(&entry, sizeof entry, 1, w->entries.stream) != 1)
        return jl_fail(err, JL_ERR_IO, "cannot write %s: %m", w->entries.path);
    const uint32_t *at = doc->words;
    for (uint32_t i = 0; i < doc->n_example; i++) {
        head->n_token += at[0];
        head->n_loss += at[1];
        at += data_example_words(at[0]);
    }
    head->n_word += doc->n_word;
    head->n_example += doc->n_example;
    head->n_document++;
    return JL_OK;
}

/* The entries were kept in a file of their own: there may be as many as lines. */
static enum jl_status take_entries(struct data_cache_writer *w, struct jl_error *err) {
    static const uint32_t zero;
    struct file_map map;
    if (w->head.n_word % 2) JL_TRY(put(w, &zero, sizeof zero, err));
    if (fflush(w->entries.stream) != 0)
        return jl_fail(err, JL_ERR_IO, "cannot write %s: %m", w->entries.path);
    JL_TRY(file_map_open(w->entries.tmp_path, &map, err));
    enum jl_status status = put(w, map.data, map.size, err);
    file_map_close(&map);
    return status;
}

enum jl_status data_cache_writer_commit(struct data_cache_writer *w, uint64_t n_line,
                                        const uint8_t source[DATA_SHA256_BYTES],
                                        struct jl_error *err) {
    XXH128_canonical_t sum;
    enum jl_status status = take_entries(w, err);
    if (status == JL_OK) {
        XXH128_canonicalFromHash(&sum, XXH3_128bits_digest(w->sum));
        w->head.n_line = n_line;
        memcpy(w->head.source, source, sizeof w->head.source);
        memcpy(w->head.body, &sum, sizeof w->head.body);
        sum_head(&w->head, w->head.sum);
        if (fseeko(w->file.stream, 0, SEEK_SET) != 0 ||
            fwrite(&w->head, sizeof w->head, 1, w->file.stream) != 1)
            status = jl_fail(err, JL_ERR_IO, "cannot write %s: %m", w->file.path);
    }
    if (status == JL_OK) status = file_writer_commit(&w->file, err);
    data_cache_writer_abort(w);
    return status;
}

void data_cache_writer_abort(struct data_cache_writer *w) {
    file_writer_abort(&w->file);
    file_writer_abort(&w->entries);
    XXH3_freeState(w->sum);
    w->sum = NULL;
}
