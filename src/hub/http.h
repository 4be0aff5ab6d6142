/* One GET at a time over HTTP(S), redirects followed here and not in the library, so that each hop
 * is checked: at most 10, no way back from https to http, and the token for the first host only.
 *
 * The calling program calls hub_http_start once, before threads, and hub_http_stop at its end. */
#ifndef JL_HUB_HTTP_H
#define JL_HUB_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define HUB_HEADER_TEXT 512

/* What the last hop answered, and of the hops before it what only the hub says (x-...). */
struct hub_response {
    long code;                        // HTTP status; 0: no answer
    bool again;                       // the failure may pass: worth another try
    int64_t wait_s;                   // Retry-After; 0: not said
    int64_t length;                   // Content-Length; -1: not said
    int64_t range_start, range_total; // Content-Range; -1: not said
    char type[HUB_HEADER_TEXT];       // Content-Type, Content-Encoding ...; "" if not said
    char encoding[HUB_HEADER_TEXT];
    char etag[HUB_HEADER_TEXT];        // as sent, with W/ and quotes
    char modified[HUB_HEADER_TEXT];    // Last-Modified
    char linked_etag[HUB_HEADER_TEXT]; // x-linked-etag: of the content behind a redirect
    char commit[HUB_HEADER_TEXT];      // x-repo-commit
    char error_code[HUB_HEADER_TEXT];  // x-error-code, x-error-message: why a hub refuses
    char error_message[HUB_HEADER_TEXT];
    char link[4096];
    char host[HUB_HEADER_TEXT]; // who answered
};

struct hub_request {
    const char *url;
    const char *token;    // for the host of `url` alone; NULL: none
    bool token_is_cookie; // ModelScope wants it as a cookie too
    bool compressed;      // the body may come compressed and is handed out plain
    int64_t from;         // first byte wanted; 0: all
    const char *if_range; // validator of the bytes before `from`; NULL: none
    /* The head of a 200 or 206, then its body in pieces. A failure ends the transfer and is what
     * hub_http_get returns. */
    enum jl_status (*on_head)(void *ctx, const struct hub_response *head, struct jl_error *err);
    enum jl_status (*on_body)(void *ctx, const void *data, size_t bytes, struct jl_error *err);
    void *ctx;
};

struct hub_http_options {
    int stall_s;               // this long without data is a failure that may pass
    const char *ca_file;       // certificates to trust; NULL: the system's
    const atomic_bool *cancel; // ends a transfer with JL_ERR_CANCELLED; NULL: none
};

struct hub_http; // a client with its connections; one owner

enum jl_status hub_http_start(struct jl_error *err); // JL_ERR_UNSUPPORTED: built without libcurl
void hub_http_stop(void);
enum jl_status hub_http_create(const struct hub_http_options *options, struct hub_http **out,
                               struct jl_error *err);
void hub_http_free(struct hub_http *http); // NULL is fine

/* JL_OK: a 200 or 206 came whole. Else `out` says what came, and `out->again` whether another try
 * makes sense. */
enum jl_status hub_http_get(struct hub_http *http, const struct hub_request *request,
                            struct hub_response *out, struct jl_error *err);

#endif
