#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"

void cli_progress_start(struct cli_progress *progress) {
    *progress = (struct cli_progress){.started = clock_seconds()};
}

void cli_progress_step(struct cli_progress *progress, const char *what, int64_t done,
                       int64_t total) {
    double now = clock_seconds();
    if (now - progress->started < 1 || now - progress->drawn < 0.2 || !isatty(STDERR_FILENO))
        return;
    progress->drawn = now;
    progress->visible = true;
    fprintf(stderr, "\r%s %" PRId64 " of %" PRId64 " (%.0f s)\033[K", what, done, total,
            now - progress->started);
    fflush(stderr);
}

void cli_progress_end(struct cli_progress *progress) {
    if (progress->visible) fprintf(stderr, "\r\033[K");
    progress->visible = false;
}
