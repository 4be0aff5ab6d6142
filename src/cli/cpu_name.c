#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"

void cli_cpu_name(char out[CLI_CPU_NAME_BYTES]) {
    char *text = NULL;
    const char *at = NULL;
    if (file_read("/proc/cpuinfo", (size_t)4 << 20, &text, NULL, NULL) == JL_OK)
        at = strstr(text, "model name");
    if (at) at = strchr(at, ':');
    if (at)
        snprintf(out, CLI_CPU_NAME_BYTES, "%.*s", (int)strcspn(at + 2, "\n"), at + 2);
    else
        snprintf(out, CLI_CPU_NAME_BYTES, "unknown CPU");
    free(text);
}
