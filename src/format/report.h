/* Messages about a file: "FILE: what is wrong", whatever bytes the file holds.
 *
 * Names that come from a file pass through report_quote, so that a message is one printable line
 * of bounded length. */
#ifndef JL_FORMAT_REPORT_H
#define JL_FORMAT_REPORT_H

#include <stddef.h>

#include "base/status.h"

/* jl_fail with "FILE: " in front; of a very long path only the end is shown. */
enum jl_status report_fail(struct jl_error *err, enum jl_status status, const char *file,
                           const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The message of a failed allocation: `what` is what the memory was for. */
enum jl_status report_no_memory(struct jl_error *err, const char *file, const char *what);

/* `bytes` in single quotes; bytes that are not printable ASCII as \xNN; long ones cut. */
struct report_text {
    char text[120];
};
struct report_text report_quote(const char *bytes, size_t len);
struct report_text report_quote_str(const char *text);

#endif
