/* Keys and values into a chunk of the cache, one number after another: tensor/kvchunk.h. */
#include "kernel/fill.h"
#include "tensor/kvchunk.h"

static void put_keys(const struct kv_put_args *args) {
    for (int i = 0; i < args->n; i++)
        kvchunk_put_key(args->kv, args->chunk, args->d, args->slot + i,
                        args->x + (size_t)i * args->x_stride);
}

static void put_values(const struct kv_put_args *args) {
    for (int i = 0; i < args->n; i++)
        kvchunk_put_value(args->kv, args->chunk, args->d, args->slot + i,
                          args->x + (size_t)i * args->x_stride);
}

void ref_fill_kv_put(struct kernel_table *table) {
    table->put_keys = put_keys;
    table->put_values = put_values;
    table->row_name[KSLOT_put_keys] = "put_keys.ref";
    table->row_name[KSLOT_put_values] = "put_values.ref";
}
