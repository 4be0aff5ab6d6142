/* The thread pool.
 *
 * One word, `unclaimed`, counts down the items nobody has taken; whoever lowers it by one owns an
 * item. A region is over when `pending` (items not yet accounted for) is 0, so the caller waits
 * only for threads that hold items, never for one that has not woken yet: a pool larger than the
 * machine loses no time to sleepers. The descriptor (n, fn, ctx) is read only after a claim, and
 * written only while nothing is pending. */
#include "base/pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE 64             // bytes; words that different threads write do not share one
#define SPIN_NS 40000       // longer than the gap between two steps of a model, far below a tick
#define PAUSES_PER_CLOCK 32 // pauses between two looks at the clock

struct worker {
    struct pool *pool;
    pthread_t id;
    int thread; // 1 .. n_threads-1
};

struct pool {
    struct pool_options options;
    int64_t spin_ns; // 0 when there are more threads than CPUs
    int n_started;   // workers[] to join
    struct worker *workers;

    int n; // the region's descriptor
    pool_fn *fn;
    void *ctx;

    _Alignas(LINE) atomic_int unclaimed;
    _Alignas(LINE) atomic_uint pending; // futex of the caller
    _Alignas(LINE) atomic_uint epoch;   // futex of the workers: a new region, or the end
    atomic_int sleepers;                // workers in or near a futex wait
    atomic_bool caller_sleeps;
    atomic_bool stop;
};

static void futex_wait(atomic_uint *word, uint32_t expected) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word, int count) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void pause_cpu(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); // yield is a no-op on most cores
#endif
}

/* Waits at most spin_ns until *word differs from `value`, or equals it when `until_equal`. */
static bool spin(const struct pool *pool, const atomic_uint *word, unsigned value,
                 bool until_equal) {
    if (pool->spin_ns == 0) return false;
    int64_t end = clock_ns() + pool->spin_ns;
    do {
        for (int i = 0; i < PAUSES_PER_CLOCK; i++) {
            if ((atomic_load_explicit(word, memory_order_acquire) == value) == until_equal)
                return true;
            pause_cpu();
        }
    } while (clock_ns() < end);
    return false;
}

