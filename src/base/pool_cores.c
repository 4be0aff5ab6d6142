/* Physical cores and CPU quotas from sysfs and the cgroup file system.
 *
 * Sources: the kernel's documents on CPU topology (thread_siblings_list), cgroup v2 (cpu.max) and
 * CFS bandwidth control (cpu.cfs_quota_us). Nothing here fails: unreadable means no limit. */
#include "base/pool_cores.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/pool.h"

#define SMALL_FILE ((size_t)64 << 10) // more than any file read here has
#define PATH_BYTES 4096
#define MAX_CPUS 8192 // the kernel's own limit on x86-64

/* Whole small file as text, NULL when it cannot be read. Caller frees. */
__attribute__((format(printf, 1, 2))) static char *slurp(const char *fmt, ...) {
    char path[PATH_BYTES], *text;
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(path, sizeof path, fmt, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof path) return NULL;
    return file_read(path, SMALL_FILE, &text, NULL, NULL) == JL_OK ? text : NULL;
}

/* A decimal number at *at, which moves behind it. */
static bool parse_number(const char **at, long long *out) {
    char *end;
    errno = 0;
    long long value = strtoll(*at, &end, 10);
    if (end == *at || errno) return false;
    *at = end;
    *out = value;
    return true;
}

/* ---- topology ---- */

/* First allowed CPU of a list such as "0-1,8": -1 when the text is no list or names none. */
static int first_allowed(const char *list, const bool *allowed, int n_cpu) {
    int first = -1;
    for (;;) {
        long long low, high;
        if (!parse_number(&list, &low) || low < 0) return -1;
        high = low;
        if (*list == '-') {
            list++;
            if (!parse_number(&list, &high) || high < low) return -1;
        }
        if (high >= n_cpu) high = n_cpu - 1;
        for (long long cpu = low; cpu <= high && first < 0; cpu++)
            if (allowed[cpu]) first = (int)cpu;
        if (*list != ',') break;
        list++;
    }
    return *list == '\0' || *list == '\n' ? first : -1;
}

/* A core is counted at its first allowed CPU; a CPU without readable siblings is a core. */
static int count_cores(const char *root, const bool *allowed, int n_cpu) {
    int cores = 0;
    for (int cpu = 0; cpu < n_cpu; cpu++) {
        if (!allowed[cpu]) continue;
        char *list =
            slurp("%s/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", root, cpu);
        int first = list ? first_allowed(list, allowed, n_cpu) : -1;
        cores += first < 0 || first >= cpu;
        free(list);
    }
    return cores;
}

/* ---- cgroup quota ---- */

static int min_int(int a, int b) { return a < b ? a : b; }

/* CPUs that `quota` of each `period` microseconds buys, rounded up; INT32_MAX is no limit. */
static int quota_cpus(long long quota, long long period) {
    if (quota <= 0 || period <= 0) return INT32_MAX;
    long long cpus = quota / period + (quota % period != 0);
    return cpus < INT32_MAX ? (int)cpus : INT32_MAX;
}

/* Limit written in one cgroup folder, in the form of either version. */
static int folder_limit(const char *folder) {
    int limit = INT32_MAX;
    long long quota, period;
    char *text = slurp("%s/cpu.max", folder); // "QUOTA PERIOD", or "max PERIOD"
    const char *at = text;
    if (text && parse_number(&at, &quota) && *at == ' ' && parse_number(&at, &period))
        limit = quota_cpus(quota, period);
    free(text);

    char *quota_text = slurp("%s/cpu.cfs_quota_us", folder); // -1: none
    char *period_text = slurp("%s/cpu.cfs_period_us", folder);
    const char *quota_at = quota_text, *period_at = period_text;
    if (quota_text && period_text && parse_number(&quota_at, &quota) &&
        parse_number(&period_at, &period))
        limit = min_int(limit, quota_cpus(quota, period));
    free(quota_text);
    free(period_text);
    return limit;
}

/* Least limit of the group and its ancestors up to the mount. Inside a container the group's path
 * may be the host's and absent here; then the mount itself is the container's group. */
static int group_limit(const char *mount, const char *group) {
    char folder[PATH_BYTES];
    size_t base = strlen(mount);
    int len = snprintf(folder, sizeof folder, "%s%s", mount, strstr(group, "/..") ? "" : group);
    if (len < 0 || (size_t)len >= sizeof folder) return INT32_MAX;
    int limit = INT32_MAX;
    for (;;) {
        limit = min_int(limit, folder_limit(folder));
        char *slash = strrchr(folder, '/');
        if (!slash || slash < folder + base) return limit;
        *slash = '\0';
    }
}

/* True when `name` is one of the comma-separated words. */
static bool has_word(const char *words, const char *name) {
    size_t len = strlen(name);
    for (const char *at = words; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == '\0')) return true;
    return false;
}

/* The usual mount points of each version. /proc/self/cgroup lines are "ID:controllers:path";
 * version 2's has no controllers. */
static int cgroup_limit(const char *root) {
    static const char *const mounts_v2[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    static const char *const mounts_v1[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"};
    int limit = INT32_MAX;
    char *text = slurp("%s/proc/self/cgroup", root), *rest = text, *line;
    while (rest && (line = strsep(&rest, "\n"))) {
        char *words = strchr(line, ':'), *group = words ? strchr(words + 1, ':') : NULL;
        if (!group) continue;
        *words++ = *group++ = '\0';
        bool v2 = *words == '\0';
        if (*group != '/' || (!v2 && !has_word(words, "cpu"))) continue;
        for (int i = 0; i < 2; i++) {
            char mount[PATH_BYTES];
            int len = snprintf(mount, sizeof mount, "%s%s", root, v2 ? mounts_v2[i] : mounts_v1[i]);
            if (len > 0 && (size_t)len < sizeof mount)
                limit = min_int(limit, group_limit(mount, group));
        }
    }
    free(text);
    return limit;
}

int pool_cores_at(const char *root, const bool *allowed, int n_cpu) {
    int cores = min_int(count_cores(root, allowed, n_cpu), cgroup_limit(root));
    return cores < 1 ? 1 : cores;
}

int pool_default_threads(void) {
    static const size_t bytes = CPU_ALLOC_SIZE(MAX_CPUS);
    int threads = 1;
    cpu_set_t *set = CPU_ALLOC(MAX_CPUS);
    bool *allowed = calloc(MAX_CPUS, sizeof *allowed);
    if (set && allowed && sched_getaffinity(0, bytes, set) == 0) {
        for (int cpu = 0; cpu < MAX_CPUS; cpu++)
            allowed[cpu] = CPU_ISSET_S((size_t)cpu, bytes, set);
        threads = min_int(pool_cores_at("", allowed, MAX_CPUS), POOL_MAX_THREADS);
    }
    free(allowed);
    if (set) CPU_FREE(set);
    return threads;
}
