/* A model as `serve` opens it. */
#ifndef JL_CLI_SERVE_MODEL_H
#define JL_CLI_SERVE_MODEL_H

#include "cli/engine.h"
#include "cli/sampling.h"
#include "serve/served.h"

struct serve_model_options {
    struct engine_options engine;
    struct sampling_options sampling; // before what the model itself asks for
    int n_parallel;                   // answers in one pass; 0: 8
    int n_ctx;                        // 0: the model's, or what fits
    int cache_mb;                     // of keys and values; 0: half of what is free
    int n_waiting;                    // requests that wait; 0: 256
    const char *keep;                 // a folder for conversations between runs; NULL: none
    int keep_mb;                      // 0: 1024
};

/* Opens the model at `path` to be asked for as `id`. */
enum jl_status serve_model_open(const char *path, const char *id,
                                const struct serve_model_options *options, struct served **out,
                                struct jl_error *err);

/* The last part of a path without .gguf, as an id; into `out`, cut where it ends. */
void serve_model_id(const char *path, char *out, size_t size);

#endif
