/* Every allocation may fail: opening a model, one whole request, saving and loading, with the n-th
 * allocation refused, for every n. Each time an error comes back or, where it could be done
 * without, the same answer; nothing is left allocated, and the next try is none the worse.
 *
 *     memory MODEL SESSION-FILE */
#include <errno.h>
#include <jinlin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the heap, of this program and, being visible, of all its libraries ---- */

#pragma GCC visibility push(default)

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *old);

static long until_failure = -1; // allocations that succeed before one fails; -1: all do
static long n_live;
static bool failed;

static bool refused(void) {
    if (until_failure < 0 || failed) return false;
    failed = until_failure-- == 0;
    if (failed) errno = ENOMEM;
    return failed;
}

static void *counted(void *memory) {
    n_live += memory != NULL;
    return memory;
}

void *malloc(size_t size) { return refused() ? NULL : counted(__libc_malloc(size)); }
void *calloc(size_t n, size_t size) { return refused() ? NULL : counted(__libc_calloc(n, size)); }
void *realloc(void *old, size_t size) {
    if (refused()) return NULL;
    void *memory = __libc_realloc(old, size);
    if (!old) counted(memory);
    return memory;
}
void *aligned_alloc(size_t align, size_t size) {
    return refused() ? NULL : counted(__libc_memalign(align, size));
}
void free(void *old) {
    n_live -= old != NULL;
    __libc_free(old);
}

#pragma GCC visibility pop

/* ---- a request ---- */

struct use {
    jl_model *model;
    jl_engine *engine;
    jl_session *session, *fork;
    jl_sampler *sampler;
    int32_t *ids, n;
    int32_t said[8];
    int n_said;
};

static bool take_text(void *ctx, int32_t id, const char *text, size_t len) {
    struct use *u = ctx;
    (void)text;
    (void)len;
    if (u->n_said < 8) u->said[u->n_said++] = id;
    return true;
}

static enum jl_status use(struct use *u, const char *model, const char *file,
                          struct jl_error *err) {
    static const char conversation[] =
        "{\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}";
    static const char *const stop[] = {"never said"};
    const struct jl_engine_options engine = {
        .n_threads = 1, .n_seq = 2, .n_ctx = 300, .n_batch = 16, .prefix_bytes = 1 << 20};
    const struct jl_generate_options options = {
        .max_tokens = 4, .stop = stop, .n_stop = 1, .on_text = take_text, .ctx = u};
    struct jl_sample_params params = jl_sample_params_default();
    struct jl_answer answer;
    params.temperature = 1;
    params.top_k = 5;
    params.dry_multiplier = 1;
    enum jl_status status = jl_model_open(model, NULL, &u->model, err);
    if (status == JL_OK) status = jl_engine_create(u->model, &engine, &u->engine, err);
    if (status == JL_OK) status = jl_session_create(u->engine, &u->session, err);
    if (status == JL_OK)
        status =
            jl_chat_prompt(u->model, conversation, sizeof conversation - 1, &u->ids, &u->n, err);
    if (status == JL_OK) status = jl_session_sync(u->session, u->ids, u->n, NULL, NULL, err);
    if (status == JL_OK) status = jl_session_fork(u->session, &u->fork, err);
    if (status == JL_OK) status = jl_sampler_create(u->model, &params, 1, 0, &u->sampler, err);
    if (status == JL_OK) status = jl_sampler_prompt(u->sampler, u->ids, u->n, err);
    if (status == JL_OK) status = jl_generate(u->session, u->sampler, &options, &answer, err);
    if (status == JL_OK) status = jl_session_save(u->session, file, err);
    if (status == JL_OK) status = jl_session_load(u->fork, file, err);
    return status;
}

static void end(struct use *u) {
    jl_sampler_free(u->sampler);
    jl_session_free(u->fork);
    jl_session_free(u->session);
    jl_engine_free(u->engine);
    jl_free(u->ids);
    jl_model_free(u->model);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    struct use first = {0};
    long wrong = 0, live = 0;
    for (long n = -1;; n++) { // the first time all succeed: what libraries keep is then there
        struct use u = {0};
        struct jl_error err = {0};
        until_failure = n;
        failed = false;
        enum jl_status status = use(&u, argv[1], argv[2], &err);
        bool met = failed;
        until_failure = -1;
        end(&u);
        if (n < 0) {
            if (status != JL_OK) {
                fprintf(stderr, "memory: %s\n", err.message);
                return 1;
            }
            live = n_live;
            first = u;
            continue;
        }
        if (met && status == JL_OK && memcmp(u.said, first.said, sizeof u.said) != 0)
            fprintf(stderr, "allocation %ld: no error, another answer\n", n), wrong++;
        if (met && status != JL_OK && status != JL_ERR_MEMORY)
            fprintf(stderr, "allocation %ld: %s: %s\n", n, jl_status_name(status), err.message),
                wrong++;
        if (met && status != JL_OK && !*err.message)
            fprintf(stderr, "allocation %ld: no message\n", n), wrong++;
        if (n_live != live)
            fprintf(stderr, "allocation %ld: %ld blocks left\n", n, n_live - live), wrong++,
                live = n_live;
        if (!met) {
            printf("%ld allocations, each of them refused once\n", n);
            break;
        }
        if (wrong > 20) break;
    }
    return wrong ? 1 : 0;
}
