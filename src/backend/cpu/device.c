/* The CPU as a backend: kernels, threads and memory. */
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "base/arena.h"
#include "kernel/fpenv.h"

static void enter_region(void *saved) { fpenv_enter(saved); }

static void leave_region(const void *saved) { fpenv_leave(saved); }

enum jl_status backend_cpu_create(const struct backend_options *options, struct backend **out,
                                  struct jl_error *err) {
    struct backend *backend = calloc(1, sizeof *backend);
    *out = NULL;
    if (!backend) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the CPU backend");
    enum jl_status status = kernel_table_init(&backend->kernels, options->level, err);
    struct pool_options pool = {
        .n_threads = options->n_threads ? options->n_threads : pool_default_threads(),
        .enter = enter_region,
        .leave = leave_region,
    };
    _Static_assert(sizeof(struct fpenv) <= POOL_SAVED_BYTES, "the pool saves one fpenv a thread");
    if (status == JL_OK) status = pool_create(&pool, &backend->pool, err);
    if (status != JL_OK) {
        backend_free(backend);
        return status;
    }
    *out = backend;
    return JL_OK;
}

void backend_free(struct backend *backend) {
    if (!backend) return;
    pool_free(backend->pool);
    free(backend);
}

int backend_threads(const struct backend *backend) { return pool_threads(backend->pool); }

const char *backend_level(const struct backend *backend) {
    return kernel_level_name(backend->kernels.level);
}

uint8_t *cpu_alloc_zeroed(size_t bytes) {
    size_t rounded;
    if (!size_add(bytes, 63, &rounded)) return NULL;
    rounded &= ~(size_t)63;
    uint8_t *data = aligned_alloc(64, rounded ? rounded : 64);
    if (data) memset(data, 0, rounded);
    return data;
}

enum jl_status backend_alloc(struct backend *backend, size_t bytes, struct backend_buffer **out,
                             struct jl_error *err) {
    (void)backend;
    struct backend_buffer *buffer = calloc(1, sizeof *buffer);
    uint8_t *data = cpu_alloc_zeroed(bytes);
    *out = NULL;
    if (!buffer || !data) {
        free(buffer);
        free(data);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a buffer of %zu bytes", bytes);
    }
    *buffer = (struct backend_buffer){data, bytes};
    *out = buffer;
    return JL_OK;
}

void backend_release(struct backend_buffer *buffer) {
    if (!buffer) return;
    free(buffer->data);
    free(buffer);
}

void backend_copy(struct backend_buffer *to, const struct backend_buffer *from) {
    memcpy(to->data, from->data, to->bytes);
}

void backend_clear(struct backend_buffer *buffer) { memset(buffer->data, 0, buffer->bytes); }
