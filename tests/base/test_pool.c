/* Pool: every item exactly once, hooks around each computing thread, visible results; and the
 * arithmetic of the default thread count on made-up system files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/pool.h"
#include "base/pool_cores.h"
#include "base/rng.h"
#include "support/scratch.h"

#define MAX_ITEMS 3000
#define SEED 20250601

struct region {
    int n_threads;
    int hits[MAX_ITEMS];               // plain: each item has one owner, the caller reads after
    int thread_busy[POOL_MAX_THREADS]; // plain: two bodies with one thread number would race
};

static void touch(void *ctx, int item, int thread) {
    struct region *region = ctx;
    if (thread < 0 || thread >= region->n_threads) return; // the item stays at 0: a failure
    region->thread_busy[thread]++;
    region->hits[item]++;
}

static void check_region(struct pool *pool, int n) {
    static struct region region;
    region = (struct region){.n_threads = pool_threads(pool)};
    pool_run(pool, n, touch, &region);
    int sum = 0;
    for (int i = 0; i < MAX_ITEMS; i++)
        if (region.hits[i] != (i < n))
            fail_msg("%d threads, %d items: item %d ran %d times", region.n_threads, n, i,
                     region.hits[i]);
    for (int t = 0; t < POOL_MAX_THREADS; t++)
        sum += region.thread_busy[t];
    assert_int_equal(sum, n);
}

static struct pool *make_pool(int n_threads) {
    struct pool *pool;
    struct jl_error err;
    const struct pool_options options = {.n_threads = n_threads};
    if (pool_create(&options, &pool, &err) != JL_OK) fail_msg("%s", err.message);
    assert_int_equal(pool_threads(pool), n_threads);
    return pool;
}

static void every_item_runs_once(void **state) {
    (void)state;
    const struct rng_key key = {.seed = SEED, .purpose = RNG_TEST};
    for (int n_threads = 1; n_threads <= 8; n_threads++) {
        struct pool *pool = make_pool(n_threads);
        for (int n = 0; n < 20; n++)
            check_region(pool, n);
        for (uint64_t i = 0; i < 100; i++) { // long and short regions mixed
            int n = (int)(rng_uniform(&key, (uint64_t)n_threads * 1000 + i) * 64.0f);
            check_region(pool, i % 16 == 0 ? MAX_ITEMS : n);
        }
        pool_free(pool);
    }
}

/* Workers go to sleep between regions, and wake. */
static void wakes_after_a_pause(void **state) {
    (void)state;
    struct pool *pool = make_pool(4);
    for (int i = 0; i < 5; i++) {
        usleep(2000);
        check_region(pool, 50);
    }
    pool_free(pool);
}

struct chain {
    int64_t value[64], next[64];
};

static void step(void *ctx, int item, int thread) {
    struct chain *chain = ctx;
    (void)thread;
    chain->next[item] = chain->value[(item + 1) % 64] * 3 + item;
}

/* A region reads what the region before wrote, on whichever threads. */
static void regions_see_each_other(void **state) {
    (void)state;
    static struct chain chain, serial;
    chain = serial = (struct chain){0};
    struct pool *pool = make_pool(3);
    for (int region = 0; region < 300; region++) {
        pool_run(pool, 64, step, &chain);
        for (int item = 0; item < 64; item++)
            step(&serial, item, 0);
        for (int i = 0; i < 64; i++) {
            chain.value[i] = chain.next[i] % 1000003;
            serial.value[i] = serial.next[i] % 1000003;
        }
    }
    assert_memory_equal(chain.value, serial.value, sizeof chain.value);
    pool_free(pool);
}

/* ---- hooks ---- */

static atomic_int n_entered, n_left, n_outside;
static _Thread_local int inside;

static void enter(void *saved) {
    memset(saved, ++inside, POOL_SAVED_BYTES);
    atomic_fetch_add(&n_entered, 1);
}

