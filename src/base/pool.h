/* The one fork-join thread pool: kernels run through it and nowhere else.
 *
 * Work is `n` independent items; items never share a floating-point chain, so which thread runs
 * which item, and how many threads there are, cannot change a bit of the result. Workers spin a
 * bounded time for the next region, then sleep. */
#ifndef JL_BASE_POOL_H
#define JL_BASE_POOL_H

#include "base/status.h"

struct pool;

/* `item` in [0, n); `thread` in [0, n_threads) names the scratch a body may use; the caller of
 * pool_run is thread 0. */
typedef void pool_fn(void *ctx, int item, int thread);

/* n_threads counts the caller. `enter` is called once on each thread that computes in a region, and
 * `leave` on it when its part is over, before pool_run returns (they set and restore the
 * floating-point environment); both may be NULL. */
struct pool_options {
    int n_threads;
    void (*enter)(void *saved);
    void (*leave)(const void *saved); // `saved`: POOL_SAVED_BYTES of the thread's own
};
#define POOL_SAVED_BYTES 64
#define POOL_MAX_THREADS 256

enum jl_status pool_create(const struct pool_options *options, struct pool **out,
                           struct jl_error *err);
void pool_free(struct pool *pool); // NULL is fine
int pool_threads(const struct pool *pool);

/* Runs fn for every item and returns when all are done; what items wrote is then visible. The
 * caller takes part. One region at a time: the pool's owner calls this from one thread, and fn
 * never calls it. */
void pool_run(struct pool *pool, int n, pool_fn *fn, void *ctx);

/* Physical cores this process may use: affinity mask, SMT siblings and the cgroup quota counted.
 * At least 1, at most POOL_MAX_THREADS. */
int pool_default_threads(void);

#endif
