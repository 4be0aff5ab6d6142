#include "support/make_adapter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

struct adapter *make_adapter(const struct model *base, const char *role, int rank, double alpha,
                             uint64_t seed) {
    struct jl_error err = {0};
    struct adapter *adapter;
    const struct adapter_request request = {"made", &role, 1, rank, alpha, seed};
    if (adapter_fresh(base, &request, &adapter, &err) != JL_OK) fail_msg("%s", err.message);
    for (int i = 0; i < adapter->n; i++) {
        struct adapter_pair *pair = &adapter->pairs[i];
        const struct rng_key key = {.seed = seed, .sequence = (uint32_t)i, .purpose = RNG_TEST};
        float size = 0.5f / __builtin_sqrtf((float)rank);
        for (size_t k = 0; k < adapter_n_b(pair); k++)
            pair->b[k] = size * (2 * rng_uniform(&key, k) - 1);
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
