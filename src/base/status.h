/* Status codes and error messages: how every fallible function reports.
 *
 * A function that meets outside bytes or may lack memory returns `enum jl_status` and, on failure,
 * fills the caller's `struct jl_error` with what is wrong, where, and what to do. Both are the
 * public header's. The library never exits, aborts or prints. */
#ifndef JL_BASE_STATUS_H
#define JL_BASE_STATUS_H

#include "jinlin.h"

/* Fills `err` (may be NULL) and returns `status`, so that callers can `return jl_fail(...)`. */
enum jl_status jl_fail(struct jl_error *err, enum jl_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

int jl_status_exit_code(enum jl_status status);

/* Forwards a failure to the caller. Use only where nothing is left to release. */
#define JL_TRY(expr)                                                                               \
    do {                                                                                           \
        enum jl_status try_status_ = (expr);                                                       \
        if (try_status_ != JL_OK) return try_status_;                                              \
    } while (0)

#endif