/* The next item nobody has, or -1. */
static int claim(struct pool *pool) {
    int left = atomic_load_explicit(&pool->unclaimed, memory_order_relaxed);
    while (left > 0)
        if (atomic_compare_exchange_weak_explicit(&pool->unclaimed, &left, left - 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return pool->n - left;
    return -1;
}

/* Takes items until there are none, between the hooks. Accounts for them only at the end, so that
 * the region cannot close before `leave` has run. False when there was nothing to take. */
static bool work(struct pool *pool, int thread) {
    int item = claim(pool);
    if (item < 0) return false;
    _Alignas(LINE) unsigned char saved[POOL_SAVED_BYTES];
    pool_fn *fn = pool->fn;
    void *ctx = pool->ctx;
    unsigned done = 0;
    if (pool->options.enter) pool->options.enter(saved);
    for (; item >= 0; item = claim(pool), done++)
        fn(ctx, item, thread);
    if (pool->options.leave) pool->options.leave(saved);
    bool last = atomic_fetch_sub(&pool->pending, done) == done;
    if (last && thread != 0 && atomic_load(&pool->caller_sleeps)) futex_wake(&pool->pending, 1);
    return true;
}

/* `epoch` is read before looking for work: a region published after that look changes it, and both
 * the spin and the futex notice. */
static void *worker_main(void *arg) {
    struct worker *self = arg;
    struct pool *pool = self->pool;
    for (;;) {
        unsigned epoch = atomic_load(&pool->epoch);
        if (atomic_load(&pool->stop)) return NULL;
        if (work(pool, self->thread)) continue;
        if (spin(pool, &pool->epoch, epoch, false)) continue;
        atomic_fetch_add(&pool->sleepers, 1);
        futex_wait(&pool->epoch, epoch);
        atomic_fetch_sub(&pool->sleepers, 1);
    }
}

static void run_inline(struct pool *pool, int n, pool_fn *fn, void *ctx) {
    _Alignas(LINE) unsigned char saved[POOL_SAVED_BYTES];
    if (pool->options.enter) pool->options.enter(saved);
    for (int item = 0; item < n; item++)
        fn(ctx, item, 0);
    if (pool->options.leave) pool->options.leave(saved);
}

void pool_run(struct pool *pool, int n, pool_fn *fn, void *ctx) {
    if (n <= 0) return;
    if (n == 1 || pool->options.n_threads == 1) {
        run_inline(pool, n, fn, ctx);
        return;
    }
    pool->n = n;
    pool->fn = fn;
    pool->ctx = ctx;
    atomic_store_explicit(&pool->pending, (unsigned)n, memory_order_relaxed);
    atomic_store_explicit(&pool->unclaimed, n, memory_order_release);
    atomic_fetch_add(&pool->epoch, 1);
    int sleepers = atomic_load(&pool->sleepers);
    if (sleepers > 0) futex_wake(&pool->epoch, sleepers < n - 1 ? sleepers : n - 1);

    work(pool, 0);
    if (spin(pool, &pool->pending, 0, true)) return;
    atomic_store(&pool->caller_sleeps, true);
    for (unsigned left; (left = atomic_load(&pool->pending)) != 0;)
        futex_wait(&pool->pending, left);
    atomic_store(&pool->caller_sleeps, false);
}

/* ---- life ---- */

/* CPUs this process may run on; 0 when unknown. */
static int allowed_cpus(void) {
    cpu_set_t set; // 1024 CPUs; a larger machine answers EINVAL and counts as unknown
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

static enum jl_status start_workers(struct pool *pool, struct jl_error *err) {
    enum jl_status status = JL_OK;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); // signals belong to the program's own threads
    for (int thread = 1; thread < pool->options.n_threads; thread++) {
        struct worker *worker = &pool->workers[pool->n_started];
        *worker = (struct worker){.pool = pool, .thread = thread};
        int code = pthread_create(&worker->id, NULL, worker_main, worker);
        if (code != 0) {
            status = jl_fail(err, JL_ERR_LIMIT, "cannot start thread %d of %d: %s; ask for fewer",
                             thread + 1, pool->options.n_threads, strerrordesc_np(code));
            break;
        }
        pool->n_started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

enum jl_status pool_create(const struct pool_options *options, struct pool **out,
                           struct jl_error *err) {
    *out = NULL;
    int n_threads = options->n_threads;
    if (n_threads < 1 || n_threads > POOL_MAX_THREADS)
        return jl_fail(err, JL_ERR_USAGE, "%d threads asked for: 1 to %d are possible", n_threads,
                       POOL_MAX_THREADS);
    enum jl_status status;
    struct pool *pool = aligned_alloc(_Alignof(struct pool), sizeof *pool);
    if (!pool) goto no_memory;
    memset(pool, 0, sizeof *pool);
    pool->options = *options;
    int cpus = allowed_cpus();
    pool->spin_ns = cpus > 0 && n_threads > cpus ? 0 : SPIN_NS;
    pool->workers = calloc((size_t)n_threads, sizeof *pool->workers);
    if (!pool->workers) goto no_memory;
    status = start_workers(pool, err);
    if (status != JL_OK) goto fail;
    *out = pool;
    return JL_OK;

no_memory:
    status = jl_fail(err, JL_ERR_MEMORY, "out of memory for a pool of %d threads", n_threads);
fail:
    pool_free(pool);
    return status;
}

void pool_free(struct pool *pool) {
    if (!pool) return;
    atomic_store(&pool->stop, true);
    atomic_fetch_add(&pool->epoch, 1);
    futex_wake(&pool->epoch, INT_MAX);
    for (int i = 0; i < pool->n_started; i++)
        pthread_join(pool->workers[i].id, NULL);
    free(pool->workers);
    free(pool);
}

int pool_threads(const struct pool *pool) { return pool->options.n_threads; }
