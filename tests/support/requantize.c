#include "support/requantize.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "session/quantize.h"

void requantize(const struct model *model, const char *preset, const char *path) {
    struct jl_error err = {0};
    const struct quantize_options options = {.preset = quant_preset_find(preset),
                                             .allow_requantize = true};
    struct quantize_plan plan;
    struct quantize_error error;
    struct pool *pool;
    if (pool_create(&(struct pool_options){.n_threads = 2}, &pool, &err) != JL_OK ||
        quantize_plan(model, &options, &plan, &err) != JL_OK ||
        quantize_write(&plan, path, pool, NULL, NULL, &error, &err) != JL_OK)
        fail_msg("%s", err.message);
    quantize_plan_free(&plan);
    pool_free(pool);
}