static void leave(const void *saved) {
    const unsigned char *bytes = saved;
    for (int i = 0; i < POOL_SAVED_BYTES; i++)
        if (bytes[i] != inside) atomic_fetch_add(&n_outside, 1);
    inside--;
    atomic_fetch_add(&n_left, 1);
}

static void expect_inside(void *ctx, int item, int thread) {
    (void)ctx, (void)item, (void)thread;
    if (inside != 1) atomic_fetch_add(&n_outside, 1);
}

static void hooks_surround_each_computing_thread(void **state) {
    (void)state;
    for (int n_threads = 1; n_threads <= 8; n_threads++) {
        struct pool *pool;
        const struct pool_options options = {n_threads, enter, leave};
        assert_int_equal(pool_create(&options, &pool, NULL), JL_OK);
        for (int n = 0; n < 60; n++) {
            n_entered = n_left = n_outside = 0;
            pool_run(pool, n, expect_inside, NULL);
            int most = n < n_threads ? n : n_threads, entered = n_entered;
            assert_int_equal(n_outside, 0);
            assert_int_equal(entered, n_left); // all have left when pool_run returns
            assert_true(entered >= (n > 0) && entered <= most);
            assert_int_equal(inside, 0);
        }
        pool_free(pool);
    }
}

/* ---- refusals and life ---- */

static void refuses_impossible_sizes(void **state) {
    (void)state;
    static const int sizes[] = {0, -1, POOL_MAX_THREADS + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct pool *pool;
        struct jl_error err;
        const struct pool_options options = {.n_threads = sizes[i]};
        assert_int_equal(pool_create(&options, &pool, &err), JL_ERR_USAGE);
        assert_null(pool);
        assert_non_null(strstr(err.message, "256"));
    }
    pool_free(NULL);
}

static void starts_and_stops_at_once(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++)
        pool_free(make_pool(1 + i % 8));
    struct pool *pool = make_pool(64); // far more than this machine's cores
    for (int i = 0; i < 20; i++)
        check_region(pool, 500);
    pool_free(pool);
}

/* ---- default thread count ---- */

#define TOPOLOGY "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list"

static void put_siblings(const char *machine, int cpu, const char *list) {
    char name[256];
    snprintf(name, sizeof name, "%s" TOPOLOGY, machine, cpu);
    scratch_text(name, list);
}

static void put(const char *machine, const char *path, const char *text) {
    char name[256];
    snprintf(name, sizeof name, "%s%s", machine, path);
    scratch_text(name, text);
}

static int cores(const char *machine, const char *allowed_digits) {
    bool allowed[64] = {false};
    for (int cpu = 0; allowed_digits[cpu]; cpu++)
        allowed[cpu] = allowed_digits[cpu] == '1';
    return pool_cores_at(scratch_path(machine), allowed, 64);
}

static void counts_cores_not_hyperthreads(void **state) {
    (void)state;
    for (int cpu = 0; cpu < 8; cpu++) {
        char list[32];
        snprintf(list, sizeof list, "%d,%d\n", cpu % 4, cpu % 4 + 4);
        put_siblings("smt", cpu, list);
        snprintf(list, sizeof list, "%d-%d\n", cpu & ~1, cpu | 1);
        put_siblings("pairs", cpu, list);
    }
    assert_int_equal(cores("smt", "11111111"), 4);
    assert_int_equal(cores("smt", "11110000"), 4);
    assert_int_equal(cores("smt", "00001111"), 4); // siblings outside the mask do not count
    assert_int_equal(cores("smt", "10001000"), 1);
    assert_int_equal(cores("smt", "00000000"), 1);
    assert_int_equal(cores("pairs", "11111111"), 4);
    assert_int_equal(cores("pairs", "01100000"), 2);
    assert_int_equal(cores("nothing-here", "11110000"), 4);
}

