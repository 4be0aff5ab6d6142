/* JSON files of a model folder: the same bytes as a configuration and as an index of shards. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "format/config.h"
#include "format/st.h"

static void ask_for(void *ctx, const char *path) {
    struct meta *root = ctx;
    if (!meta_find_path(root, path)) abort(); // a path that is listed can be looked up
}

static void try_config(const uint8_t *data, size_t size) {
    struct arena arena = {.block_size = 1024};
    struct meta *root;
    struct jl_error err;
    if (config_parse((const char *)data, size, "config.json", &arena, &root, &err) == JL_OK) {
        if (meta_unread(root, ask_for, root) != JL_OK) abort();
    }
    arena_free(&arena);
}

static void try_index(const uint8_t *data, size_t size) {
    struct arena arena = {.block_size = 1024};
    struct st_index index;
    struct jl_error err;
    if (st_index_parse((const char *)data, size, "index.json", &arena, &index, &err) == JL_OK) {
        for (size_t i = 0; i < index.n_entry; i++) {
            if (index.entries[i].shard >= index.n_shard) abort();
        }
        for (size_t i = 0; i < index.n_shard; i++) {
            if (strchr(index.shards[i], '/') || strstr(index.shards[i], "..")) abort();
        }
    }
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    try_config(data, size);
    try_index(data, size);
    return 0;
}
