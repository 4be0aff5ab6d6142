#include "support/make_adapter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

struct adapter *make_adapter(const struct model *base, const char *role, int rank, double alpha,
                             uint64_t seed) {
    return make_adapter_on(base, &role, 1, rank, alpha, seed);
}

const char *const make_adapter_every[] = {"all", "embed_tokens", "lm_head"};

struct adapter *make_adapter_on(const struct model *base, const char *const *roles, int n_role,
                                int rank, double alpha, uint64_t seed) {
    struct jl_error err = {0};
    struct adapter *adapter;
    const struct adapter_request request = {"made", roles, n_role, rank, alpha, seed};
    if (adapter_fresh(base, &request, &adapter, &err) != JL_OK) fail_msg("%s", err.message);
    for (int i = 0; i < adapter->n; i++) {
        struct adapter_pair *pair = &adapter->pairs[i];
        const struct rng_key key = {.seed = seed, .sequence = (uint32_t)i, .purpose = RNG_TEST};
        float size = 0.5f / __builtin_sqrtf((float)rank);
        for (size_t k = 0; k < adapter_n_b(pair); k++)
            pair->b[k] = size * (2 * rng_uniform(&key, k) - 1);
        // a new one on an embedding has zeros there, and the embedding's numbers are small
        for (size_t k = 0; adapter_is_lookup(pair->role) && k < (size_t)rank * (size_t)pair->n_in;
             k++)
            pair->a[k] = 0.1f * (2 * rng_uniform(&key, (1 << 24) + k) - 1);
    }
    return adapter;
}

void same_adapters(const struct adapter *a, const struct adapter *b) {
    assert_int_equal(a->n, b->n);
    for (int i = 0; i < a->n; i++) {
        const struct adapter_pair *x = &a->pairs[i], *y = &b->pairs[i];
        assert_int_equal(x->role, y->role);
        assert_int_equal(x->layer, y->layer);
        assert_int_equal(x->n_expert, y->n_expert);
        assert_int_equal(x->rank, y->rank);
        assert_true(adapter_factor(x) == adapter_factor(y));
        assert_memory_equal(x->a, y->a, adapter_n_a(x) * sizeof *x->a);
        assert_memory_equal(x->b, y->b, adapter_n_b(x) * sizeof *x->b);
    }
}
