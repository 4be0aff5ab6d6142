/* One line of JSON a request: who, what, how it ended; no bodies, no queries. */
#ifndef JL_SERVE_HTTP_LOG_H
#define JL_SERVE_HTTP_LOG_H

#include <stddef.h>
#include <stdint.h>

struct http_log_line {
    int64_t time_ms;                               // since 1970
    const char *id, *key, *client, *method, *path; // any may be NULL; cut at 512 bytes
    int status;                                    // 0: cut before there was one
    const char *end;                               // "done", "gone", "slow", "stalled", "stopped"
    uint64_t bytes_in, bytes_out;                  // of the bodies
    int64_t duration_us;
};

#define HTTP_LOG_BYTES (20 << 10) // six texts of 512 bytes, each at most six characters

/* Returns the length of the line, which has no newline. Always fits. */
size_t http_log_format(const struct http_log_line *line, char out[HTTP_LOG_BYTES]);

#endif
