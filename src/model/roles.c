#include "model/roles.h"

#include <stdio.h>
#include <string.h>

const struct role_row *role_row(enum role_id id) {
    static const struct role_row table[ROLE_COUNT] = {
        [ROLE_NONE] = {"ROLE_NONE", "", "", SCOPE_MODEL, DIM_ONE, DIM_ONE, SHARD_NONE, GROUP_FIXED,
                       ABSENT},
#define X(id, gguf, hf, scope, rows, cols, shard, group, need)                                     \
    [id] = {#id, gguf, hf, scope, rows, cols, shard, group, need},
        ROLE_LIST(X)
#undef X
    };
    return &table[id];
}

bool role_gguf_name(enum role_id id, int layer, char *out, size_t size) {
    const char *pattern = role_row(id)->gguf, *at = strstr(pattern, "%d");
    int n = at ? snprintf(out, size, "%.*s%d%s", (int)(at - pattern), pattern, layer, at + 2)
               : snprintf(out, size, "%s", pattern);
    return n >= 0 && (size_t)n < size;
}
