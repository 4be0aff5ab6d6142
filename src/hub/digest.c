#include "hub/digest.h"

#include <stdio.h>
#include <string.h>

bool hub_hash_read(const char *text, enum hub_hash_kind kind, struct hub_hash *out) {
    size_t len = kind == HUB_HASH_SHA256 ? 64 : 40;
    *out = (struct hub_hash){0};
    if (strlen(text) != len) return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c >= 'A' && c <= 'F') c = (char)(c - 'A' + 'a');
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) return false;
        out->hex[i] = c;
    }
    out->kind = kind;
    return true;
}

const char *hub_hash_name(enum hub_hash_kind kind) {
    return kind == HUB_HASH_SHA256 ? "sha256" : kind == HUB_HASH_GIT ? "git" : "none";
}

void hub_digest_start(struct hub_digest *digest, enum hub_hash_kind kind, int64_t size) {
    digest->kind = kind;
    SHA256Init(&digest->sha256);
    SHA1Init(&digest->sha1);
    if (kind == HUB_HASH_GIT) {
        char head[32];
        int len = snprintf(head, sizeof head, "blob %lld", (long long)size);
        SHA1Update(&digest->sha1, (const uint8_t *)head, (size_t)len + 1);
    }
}

void hub_digest_add(struct hub_digest *digest, const void *data, size_t bytes) {
    if (digest->kind == HUB_HASH_GIT)
        SHA1Update(&digest->sha1, data, bytes);
    else
        SHA256Update(&digest->sha256, data, bytes);
}

void hub_digest_end(struct hub_digest *digest, struct hub_hash *out) {
    *out = (struct hub_hash){.kind = digest->kind};
    if (digest->kind == HUB_HASH_GIT)
        SHA1End(&digest->sha1, out->hex);
    else
        SHA256End(&digest->sha256, out->hex);
}
