/* attn_values: values made of a chunk of keys are what storing the keys' first elements as values
 * would have given (of q8: where they end with a block), at every level, and no other byte is read
 * or written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data.h"
#include "tensor/kvchunk.h"

static const uint64_t seed = 20261202;

struct chunks {
    struct guarded k, v;
    uint8_t *want; // as much of a chunk of values as is written
    size_t v_bytes;
};

/* A value of q8 is what its key has stored, the scale of its last block too. */
static void q8_wanted(const struct attn_values_args *args, const uint8_t *k, uint8_t *v) {
    int d_v = (int)kv_q8_width(args->d_v);
    for (int j = 0; j < KV_CHUNK; j++) {
        const uint8_t *group = k + (size_t)(j / 16) * 16 * kv_q8_bytes(args->d_k);
        uint8_t *row = v + (size_t)j * kv_q8_bytes(args->d_v);
        for (int i = 0; i < d_v; i++)
            row[i] = group[i / 4 * 64 + j % 16 * 4 + i % 4];
        for (int i = 0; i < 4 * (int)kv_q8_blocks(args->d_v); i++)
            row[d_v + i] = group[16 * kv_q8_width(args->d_k) + (size_t)(i / 4 * 64 + j % 16 * 4) +
                                 (size_t)(i % 4)];
    }
}

static struct chunks chunks_make(const struct attn_values_args *args, struct rnd *rnd) {
    struct chunks c;
    size_t k_bytes = kvchunk_bytes(args->kv, args->d_k), n = (size_t)(args->n_key + 15) / 16;
    uint8_t *k = calloc(1, k_bytes), *v = calloc(1, kvchunk_bytes(args->kv, args->d_v));
    float *x = malloc((size_t)args->d_k * sizeof *x);
    assert_true(k && v && x);
    for (int j = 0; j < KV_CHUNK; j++) {
        data_fill(rnd, (enum flavour)(j % (FLAVOUR_CORNER + 1)), x, (size_t)args->d_k);
        kvchunk_put_key(args->kv, k, args->d_k, j, x);
        kvchunk_put_value(args->kv, v, args->d_v, j, x);
    }
    if (args->kv == KV_Q8 && args->d_v % KV_Q8_BLOCK) // the key's block goes on: another scale
        q8_wanted(args, k, v);
    c.v_bytes = kvchunk_bytes(args->kv, args->d_v) / 8 * n;
    c.k = guarded_alloc(k_bytes / 8 * n);
    c.v = guarded_alloc(c.v_bytes);
    memcpy(c.k.data, k, k_bytes / 8 * n);
    memset(c.v.data, 0xa5, c.v_bytes);
    c.want = v;
    free(k);
    free(x);
    return c;
}

static void check(const struct kernel_table *table, struct attn_values_args args, struct rnd *rnd) {
    struct chunks c = chunks_make(&args, rnd);
    args.k = c.k.data;
    args.v = c.v.data;
    table->attn_values(&args);
    if (memcmp(c.want, c.v.data, c.v_bytes) != 0)
        fail_msg("%s: seed %llu, %s, d_k %d, d_v %d, %d positions",
                 table->row_name[KSLOT_attn_values], (unsigned long long)seed, dtype_name(args.kv),
                 args.d_k, args.d_v, args.n_key);
    free(c.want);
    guarded_free(&c.k);
    guarded_free(&c.v);
}

static void test_levels(void **state) {
    (void)state;
    static const enum dtype kv[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16, KV_Q8};
    struct kernel_table ref;
    assert_true(data_table("ref", &ref));
    for (enum kernel_level level = LEVEL_REF; level < LEVEL_COUNT; level++) {
        struct kernel_table table;
        if (!data_table(kernel_level_name(level), &table)) continue;
        if (level > LEVEL_REF) assert_ptr_not_equal(table.attn_values, ref.attn_values);
        data_assert_level(table.row_name[KSLOT_attn_values], kernel_level_name(level));
        struct rnd rnd = {seed};
        for (int t = 0; t < 4; t++) {
            for (int d_v = 2; d_v <= 100; d_v += 2) {
                int d_k = d_v + 2 * rnd_int(&rnd, 0, 9), n = rnd_int(&rnd, 0, KV_CHUNK);
                check(&table, (struct attn_values_args){kv[t], d_k, d_v, n, NULL, NULL}, &rnd);
            }
            for (int n = 0; n <= KV_CHUNK; n += n < 34 ? 1 : 31)
                check(&table, (struct attn_values_args){kv[t], 48, 32, n, NULL, NULL}, &rnd);
            check(&table, (struct attn_values_args){kv[t], 576, 512, KV_CHUNK, NULL, NULL}, &rnd);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_levels, data_enter, data_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
