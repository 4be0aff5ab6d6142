/* Every environment variable the program looks at, in one table; `jinlin help env` prints it. */
#ifndef JL_BASE_ENV_H
#define JL_BASE_ENV_H

/* id, variable, what it does */
#define ENV_LIST(X)                                                                                \
    X(ENV_CPU, "JINLIN_CPU", "kernel level: ref, avx2, avx512 or neon (default: the best)")

enum env_id {
#define X(id, name, help) id,
    ENV_LIST(X)
#undef X
        ENV_COUNT
};

const char *env_get(enum env_id id); // NULL when unset or empty
const char *env_name(enum env_id id);
const char *env_help(enum env_id id);

#endif
