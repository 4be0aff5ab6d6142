/* Random weights at a real model's public shape: benches and tests without downloads. */
#ifndef JL_MODEL_SYNTH_H
#define JL_MODEL_SYNTH_H

#include <stdint.h>

#include "base/pool.h"
#include "base/status.h"

struct synth_options {
    const char *shape; // "qwen2-1.5b"; synth_shape_name() lists them
    const char *type;  // a preset (quant_preset.h), or one type for all matrices
    int n_layer;       // 0: as many as the shape has
    uint64_t seed;
    const char *path;
};

/* Writes a GGUF whose bits depend on the options only. `progress` may be NULL. */
enum jl_status synth_write(const struct synth_options *options, struct pool *pool,
                           void (*progress)(void *ctx, int64_t done, int64_t total), void *ctx,
                           struct jl_error *err);
const char *synth_shape_name(int i); // NULL past the last

#endif
