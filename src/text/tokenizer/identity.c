#include "text/tokenizer/identity.h"

#include <string.h>

#include <xxhash.h>

#include "text/tokenizer/pipeline.h"

_Static_assert(TOKENIZER_IDENTITY_BYTES == sizeof(XXH128_canonical_t), "one sum of 128 bits");

/* The sum so far and the sum of the part, hashed: parts cannot run into each other. */
void identity_add(struct identity *identity, const void *data, size_t bytes) {
    XXH128_canonical_t both[2], sum;
    memcpy(&both[0], identity->sum, sizeof both[0]);
    XXH128_canonicalFromHash(&both[1], data ? XXH3_128bits(data, bytes) : XXH3_128bits("", 0));
    XXH128_canonicalFromHash(&sum, XXH3_128bits(both, sizeof both));
    memcpy(identity->sum, &sum, sizeof sum);
}

void identity_begin(struct identity *identity, const char *builder) {
    *identity = (struct identity){0};
    identity_add(identity, builder, strlen(builder));
}

void identity_add_int(struct identity *identity, int64_t value) {
    identity_add(identity, &value, sizeof value);
}

void identity_add_tokens(struct identity *identity, const struct token_entry *tokens, int n) {
    identity_add_int(identity, n);
    for (int i = 0; i < n; i++) {
        identity_add(identity, tokens[i].text, tokens[i].len);
        identity_add(identity, &tokens[i].score, sizeof tokens[i].score);
        identity_add_int(identity, tokens[i].type);
    }
}

void tokenizer_identity(const struct tokenizer *tokenizer, uint8_t out[TOKENIZER_IDENTITY_BYTES]) {
    memcpy(out, tokenizer->identity.sum, TOKENIZER_IDENTITY_BYTES);
}
