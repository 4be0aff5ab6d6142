/* How often and how many at once: what one key's requests are counted by. */
#ifndef JL_SERVE_HTTP_RATE_H
#define JL_SERVE_HTTP_RATE_H

#include <stdint.h>

/* A token bucket that holds a minute's requests and fills evenly, kept as one time: when it will be
 * full (*tat, 0 at first). Returns 0 and takes one, or the nanoseconds until there is one. */
int64_t http_rate_take(int64_t *tat_ns, unsigned per_minute, int64_t now_ns);

#endif
