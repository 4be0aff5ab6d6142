/* Hashes by which a hub names the content of a file. */
#ifndef JL_HUB_DIGEST_H
#define JL_HUB_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <sha1.h>
#include <sha256.h>

enum hub_hash_kind {
    HUB_HASH_NONE,
    HUB_HASH_SHA256,
    HUB_HASH_GIT, // SHA-1 of "blob SIZE\0" and the content: how git names it
};

#define HUB_HASH_TEXT 65

struct hub_hash {
    enum hub_hash_kind kind;
    char hex[HUB_HASH_TEXT]; // lower case
};

/* Fills `out` from 64 (or 40) hex digits of any case; false: that is no such hash. */
bool hub_hash_read(const char *text, enum hub_hash_kind kind, struct hub_hash *out);
const char *hub_hash_name(enum hub_hash_kind kind); // "sha256", "git", "none"

/* A hash in the making, over a file of `size` bytes. */
struct hub_digest {
    enum hub_hash_kind kind;
    SHA2_CTX sha256;
    SHA1_CTX sha1;
};
void hub_digest_start(struct hub_digest *digest, enum hub_hash_kind kind, int64_t size);
void hub_digest_add(struct hub_digest *digest, const void *data, size_t bytes);
void hub_digest_end(struct hub_digest *digest, struct hub_hash *out);

#endif
