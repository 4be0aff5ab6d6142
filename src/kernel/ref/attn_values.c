/* The first elements of keys as values, one element after another. Layouts: tensor/kvchunk.h. */
#include <string.h>

#include "kernel/fill.h"
#include "tensor/kvchunk.h"

/* Places of element (position j, dim i) in elements of the chunk. */
static size_t key_place(enum dtype kv, int d, int j, int i) {
    size_t group = (size_t)(j / 16), lane = (size_t)(j % 16), width = (size_t)d, dim = (size_t)i;
    if (kv == DTYPE_BF16) return (group * (width / 2) + dim / 2) * 32 + lane * 2 + dim % 2;
    return (group * width + dim) * 16 + lane;
}

static size_t value_place(enum dtype kv, int d, int j, int i) {
    size_t position = (size_t)j, width = (size_t)d, dim = (size_t)i;
    if (kv == DTYPE_BF16) return position / 2 * 2 * width + 2 * dim + position % 2;
    return position * width + dim;
}

static void attn_values(const struct attn_values_args *args) {
    size_t bytes = args->kv == DTYPE_F32 ? 4 : 2;
    for (int j = 0; j < (args->n_key + 15) / 16 * 16; j++)
        for (int i = 0; i < args->d_v; i++)
            memcpy((uint8_t *)args->v + bytes * value_place(args->kv, args->d_v, j, i),
                   (const uint8_t *)args->k + bytes * key_place(args->kv, args->d_k, j, i), bytes);
}

void ref_fill_attn_values(struct kernel_table *table) {
    table->attn_values = attn_values;
    table->row_name[KSLOT_attn_values] = "attn_values.ref";
}
