/* Addresses, split strictly: what could mean one host to us and another to the library that
 * connects (user names, backslashes, spaces, control characters) is no address at all. */
#ifndef JL_HUB_URL_H
#define JL_HUB_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

#define HUB_MAX_URL 4096 // bytes; signed CDN addresses take a good 1,000

struct hub_url {
    bool secure;      // https
    const char *host; // lower case, [..] around an IPv6 address
    int port;         // the scheme's own when none is written
    const char *path; // from the first '/', with the query, without the fragment; "" if none
};

/* http:// and https:// only. Strings live in the arena. `what` names the address in errors. */
enum jl_status hub_url_parse(const char *text, const char *what, struct arena *arena,
                             struct hub_url *out, struct jl_error *err);

/* Same scheme, host and port: what a token may be sent to. */
bool hub_url_same_origin(const struct hub_url *a, const struct hub_url *b);

/* "https://host[:port]" without a path. NULL without memory. */
const char *hub_url_origin(const struct hub_url *url, struct arena *arena);

/* Percent-encodes everything but letters, digits and "-._~" (and '/' when `keep_slash`). NULL
 * without memory. */
const char *hub_url_escape(const char *text, bool keep_slash, struct arena *arena);
/* Undoes percent signs up to the first of `stop` or the end; NULL for a bad escape or a NUL. */
const char *hub_url_unescape(const char *text, size_t len, struct arena *arena);

/* arena_alloc'ed text by a format; NULL without memory. */
char *hub_text(struct arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
