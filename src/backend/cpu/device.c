/* The CPU as a backend: kernels, threads and memory. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

void backend_run(struct backend *backend, int n, void (*fn)(void *ctx, int item, int thread),
                 void *ctx) {
    pool_run(backend->pool, n, fn, ctx);
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

void backend_read(const struct backend_buffer *from, void *to) {
    memcpy(to, from->data, from->bytes);
}

void backend_write(struct backend_buffer *to, const void *from) {
    memcpy(to->data, from, to->bytes);
}

/* ---- arrays ---- */

struct backend_array {
    uint8_t *memory;
    size_t bytes; // of the whole range
    struct backend_buffer buffers[];
};

enum jl_status backend_array_create(struct backend *backend, size_t bytes, int n,
                                    struct backend_array **out, struct jl_error *err) {
    size_t stride, range, handles;
    (void)backend;
    *out = NULL;
    if (n < 1 || !size_add(bytes, 63, &stride) ||
        !size_mul(stride & ~(size_t)63, (size_t)n, &range) ||
        !size_mul((size_t)n, sizeof(struct backend_buffer), &handles) ||
        !size_add(handles, sizeof(struct backend_array), &handles))
        return jl_fail(err, JL_ERR_LIMIT, "%d buffers of %zu bytes overflow", n, bytes);
    struct backend_array *array = calloc(1, handles);
    if (!array) return jl_fail(err, JL_ERR_MEMORY, "out of memory for %d buffers", n);
    array->bytes = range ? range : 64;
    void *memory = mmap(NULL, array->bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        free(array);
        return jl_fail(err, JL_ERR_MEMORY, "no addresses for %d buffers of %zu bytes", n, bytes);
    }
    array->memory = memory;
    madvise(memory, array->bytes, MADV_HUGEPAGE); // fewer faults where the system has them
    for (int i = 0; i < n; i++)
        array->buffers[i] =
            (struct backend_buffer){array->memory + (stride & ~(size_t)63) * (size_t)i, bytes};
    *out = array;
    return JL_OK;
}

void backend_array_free(struct backend_array *array) {
    if (!array) return;
    munmap(array->memory, array->bytes);
    free(array);
}

struct backend_buffer *backend_array_at(struct backend_array *array, int i) {
    return &array->buffers[i];
}
