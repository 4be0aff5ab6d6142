/* safetensors: a length, a JSON header, and a buffer. Source: the format text in the README of
 * huggingface/safetensors.
 *
 * st_parse reads one file's bytes. Shards are put together by st_index (which tensor lies in which
 * file) and hf_load. */
#ifndef JL_FORMAT_ST_H
#define JL_FORMAT_ST_H

#include "format/tensor_list.h"

#define ST_MAX_HEADER ((uint64_t)100000000) // bytes, by the format text

/* Tensors sorted by name, data into `bytes`, which must outlive them; `file` names the bytes in
 * messages and in tensor_info.file. */
enum jl_status st_parse(const uint8_t *bytes, size_t size, const char *file, struct arena *arena,
                        struct tensor_list *out, struct jl_error *err);

/* model.safetensors.index.json: which shard holds each tensor. */
struct st_index_entry {
    const char *tensor;
    size_t shard; // into shards
};
struct st_index {
    struct st_index_entry *entries; // sorted by tensor
    size_t n_entry;
    const char **shards; // plain file names, sorted, each once
    size_t n_shard;
};
#define ST_INDEX_MAX_BYTES ((size_t)64 << 20)
enum jl_status st_index_parse(const char *text, size_t size, const char *file, struct arena *arena,
                              struct st_index *out, struct jl_error *err);

#endif
