/* Tokens that end an answer: the tokenizer's, all that generation_config.json lists, GGUF's ends of
 * turns and messages, and what the chat's dialect ends a turn with. */
#ifndef JL_SESSION_END_TOKENS_H
#define JL_SESSION_END_TOKENS_H

#include "format/model_file.h"
#include "text/tokenizer.h"

#define END_TOKENS_MAX 64

struct end_tokens {
    int32_t ids[END_TOKENS_MAX];
    int n;
};

/* n_vocab: ids from here on are no tokens of the model, and left out. */
void end_tokens_find(struct model_file *file, const struct tokenizer *tokenizer, int32_t n_vocab,
                     struct end_tokens *out);
void end_tokens_add(struct end_tokens *ends, int64_t id, int32_t n_vocab);
bool end_tokens_has(const struct end_tokens *ends, int32_t id);

#endif
