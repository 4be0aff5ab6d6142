/* The line to a hub, with patience: what fails and may pass is tried again, bounded and
 * cancellable.
 */
#ifndef JL_HUB_LINE_H
#define JL_HUB_LINE_H

#include "hub/http.h"

/* What the caller hears. All may be NULL. */
struct hub_watch {
    void (*progress)(void *ctx, const char *file, int64_t done, int64_t total); // bytes
    void (*say)(void *ctx, const char *line);                                   // worth a line
    void *ctx;
};

struct hub_line {
    struct hub_http *http;
    const atomic_bool *cancel; // NULL: none
    int wait_ms;               // before the second try; doubles up to 32 times it
    struct hub_watch watch;
};

/* Tries in a row that brought nothing. */
#define HUB_TRIES 6
/* A server that asks for more patience than this is told to the user at once. */
#define HUB_MAX_WAIT_S 120

/* After a failure that may pass (`response->again`): waits before try `number` (from 2) and says
 * why. Fails when the wait asked for is too long, or with JL_ERR_CANCELLED. */
enum jl_status hub_line_wait(struct hub_line *line, int number, const struct hub_response *response,
                             struct jl_error *err);

void hub_line_say(struct hub_line *line, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A whole answer of at most `limit` bytes, NUL-terminated; the caller frees. On failure
 * `response` says what came, if anything did. */
struct hub_answer {
    char *text;
    size_t size;
    struct hub_response response;
};
enum jl_status hub_line_read(struct hub_line *line, const struct hub_request *request, size_t limit,
                             struct hub_answer *out, struct jl_error *err);

#endif
