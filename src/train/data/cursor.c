/* Where a run stands, as a value and as bytes:
 *
 *     head | source[n_source] | XXH3-128 of all before it */
#include <string.h>

#include <xxhash.h>

#include "train/data/self.h"

#define MAGIC "JLCURS\r\n"
#define VERSION 1

struct cursor_head {
    char magic[8];
    uint32_t version, n_source;
    uint8_t data[DATA_FINGERPRINT_BYTES];
    int32_t open;
    uint32_t example;
    uint64_t offset;
};

struct cursor_source {
    uint64_t next, rows;
    uint32_t epoch, zero;
};

_Static_assert(sizeof(struct cursor_head) == 64, "no padding");
_Static_assert(sizeof(struct cursor_source) == 24, "no padding");

void data_cursor_start(const struct data *data, struct data_cursor *out) {
    *out = (struct data_cursor){.n_source = data->n_source, .open = -1};
}

/* The document that is open has what the cursor says. */
static bool open_fits(const struct data *data, const struct data_cursor *cursor) {
    const struct data_cursor_source *s = &cursor->sources[cursor->open];
    const struct data_cache *cache = &data->sources[cursor->open].cache;
    uint64_t document = data_train_document(data, cursor->open, s->epoch, s->next);
    if (cursor->example >= cache->entries[document].n_example) return false;
    struct data_example example = data_cache_example(cache, document, cursor->example);
    if (data->mode == DATA_WHOLE) return cursor->offset == 0;
    return cursor->offset < example.n - 1;
}

bool data_cursor_fits(const struct data *data, const struct data_cursor *cursor) {
    if (cursor->n_source != data->n_source) return false;
    for (int i = 0; i < data->n_source; i++)
        if (cursor->sources[i].next >= data->sources[i].n_train) return false;
    if (cursor->open < 0) return cursor->open == -1 && !cursor->example && !cursor->offset;
    return cursor->open < data->n_source && open_fits(data, cursor);
}

static size_t bytes_before_sum(const struct data *data) {
    return sizeof(struct cursor_head) + (size_t)data->n_source * sizeof(struct cursor_source);
}

size_t data_cursor_bytes(const struct data *data) {
    return bytes_before_sum(data) + sizeof(XXH128_canonical_t);
}

static XXH128_canonical_t sum_of(const void *bytes, size_t n) {
    XXH128_canonical_t sum;
    XXH128_canonicalFromHash(&sum, XXH3_128bits(bytes, n));
    return sum;
}

void data_cursor_write(const struct data *data, const struct data_cursor *cursor, uint8_t *out) {
    struct cursor_head head = {.version = VERSION,
                               .n_source = (uint32_t)data->n_source,
                               .open = cursor->open,
                               .example = cursor->example,
                               .offset = cursor->offset};
    size_t n = bytes_before_sum(data);
    memcpy(head.magic, MAGIC, sizeof head.magic);
    memcpy(head.data, data->fingerprint, sizeof head.data);
    memcpy(out, &head, sizeof head);
    for (int i = 0; i < data->n_source; i++) {
        const struct data_cursor_source *s = &cursor->sources[i];
        struct cursor_source source = {s->next, s->rows, s->epoch, 0};
        memcpy(out + sizeof head + (size_t)i * sizeof source, &source, sizeof source);
    }
    XXH128_canonical_t sum = sum_of(out, n);
    memcpy(out + n, &sum, sizeof sum);
}

static enum jl_status damaged(const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT, "the place in the data is damaged: %s", what);
}

enum jl_status data_cursor_read(const struct data *data, const void *bytes, size_t n,
                                struct data_cursor *out, struct jl_error *err) {
    struct cursor_head head;
    const uint8_t *from = bytes;
    size_t want = bytes_before_sum(data);
    if (n < sizeof head) return damaged("it was cut off", err);
    memcpy(&head, from, sizeof head);
    if (memcmp(head.magic, MAGIC, sizeof head.magic) != 0) return damaged("it is none", err);
    if (head.version != VERSION)
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "the place in the data is of version %u, this program knows %d",
                       head.version, VERSION);
    if (memcmp(head.data, data->fingerprint, sizeof head.data) != 0)
        return jl_fail(err, JL_ERR_USAGE,
                       "the place in the data is of other data: a source, its weight, the "
                       "tokenizer, the template, the seed or the batch's form has changed");
    if (n != want + sizeof(XXH128_canonical_t)) return damaged("its size is wrong", err);
    XXH128_canonical_t sum = sum_of(from, want);
    if (memcmp(&sum, from + want, sizeof sum) != 0) return damaged("its checksum is wrong", err);
    *out = (struct data_cursor){.n_source = (int)head.n_source,
                                .open = head.open,
                                .example = head.example,
                                .offset = head.offset};
    for (int i = 0; i < data->n_source; i++) {
        struct cursor_source source;
        memcpy(&source, from + sizeof head + (size_t)i * sizeof source, sizeof source);
        out->sources[i] = (struct data_cursor_source){source.epoch, source.next, source.rows};
    }
    return data_cursor_fits(data, out) ? JL_OK : damaged("it points to nothing", err);
}
