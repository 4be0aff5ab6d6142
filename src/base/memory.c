#include "base/memory.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The number behind `name` in a file of lines "name number"; "" : the file's first number. */
static bool read_number(const char *path, const char *name, uint64_t *out) {
    char line[256];
    bool found = false;
    size_t len = strlen(name);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    while (!found && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, len) != 0) continue;
        char *end;
        unsigned long long value = strtoull(line + len, &end, 10);
        found = end != line + len;
        *out = value;
    }
    fclose(file);
    return found;
}

static size_t least(size_t a, uint64_t b) { return b < a ? (size_t)b : a; }

static uint64_t left_of(uint64_t limit, uint64_t used) { return limit > used ? limit - used : 0; }

static size_t system_available(size_t so_far) {
    uint64_t kilobytes;
    if (!read_number("/proc/meminfo", "MemAvailable:", &kilobytes)) return so_far;
    return least(so_far, kilobytes * 1024);
}

/* ---- control groups: every level from the process's own up has a limit ---- */

struct group_files {
    const char *root, *limit, *used, *stat;
};

static void group_limit(const struct group_files *files, const char *group, size_t *so_far) {
    char path[PATH_MAX];
    uint64_t limit, used, cached = 0, part;
    snprintf(path, sizeof path, "%s%s/%s", files->root, group, files->limit);
    if (!read_number(path, "", &limit)) return; // "max", or no such level here
    snprintf(path, sizeof path, "%s%s/%s", files->root, group, files->used);
    if (!read_number(path, "", &used)) return;
    snprintf(path, sizeof path, "%s%s/%s", files->root, group, files->stat);
    if (read_number(path, "active_file ", &part)) cached += part;
    if (read_number(path, "inactive_file ", &part)) cached += part;
    *so_far = least(*so_far, left_of(limit, left_of(used, cached)));
}

static void walk_up(const struct group_files *files, char *group, size_t *so_far) {
    for (;;) {
        group_limit(files, group, so_far);
        char *slash = strrchr(group, '/');
        if (!slash || !*group) return;
        *slash = 0; // at last "": the root, which a container sees as its own
    }
}

/* /proc/self/cgroup: "0::/a/b" (version 2) or "4:memory:/a/b" (version 1). */
static size_t groups_available(size_t so_far) {
    static const struct group_files v2 = {"/sys/fs/cgroup", "memory.max", "memory.current",
                                          "memory.stat"};
    static const struct group_files v1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                          "memory.usage_in_bytes", "memory.stat"};
    char line[PATH_MAX];
    FILE *file = fopen("/proc/self/cgroup", "r");
    if (!file) return so_far;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char *names = strchr(line, ':'), *group = names ? strchr(names + 1, ':') : NULL;
        if (!group) continue;
        *group++ = 0;
        if (!strcmp(names, ":"))
            walk_up(&v2, group, &so_far);
        else if (strstr(names, "memory"))
            walk_up(&v1, group, &so_far);
    }
    fclose(file);
    return so_far;
}

/* ---- address space ---- */

static size_t addresses_available(size_t mapped, size_t so_far) {
    struct rlimit limit;
    uint64_t pages;
    long page = sysconf(_SC_PAGESIZE);
    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY || page < 1) return so_far;
    if (!read_number("/proc/self/statm", "", &pages)) return so_far;
    return least(so_far, left_of(limit.rlim_cur, left_of(pages * (uint64_t)page, mapped)));
}

size_t memory_available(size_t mapped) {
    return addresses_available(mapped, groups_available(system_available(SIZE_MAX)));
}
