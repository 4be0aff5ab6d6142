#include "backend/ops.h"

const struct op_row *op_row(enum op_id id) {
    static const struct op_row table[] = {
#define X(id, name, n_in, out, weight, save, cost, rows)                                           \
    {#name, n_in, out, weight, save, cost, rows},
        OP_LIST(X)
#undef X
    };
    return &table[id];
}

const char *reg_name(enum reg_id id) {
    static const char *const names[] = {
#define X(id, name, about) name,
        REG_LIST(X)
#undef X
    };
    return names[id];
}

const char *reg_about(enum reg_id id) {
    static const char *const about[] = {
#define X(id, name, about) about,
        REG_LIST(X)
#undef X
    };
    return about[id];
}
