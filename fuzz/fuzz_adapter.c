/* Adapters of a tiny base. Byte 0, bit 0: a GGUF file follows; else a folder's two files: the
 * length of the configuration in two bytes, low one first, the configuration, the weights. Bit 1:
 * the base is a mixture of experts. What is taken fits the base and is finite, and can be bound. */
#include "fuzz.h"

#include <math.h>
#include <stdlib.h>

#include "model/adapter_self.h"

static const char *const models[] = {JL_SOURCE_ROOT "/tests/golden/llama",
                                     JL_SOURCE_ROOT "/tests/golden/qwen3-moe"};

static const struct model *base_of(int which) {
    static struct model *bases[2];
    struct jl_error err;
    if (!bases[which] && model_load(models[which], NULL, &bases[which], &err) != JL_OK) abort();
    return bases[which];
}

static void check_finite(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) abort();
}

static void check(const struct model *base, const struct adapter *adapter) {
    struct jl_error err;
    struct model *model;
    if (adapter->n < 1) abort();
    for (int i = 0; i < adapter->n; i++) {
        const struct adapter_pair *pair = &adapter->pairs[i];
        if (!adapter_fits(base, pair) || pair->rank < 1) abort();
        if (!isfinite(adapter_factor(pair))) abort();
        check_finite(pair->a, adapter_n_a(pair));
        check_finite(pair->b, adapter_n_b(pair));
    }
    const struct adapter_use use = {adapter, 1};
    if (adapter_model(base, &use, 1, &model, &err) != JL_OK) abort();
    model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct model *base = base_of(size > 0 && data[0] & 2);
    struct adapter *adapter = NULL;
    struct jl_error err;
    enum jl_status status = JL_ERR_FORMAT;
    if (size > 0 && data[0] & 1) {
        status = adapter_parse_gguf(base, "fuzz", data + 1, size - 1, &adapter, &err);
    } else if (size > 2) {
        size_t config = data[1] + (size_t)data[2] * 256, rest = size - 3;
        if (config > rest) config = rest;
        const struct adapter_bytes bytes = {(const char *)data + 3, config, data + 3 + config,
                                            rest - config};
        status = adapter_parse_folder(base, "fuzz", &bytes, &adapter, &err);
    }
    if (status == JL_OK)
        check(base, adapter);
    else if (adapter)
        abort();
    adapter_free(adapter);
    return 0;
}
