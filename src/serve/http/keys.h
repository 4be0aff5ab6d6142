/* Who may ask: a file of names with the SHA-256 of their keys.
 *
 *     # comment
 *     NAME sha256:64-HEX [at-once=N] [per-minute=N] [tokens-per-minute=N] [admin]
 *
 * A key is "jl-" and 256 random bits. Nobody can try 2^256 of them, so one plain SHA-256 keeps them
 * as well as a slow hash would; slow hashes are for what people can remember. Keys that a person
 * thought up do not belong here. */
#ifndef JL_SERVE_HTTP_KEYS_H
#define JL_SERVE_HTTP_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define HTTP_KEY_NAME 64           // bytes of a name and its NUL
#define HTTP_KEY_TEXT (3 + 43 + 1) // "jl-", 256 bits in base64url, NUL
#define HTTP_KEY_MOST 1000000000u  // the highest limit
#define HTTP_KEY_HASH "sha256:"
#define HTTP_KEYS_FILE_BYTES (4 << 20) // the longest file
#define HTTP_KEY_PRESENTED 512         // bytes of a key that a client may show

struct http_key {
    char name[HTTP_KEY_NAME];
    uint8_t hash[32];
    unsigned at_once, per_minute, tokens_per_minute; // 0: not said
    bool admin;                                      // may make keys and take them out
    /* what rate.h counts */
    unsigned active;
    int64_t tat_ns; // when its bucket of requests is full again
};

struct http_keys {
    struct http_key *rows;
    size_t n;
};

/* `source` is for messages. On failure *out is empty. */
enum jl_status http_keys_parse(const char *text, size_t len, const char *source,
                               struct http_keys *out, struct jl_error *err);
/* Refuses a file that is another user's, or that others can read or write. */
enum jl_status http_keys_read(const char *path, struct http_keys *out, struct jl_error *err);
void http_keys_free(struct http_keys *keys);

/* Up to 63 letters, digits, '.', '_', '@', '-'. */
bool http_key_good_name(const char *text, size_t len);

/* The row of a key's text, or NULL. Takes as long for every key: each row is compared, whole. */
struct http_key *http_keys_find(const struct http_keys *keys, const char *key);
struct http_key *http_keys_named(const struct http_keys *keys, const char *name);

/* Makes a key and appends its line to the file, which is made (mode 0600) where there is none. The
 * text in `key` is the only copy there will ever be. A failure leaves the file as it was. */
enum jl_status http_keys_add(const char *path, const struct http_key *limits,
                             char key[HTTP_KEY_TEXT], struct jl_error *err);
/* Takes the line of that name out. JL_ERR_USAGE: there is none. */
enum jl_status http_keys_remove(const char *path, const char *name, struct jl_error *err);

#endif
