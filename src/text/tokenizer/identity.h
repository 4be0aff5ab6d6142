/* What a tokenizer was made from, as 128 bits: XXH3 over the parts in order, against mix-ups and
 * not against forgers. A builder begins with its name and adds all that it was given. */
#ifndef JL_TEXT_IDENTITY_H
#define JL_TEXT_IDENTITY_H

#include "text/tokenizer.h"

struct identity {
    uint8_t sum[TOKENIZER_IDENTITY_BYTES];
};

void identity_begin(struct identity *identity, const char *builder);
void identity_add(struct identity *identity, const void *data, size_t bytes); // NULL: nothing
void identity_add_int(struct identity *identity, int64_t value);
void identity_add_tokens(struct identity *identity, const struct token_entry *tokens, int n);

#endif
