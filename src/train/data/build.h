/* From a source's lines to its cache. */
#ifndef JL_TRAIN_DATA_BUILD_H
#define JL_TRAIN_DATA_BUILD_H

#include "train/data/cache.h"
#include "train/data/chat.h"

struct data_build {
    const struct data_spec *spec;
    const struct data_chat *chat;
    struct pool *pool; // NULL: none
    const char *path;  // of the source
};

/* What turns a text into tokens and loss: tokenizer, template, clock, ends, the program's version.
 * Two caches of the same key and source have the same bytes. */
enum jl_status data_build_key(const struct data_chat *chat, uint8_t out[DATA_SHA256_BYTES],
                              struct jl_error *err);

/* The cache of a source, the one that is there if it fits. *had: it did. */
enum jl_status data_build_cache(const struct data_build *build,
                                const uint8_t key[DATA_SHA256_BYTES], struct data_cache *out,
                                bool *had, struct jl_error *err);

#endif
