/* probe THREADS: what the memory gives to that many threads now, GB/s, as the only output.
 *
 * Each thread reads a part of its own, far above the caches together, in one linear stream, with
 * and without prefetching by software. The best of a few passes is printed: a ceiling, not an
 * average. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/pool.h"
#include "cli/peaks/stream.h"

#define PART_BYTES ((size_t)128 << 20)
#define PASSES 6

struct probe {
    const uint8_t *bytes;
    bool prefetch; // by software, 4 KB ahead: on some CPUs the only way to keep the memory busy
    uint64_t seen[POOL_MAX_THREADS];
};

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void read_part(void *ctx, int item, int thread) {
    struct probe *probe = ctx;
    (void)thread;
    const uint8_t *part = probe->bytes + (size_t)item * PART_BYTES;
    probe->seen[item] += probe->prefetch ? stream_read(part, PART_BYTES, 4096)
                                         : stream_read(part, PART_BYTES, 0);
}

static double best_pass(struct pool *pool, struct probe *probe, int n_threads) {
    double best = 0;
    for (int i = 0; i < PASSES; i++) {
        probe->prefetch = i % 2;
        double start = seconds();
        pool_run(pool, n_threads, read_part, probe);
        double rate = (double)n_threads * (double)PART_BYTES / (seconds() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

int main(int argc, char **argv) {
    static struct probe probe;
    int n_threads = argc == 2 ? atoi(argv[1]) : 0;
    if (n_threads < 1 || n_threads > POOL_MAX_THREADS) {
        fprintf(stderr, "usage: probe THREADS (1 to %d)\n", POOL_MAX_THREADS);
        return 2;
    }
    struct pool *pool = NULL;
    struct jl_error err;
    if (pool_create(&(struct pool_options){.n_threads = n_threads}, &pool, &err) != JL_OK) {
        fprintf(stderr, "probe: %s\n", err.message);
        return 1;
    }
    size_t bytes = (size_t)n_threads * PART_BYTES;
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        fprintf(stderr, "probe: no memory for %zu MiB\n", bytes >> 20);
        pool_free(pool);
        return 1;
    }
    madvise(pages, bytes, MADV_NOHUGEPAGE); // as the pages of a mapped model file
    memset(pages, 1, bytes);
    probe.bytes = pages;
    printf("%.2f\n", best_pass(pool, &probe, n_threads) * 1e-9);
    munmap(pages, bytes);
    pool_free(pool);
    return 0;
}
