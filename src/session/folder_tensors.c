#include "session/folder_tensors.h"

#include <math.h>
#include <stdlib.h>

#define BYTES_AT_ONCE ((size_t)8 << 20)
#define ROWS_AT_ONCE 4096

struct call {
    const struct folder_tensor *t;
    int64_t n_in, row0;
    size_t row_bytes;
    uint8_t *out;
    float *scratch; // (threads, n_in)
    bool *bad;      // [rows at once]
};

static bool is_finite(const struct folder_tensor *t, const uint8_t *row, float *x, int64_t n) {
    dtype_dequantize(t->dtype, row, x, n);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

static void write_row(void *ctx, int item, int thread) {
    struct call *call = ctx;
    const struct folder_tensor *t = call->t;
    float *x = call->scratch + (size_t)thread * (size_t)call->n_in;
    uint8_t *out = call->out + (size_t)item * call->row_bytes;
    t->fill(t->ctx, call->row0 + item, out, x);
    call->bad[item] = t->check && !is_finite(t, out, x, call->n_in);
}

static enum jl_status check_rows(const struct call *call, int64_t n, const char *folder,
                                 struct jl_error *err) {
    for (int64_t i = 0; i < n; i++)
        if (call->bad[i])
            return jl_fail(err, JL_ERR_NONFINITE,
                           "cannot write %s: row %lld of tensor '%s' has values that are not "
                           "finite as %s",
                           folder, (long long)(call->row0 + i), call->t->name,
                           dtype_name(call->t->dtype));
    return JL_OK;
}

static enum jl_status write_tensor(const struct folder_tensor *t, const char *folder,
                                   struct st_writer *writer, struct pool *pool,
                                   struct jl_error *err) {
    struct call call = {.t = t, .n_in = t->dim[t->n_dim - 1]};
    int64_t rows = 1;
    for (int i = 0; i + 1 < t->n_dim; i++)
        rows *= t->dim[i];
    if (!dtype_row_bytes(t->dtype, call.n_in, &call.row_bytes))
        return jl_fail(err, JL_ERR_LIMIT, "a row of tensor '%s' overflows", t->name);
    size_t at_once = BYTES_AT_ONCE / call.row_bytes + 1;
    if (at_once > ROWS_AT_ONCE) at_once = ROWS_AT_ONCE;
    if (at_once > (size_t)rows) at_once = (size_t)rows;
    call.out = malloc(at_once * call.row_bytes);
    call.scratch = calloc((size_t)pool_threads(pool) * (size_t)call.n_in, sizeof *call.scratch);
    call.bad = calloc(at_once, sizeof *call.bad);
    enum jl_status status = JL_OK;
    if (!call.out || !call.scratch || !call.bad)
        status = jl_fail(err, JL_ERR_MEMORY, "out of memory for tensor '%s'", t->name);
    for (; status == JL_OK && call.row0 < rows; call.row0 += (int64_t)at_once) {
        int64_t n = rows - call.row0 < (int64_t)at_once ? rows - call.row0 : (int64_t)at_once;
        pool_run(pool, (int)n, write_row, &call);
        status = check_rows(&call, n, folder, err);
        if (status == JL_OK)
            status = st_write_data(writer, call.out, (size_t)n * call.row_bytes, err);
    }
    free(call.out);
    free(call.scratch);
    free(call.bad);
    return status;
}

enum jl_status folder_tensors_write(const struct folder_tensor *tensors, size_t n,
                                    const char *folder, size_t shard_bytes, struct pool *pool,
                                    const struct folder_progress *progress, struct jl_error *err) {
    struct st_writer *writer;
    JL_TRY(st_writer_create(folder, shard_bytes, &writer, err));
    for (size_t i = 0; i < n; i++)
        st_add_tensor(writer, tensors[i].name, tensors[i].dtype, tensors[i].n_dim, tensors[i].dim);
    enum jl_status status = JL_OK;
    for (size_t i = 0; i < n && status == JL_OK; i++) {
        status = write_tensor(&tensors[i], folder, writer, pool, err);
        if (status == JL_OK && progress->call)
            progress->call(progress->ctx, (int64_t)i + 1, (int64_t)n);
    }
    if (status == JL_OK) status = st_writer_commit(writer, err);
    st_writer_free(writer);
    return status;
}
