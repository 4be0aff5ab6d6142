/* The target of a request, "/v1/models/org%2Fname?beta=true": taken apart first, decoded after, so
 * that what is encoded can never become a separator. */
#ifndef JL_SERVE_HTTP_TARGET_H
#define JL_SERVE_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

#define HTTP_TARGET_PARTS 32
#define HTTP_TARGET_PAIRS 64

struct http_pair {
    const char *name, *value;
};

struct http_target {
    const char *path;                     // as sent, without the query
    const char *parts[HTTP_TARGET_PARTS]; // decoded; "/" has one, "", and so has a last slash
    size_t n_parts;
    struct http_pair pairs[HTTP_TARGET_PAIRS]; // decoded, '+' is a space
    size_t n_pairs;
};

/* Refuses what is no absolute path, broken or overlong escapes, NUL, bad UTF-8, control characters,
 * "." and ".." as parts. `err` says so in words for the client. */
enum jl_status http_target_parse(const char *raw, struct arena *arena, struct http_target *out,
                                 struct jl_error *err);

/* Decodes n bytes. NULL: not well formed (*memory false) or out of memory (*memory true). */
const char *http_target_decode(const char *raw, size_t n, bool plus_is_space, struct arena *arena,
                               bool *memory);

#endif
