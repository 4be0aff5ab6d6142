/* Decoding a token asks nothing of the heap, nor of the system's memory: counted by taking the
 * place of both, over page ends, checkpoints, forks, cached prefixes, and sessions side by side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "session/session.h"
#include "support/golden.h"

static atomic_bool counting; // the pool's threads count, too
static atomic_int n_call;

static void count(void) {
    if (atomic_load(&counting)) atomic_fetch_add(&n_call, 1);
}

/* The linker sends every call of the program and its libraries here (--wrap). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void __real_free(void *old);
void *__real_mmap64(void *at, size_t size, int access, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void __wrap_free(void *old);
void *__wrap_mmap64(void *at, size_t size, int access, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t size) {
    count();
    return __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size) {
    count();
    return __real_calloc(n, size);
}
void *__wrap_realloc(void *old, size_t size) {
    count();
    return __real_realloc(old, size);
}
void *__wrap_aligned_alloc(size_t align, size_t size) {
    count();
    return __real_aligned_alloc(align, size);
}
void __wrap_free(void *old) {
    if (old) count();
    __real_free(old);
}
void *__wrap_mmap64(void *at, size_t size, int access, int flags, int fd, off_t offset) {
    count();
    return __real_mmap64(at, size, access, flags, fd, offset);
}

static void must(enum jl_status status, const struct jl_error *err) {
    if (status != JL_OK) {
        atomic_store(&counting, false);
        fail_msg("%s", err->message);
    }
}

#define SESSIONS 3
#define TOKENS 300

static int calls_while_decoding(const char *path, int threads, size_t prefix_bytes) {
    struct jl_error err = {0};
    struct backend_options cpu = {NULL, threads};
    struct backend *backend;
    struct model *model;
    struct exec *exec;
    struct session_set *set;
    struct session *list[SESSIONS];
    int32_t ids[100], draft[4];
    int reused, n_draft;
    must(backend_cpu_create(&cpu, &backend, &err), &err);
    must(model_load(path, NULL, &model, &err), &err);
    must(exec_create(model, backend, 64, &exec, &err), &err);
    const struct session_options options = {
        .n_seq = SESSIONS, .prefix_bytes = prefix_bytes, .n_draft = 4};
    must(session_set_create(exec, &options, &set, &err), &err);
    for (int i = 0; i < 100; i++)
        ids[i] = (i * 37 + 11) % model->hp.n_vocab;
    must(session_create(set, &list[0], &err), &err);
    must(session_sync(list[0], ids, 100, NULL, &reused, &err), &err);
    must(session_fork(list[0], &list[1], &err), &err);
    must(session_create(set, &list[2], &err), &err);
    atomic_store(&n_call, 0);
    atomic_store(&counting, true);
    must(session_sync(list[2], ids + 1, 99, NULL, &reused, &err), &err); // a prompt is no other
    for (int t = 0; t < TOKENS; t++) {
        for (int i = 0; i < SESSIONS; i++)
            must(session_add(list[i], &ids[(t * (i + 1)) % 100], 1, &err), &err);
        session_predict(list[1], draft, 4, &n_draft);
        for (int i = n_draft; i < 4; i++)
            draft[i] = ids[(t + i) % 100];
        if (session_draft_room(list[1]) == 4)
            must(session_draft(list[1], draft, t % 5, &err), &err);
        must(session_set_forward(set, list, SESSIONS, NULL, &err), &err);
        must(session_push(list[0], ids[t % 100], &err), &err);
        if (t % 50 == 49) {
            must(session_rewind(list[1], session_n_token(list[1]) - 20, &err), &err);
            must(session_set_forward(set, list, SESSIONS, NULL, &err), &err);
            must(session_sync(list[2], ids + t / 50, 50, NULL, &reused, &err), &err);
        }
    }
    atomic_store(&counting, false);
    for (int i = 0; i < SESSIONS; i++)
        session_free(list[i]);
    session_set_free(set);
    exec_free(exec);
    model_free(model);
    backend_free(backend);
    return atomic_load(&n_call);
}

static void test_decoding(void **state) {
    (void)state;
    static const char *const paths[] = {
        "tests/golden/llama",
        "tests/golden/deepseek-v3",
        "tests/golden/qwen3-moe",
        "tests/golden/qwen3-next",
        "tests/golden/glm4",
        "tests/golden/deepseek-v3-fp8",
        "tests/golden/gguf/small-llama.q4_k_m.gguf",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        for (int with_cache = 0; with_cache < 2; with_cache++) {
            int n = calls_while_decoding(paths[i], 1 + 2 * with_cache,
                                         with_cache ? (size_t)8 << 20 : 0);
            if (n) fail_msg("%s: %d calls of the heap in %d tokens", paths[i], n, TOKENS);
        }
}

/* That they are counted at all. */
static void test_the_count(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct backend *backend;
    struct backend_options cpu = {NULL, 1};
    atomic_store(&n_call, 0);
    atomic_store(&counting, true);
    enum jl_status status = backend_cpu_create(&cpu, &backend, &err);
    atomic_store(&counting, false);
    must(status, &err);
    assert_true(atomic_load(&n_call) >= 2);
    atomic_store(&n_call, 0);
    atomic_store(&counting, true);
    struct backend_array *array;
    status = backend_array_create(backend, 64, 3, &array, &err); // a handle and a map
    atomic_store(&counting, false);
    must(status, &err);
    assert_int_equal(atomic_load(&n_call), 2);
    backend_array_free(array);
    backend_free(backend);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_count),
        cmocka_unit_test(test_decoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
