/* Rows of tensors into the weights of a folder, some at a time, on all threads. */
#ifndef JL_SESSION_FOLDER_TENSORS_H
#define JL_SESSION_FOLDER_TENSORS_H

#include "base/pool.h"
#include "format/st_write.h"
#include "tensor/dtype.h"

/* A tensor to be written. fill makes row `row` of it, as it stands in the file; `scratch` has room
 * for a row of floats. It runs on any thread, in any order. */
struct folder_tensor {
    const char *name;
    enum dtype dtype;
    int n_dim;
    const int64_t *dim; // outermost first
    void (*fill)(void *ctx, int64_t row, uint8_t *out, float *scratch);
    void *ctx;
    bool check; // a value that is not finite is an error: of conversions, and of what is new
};

struct folder_progress {
    void (*call)(void *ctx, int64_t done, int64_t total); // NULL: nobody asks
    void *ctx;
};

/* The weights of `folder`, in this order. The bytes do not depend on the pool. */
enum jl_status folder_tensors_write(const struct folder_tensor *tensors, size_t n,
                                    const char *folder, size_t shard_bytes, struct pool *pool,
                                    const struct folder_progress *progress, struct jl_error *err);

#endif
