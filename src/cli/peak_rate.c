#include "cli/peak_rate.h"

#include <string.h>
#include <time.h>

#include "base/pool.h"
#include "cli/peaks/peaks.h"

#define ROUND_SECONDS 0.005
#define ROUNDS 9 // the best counts

struct job {
    const struct peak_loop *loop;
    long iterations;
    double seconds[POOL_MAX_THREADS]; // of each item
};

/* Time in which the thread had a core: what others take of the machine does not make it a lesser
 * one. */
static double thread_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void run_loop(void *ctx, int item, int thread) {
    struct job *job = ctx;
    (void)thread;
    double began = thread_seconds();
    job->loop->run(job->iterations);
    job->seconds[item] = thread_seconds() - began;
}

/* AMX multiplies integers; its floats are those of AVX-512. */
static const struct peak_loop *loops_of(const char *level) {
#ifdef JINLIN_X86_LEVELS
    if (!strcmp(level, "avx2")) return peaks_avx2();
    if (!strcmp(level, "avx512") || !strcmp(level, "amx")) return peaks_avx512();
#endif
    (void)level;
    return NULL;
}

/* Operations a second of all threads together. */
static double run_round(struct backend *backend, struct job *job) {
    double rate = 0;
    backend_run(backend, backend_threads(backend), run_loop, job);
    for (int i = 0; i < backend_threads(backend); i++)
        rate += job->loop->ops * (double)job->iterations / job->seconds[i];
    return rate;
}

struct peak_rate peak_rate_measure(struct backend *backend, bool bf16) {
    const struct peak_loop *loops = loops_of(backend_level(backend));
    struct peak_rate out = {0, bf16 && loops && loops[PEAK_BF16].run ? "bf16" : "f32"};
    if (!loops) return out;
    struct job job = {.loop = &loops[strcmp(out.form, "bf16") ? PEAK_F32 : PEAK_BF16],
                      .iterations = 1000};
    for (run_round(backend, &job); job.seconds[0] < ROUND_SECONDS; run_round(backend, &job))
        job.iterations *= 2;
    for (int i = 0; i < ROUNDS; i++) {
        double rate = run_round(backend, &job);
        out.rate = rate > out.rate ? rate : out.rate;
    }
    return out;
}
