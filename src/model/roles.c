#include "model/roles.h"

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
