/* A source as tokens, in a file: written whole or not at all, checked before it is used.
 *
 *     struct data_cache_head
 *     u32 words[n_word]                    the documents, one after another (data_doc.h)
 *     u32 0                                if n_word is odd
 *     struct data_cache_entry[n_document]
 *
 * Little-endian, no padding. Nothing of it is believed: the sums, the fingerprints, every length
 * and every id are looked at when it is opened. */
#ifndef JL_TRAIN_DATA_CACHE_H
#define JL_TRAIN_DATA_CACHE_H

#include "base/file.h"
#include "train/data/doc.h"
#include "train/data/reader.h"

#define DATA_CACHE_MAGIC "JLDATA\r\n"
#define DATA_CACHE_VERSION 1 // to be raised when the same line gives other tokens
#define DATA_CACHE_SUM_BYTES 16

struct data_cache_head {
    char magic[8];
    uint32_t version, head_bytes;
    uint8_t key[DATA_SHA256_BYTES];    // what makes tokens of text: see data_cache_key
    uint8_t source[DATA_SHA256_BYTES]; // of the source's bytes
    uint64_t n_line, n_document, n_example, n_token, n_loss, n_word;
    uint32_t n_vocab, zero;
    uint8_t body[DATA_CACHE_SUM_BYTES]; // XXH3 of all behind the head
    uint8_t sum[DATA_CACHE_SUM_BYTES];  // of the head before it
};

struct data_cache_entry {
    uint64_t at;   // first word
    uint64_t line; // of the source, from 1
    uint32_t n_example, zero;
};

struct data_cache {
    struct file_map map;
    const struct data_cache_head *head;
    const uint32_t *words;
    const struct data_cache_entry *entries; // (n_document)
};

/* JL_ERR_FORMAT: torn, of another key or version. What cannot be opened is another error. */
enum jl_status data_cache_open(const char *path, const uint8_t key[DATA_SHA256_BYTES],
                               struct data_cache *out, struct jl_error *err);
void data_cache_close(struct data_cache *cache); // zeroed is fine

/* Example `i` of a document; both are there. */
struct data_example data_cache_example(const struct data_cache *cache, uint64_t document,
                                       uint32_t i);

/* A cache in the making. */
struct data_cache_writer {
    struct file_writer file, entries; // the second is taken into the first at the end
    struct data_cache_head head;
    void *sum; // XXH3_state_t
};
/* `path` is replaced by data_cache_writer_commit. */
enum jl_status data_cache_writer_open(const char *path, const uint8_t key[DATA_SHA256_BYTES],
                                      uint32_t n_vocab, struct data_cache_writer *out,
                                      struct jl_error *err);
enum jl_status data_cache_writer_add(struct data_cache_writer *writer, const struct data_doc *doc,
                                     uint64_t line, struct jl_error *err);
/* On failure nothing is left. */
enum jl_status data_cache_writer_commit(struct data_cache_writer *writer, uint64_t n_line,
                                        const uint8_t source[DATA_SHA256_BYTES],
                                        struct jl_error *err);
void data_cache_writer_abort(struct data_cache_writer *writer); // after commit: no effect

#endif