static void survives_hostile_topology(void **state) {
    (void)state;
    static const char *const lists[] = {"",
                                        "\n",
                                        "junk",
                                        "-1",
                                        "3-1",
                                        "0,",
                                        "0-",
                                        "1-99999999999999999999",
                                        "99999999999999999999",
                                        "0-4000000000",
                                        "5000-6000",
                                        "0 1"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (int cpu = 0; cpu < 4; cpu++)
            put_siblings("hostile", cpu, lists[i]);
        int n = cores("hostile", "1111");
        assert_true(n >= 1 && n <= 4);
    }
    assert_int_equal(cores("hostile", "1111"), 4); // the last list is no list
}

static void honours_cgroup_v2(void **state) {
    (void)state;
    static const struct {
        const char *max;
        int cores;
    } rows[] = {
        {"max 100000\n", 8},
        {"300000 100000\n", 3},
        {"250000 100000\n", 3},
        {"10000 100000\n", 1},
        {"9900000 100000\n", 8},
        {"-5 100000", 8},
        {"300000 0", 8},
        {"300000", 8},
        {"junk", 8},
        {"", 8},
        {"99999999999999999999 1", 8},
    };
    put("v2", "/proc/self/cgroup", "0::/a/b\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put("v2", "/sys/fs/cgroup/a/b/cpu.max", rows[i].max);
        assert_int_equal(cores("v2", "11111111"), rows[i].cores);
    }
    put("v2", "/sys/fs/cgroup/a/b/cpu.max", "600000 100000");
    put("v2", "/sys/fs/cgroup/a/cpu.max", "200000 100000"); // an ancestor's limit holds too
    assert_int_equal(cores("v2", "11111111"), 2);
    put("v2", "/sys/fs/cgroup/cpu.max", "100000 100000");
    assert_int_equal(cores("v2", "11111111"), 1);
}

static void honours_cgroup_v1(void **state) {
    (void)state;
    put("v1", "/proc/self/cgroup", "8:pids:/x\n4:cpu,cpuacct:/docker/7\n3:cpuset:/y\n0::/\n");
    put("v1", "/sys/fs/cgroup/cpu,cpuacct/docker/7/cpu.cfs_quota_us", "-1\n");
    put("v1", "/sys/fs/cgroup/cpu,cpuacct/docker/7/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cores("v1", "11111111"), 8);
    put("v1", "/sys/fs/cgroup/cpu,cpuacct/docker/7/cpu.cfs_quota_us", "150000\n");
    assert_int_equal(cores("v1", "11111111"), 2);

    /* In a container the host's group path is absent and the mount is the group. */
    put("inside", "/proc/self/cgroup", "1:cpu:/docker/absent\n");
    put("inside", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000");
    put("inside", "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
    assert_int_equal(cores("inside", "11111111"), 3);
    put("inside", "/proc/self/cgroup", "1:cpu:/../outside\n");
    assert_int_equal(cores("inside", "11111111"), 3);
    put("inside", "/proc/self/cgroup", "1:cpu\n:\n::\n1:cpu:relative\n\n");
    assert_int_equal(cores("inside", "11111111"), 8);
}

static void this_machine_gives_a_sane_count(void **state) {
    (void)state;
    int n = pool_default_threads();
    assert_true(n >= 1 && n <= POOL_MAX_THREADS);
    assert_true(n <= sysconf(_SC_NPROCESSORS_CONF));
}

static int teardown(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_runs_once),
        cmocka_unit_test(wakes_after_a_pause),
        cmocka_unit_test(regions_see_each_other),
        cmocka_unit_test(hooks_surround_each_computing_thread),
        cmocka_unit_test(refuses_impossible_sizes),
        cmocka_unit_test(starts_and_stops_at_once),
        cmocka_unit_test(counts_cores_not_hyperthreads),
        cmocka_unit_test(survives_hostile_topology),
        cmocka_unit_test(honours_cgroup_v2),
        cmocka_unit_test(honours_cgroup_v1),
        cmocka_unit_test(this_machine_gives_a_sane_count),
    };
    return cmocka_run_group_tests_name("base/pool", tests, NULL, teardown);
}
