#include "base/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"

/* When a process began, in ticks since the system did: field 22 of proc(5)'s stat, the 20th behind
 * the name, which may hold spaces and brackets. -1: there is no such process. */
static int64_t began(int64_t pid) {
    char path[64], *text = NULL;
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    if (file_read(path, 65536, &text, NULL, NULL) != JL_OK) return -1;
    const char *at = strrchr(text, ')');
    for (int field = 0; at && field < 20; field++)
        at = strchr(at + 1, ' ');
    int64_t ticks = at ? strtoll(at, NULL, 10) : -1;
    free(text);
    return ticks;
}

static void mark_of(int64_t pid, char out[PROCESS_MARK_BYTES]) {
    struct utsname host = {0};
    if (uname(&host) != 0) snprintf(host.nodename, sizeof host.nodename, "unknown");
    snprintf(out, PROCESS_MARK_BYTES, "%.64s %" PRId64 " %" PRId64, host.nodename, pid, began(pid));
}

void process_mark(char out[PROCESS_MARK_BYTES]) { mark_of(getpid(), out); }

bool process_is_alive(const char *mark) {
    char now[PROCESS_MARK_BYTES];
    const char *space = strchr(mark, ' ');
    if (!space) return false;
    mark_of(strtoll(space, NULL, 10), now);
    size_t host = (size_t)(space - mark) + 1;
    return strncmp(mark, now, host) != 0 || !strcmp(mark, now);
}
