/* Status codes and error messages: how every fallible function reports.
 *
 * A function that meets outside bytes or may lack memory returns `enum jl_status` and, on failure,
 * fills the caller's `struct jl_error` with what is wrong, where, and what to do. The library never
 * exits, aborts or prints. */
#ifndef JL_BASE_STATUS_H
#define JL_BASE_STATUS_H

/* id, exit code of the program, short name */
#define JL_STATUS_LIST(X)                                                                          \
    X(JL_OK, 0, "ok")                                                                              \
    X(JL_ERR_USAGE, 2, "usage")             /* the caller's arguments do not fit */                \
    X(JL_ERR_IO, 3, "io")                   /* a file cannot be opened, read or written */         \
    X(JL_ERR_FORMAT, 4, "format")           /* a file's bytes break its format */                  \
    X(JL_ERR_UNSUPPORTED, 5, "unsupported") /* well formed, but something we do not implement */   \
    X(JL_ERR_MEMORY, 6, "memory")           /* an allocation failed */                             \
    X(JL_ERR_LIMIT, 7, "limit")             /* a context, batch or size limit would be exceeded */ \
    X(JL_ERR_NONFINITE, 8, "nonfinite")     /* the forward pass produced NaN or infinity */        \
    X(JL_ERR_CANCELLED, 9, "cancelled")     /* the caller asked to stop */                         \
    X(JL_ERR_CPU, 10, "cpu")                /* this CPU lacks what was asked for */

enum jl_status {
#define X(id, code, name) id,
    JL_STATUS_LIST(X)
#undef X
        JL_STATUS_COUNT
};

struct jl_error {
    enum jl_status status;
    char message[1024]; // one line, no trailing newline
};

/* Fills `err` (may be NULL) and returns `status`, so that callers can `return jl_fail(...)`. */
enum jl_status jl_fail(struct jl_error *err, enum jl_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

const char *jl_status_name(enum jl_status status);
int jl_status_exit_code(enum jl_status status);

/* Forwards a failure to the caller. Use only where nothing is left to release. */
#define JL_TRY(expr)                                                                               \
    do {                                                                                           \
        enum jl_status try_status_ = (expr);                                                       \
        if (try_status_ != JL_OK) return try_status_;                                              \
    } while (0)

#endif
