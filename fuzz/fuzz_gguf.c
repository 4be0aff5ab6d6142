/* GGUF: whatever parses must keep its promises: every array element and tensor byte is readable. */
#include "fuzz.h"

#include <stdlib.h>

#include "format/gguf.h"

static void ignore(void *ctx, const char *path) {
    (void)ctx;
    (void)path;
}

static unsigned read_array(const struct meta *array) {
    struct meta_iter iter = {.array = array};
    struct meta item;
    unsigned sum = 0;
    size_t n = 0;
    while (meta_iter_next(&iter, &item)) {
        n++;
        if (item.kind != META_STRING) continue;
        for (size_t i = 0; i < item.as.s.len; i++)
            sum += (unsigned char)item.as.s.text[i];
    }
    if (n != meta_count(array)) abort();
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena = {.block_size = 1024};
    struct gguf gguf;
    struct jl_error err;
    volatile unsigned sum = 0;
    if (gguf_parse(data, size, "fuzz.gguf", &arena, &gguf, &err) == JL_OK) {
        struct meta *meta = gguf.meta;
        for (size_t i = 0; i < meta->as.list.count; i++) {
            struct meta *item = &meta->as.list.items[i];
            sum += read_array(item);
            if (meta_find(meta, item->key) != item) abort();
        }
        if (meta_unread(meta, ignore, NULL) != JL_OK) abort();
        for (size_t i = 0; i < gguf.tensors.count; i++) {
            const struct tensor_info *info = &gguf.tensors.items[i];
            for (size_t k = 0; k < info->bytes; k++)
                sum += info->data[k];
        }
    }
    (void)sum;
    arena_free(&arena);
    return 0;
}
