/* Adapters of a tiny base. Byte 0, bit 0: a GGUF file follows; else a folder's two files: the
 * length of the configuration in two bytes, low one first, the configuration, the weights. What is
 * taken fits the base and is finite, and can be bound. */
#include "fuzz.h"

#include <math.h>
#include <stdlib.h>

#include "model/adapter_self.h"

#define MODEL JL_SOURCE_ROOT "/tests/golden/llama"

static const struct model *base_of(void) {
    static struct model *base;
    struct jl_error err;
    if (!base && model_load(MODEL, NULL, &base, &err) != JL_OK) abort();
    return base;
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
        int n_in, n_out;
        if (!adapter_shape(base, pair->role, pair->layer, &n_in, &n_out)) abort();
        if (n_in != pair->n_in || n_out != pair->n_out || pair->rank < 1) abort();
        if (!isfinite(adapter_factor(pair))) abort();
        check_finite(pair->a, (size_t)pair->rank * (size_t)pair->n_in);
        check_finite(pair->b, (size_t)pair->rank * (size_t)pair->n_out);
    }
    const struct adapter_use use = {adapter, 1};
    if (adapter_model(base, &use, 1, &model, &err) != JL_OK) abort();
    model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct model *base = base_of();
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
