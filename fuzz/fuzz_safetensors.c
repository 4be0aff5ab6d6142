/* safetensors: whatever parses covers its buffer exactly. */
#include "fuzz.h"

#include <stdlib.h>

#include "format/st.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena = {.block_size = 1024};
    struct tensor_list list;
    struct jl_error err;
    volatile unsigned sum = 0;
    size_t bytes = 0;
    if (st_parse(data, size, "fuzz.safetensors", &arena, &list, &err) == JL_OK) {
        for (size_t i = 0; i < list.count; i++) {
            const struct tensor_info *info = &list.items[i];
            if (info->data + info->bytes > data + size) abort();
            for (size_t k = 0; k < info->bytes; k++)
                sum += info->data[k];
            bytes += info->bytes;
        }
        if (bytes > size) abort();
    }
    (void)sum;
    arena_free(&arena);
    return 0;
}
