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

static void attn_values_q8(const struct attn_values_args *args) {
    size_t d_k = kv_q8_width(args->d_k), d_v = kv_q8_width(args->d_v);
    for (int j = 0; j < (args->n_key + 15) / 16 * 16; j++) {
        const uint8_t *group =
            (const uint8_t *)args->k + (size_t)(j / 16) * 16 * kv_q8_bytes(args->d_k);
        const uint8_t *from = group + 4 * (size_t)(j % 16);
        uint8_t *to = (uint8_t *)args->v + (size_t)j * kv_q8_bytes(args->d_v);
        for (size_t i = 0; i < d_v; i += 4)
            memcpy(to + i, from + 16 * i, 4);
        for (size_t b = 0; b < kv_q8_blocks(args->d_v); b++)
            memcpy(to + d_v + 4 * b, from + 16 * d_k + 64 * b, sizeof(float));
    }
}

static void attn_values(const struct attn_values_args *args) {
    if (args->kv == KV_Q8) {
        attn_values_q8(args);
        return;
    }
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
