#include "base/env.h"

#include <stddef.h>
#include <stdlib.h>

struct env_row {
    const char *name, *help;
};

static const struct env_row *row_of(enum env_id id) {
    static const struct env_row rows[] = {
#define X(id, name, help) {name, help},
        ENV_LIST(X)
#undef X
    };
    return (unsigned)id < ENV_COUNT ? &rows[id] : NULL;
}

const char *env_get(enum env_id id) {
    const struct env_row *row = row_of(id);
    const char *value = row ? getenv(row->name) : NULL;
    return value && *value ? value : NULL;
}

const char *env_name(enum env_id id) {
    const struct env_row *row = row_of(id);
    return row ? row->name : "unknown";
}

const char *env_help(enum env_id id) {
    const struct env_row *row = row_of(id);
    return row ? row->help : "";
}
