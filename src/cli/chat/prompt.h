/* The next prompt of a conversation, as token ids. */
#ifndef JL_CLI_CHAT_PROMPT_H
#define JL_CLI_CHAT_PROMPT_H

#include "cli/chat/conversation.h"
#include "cli/talk.h"

struct prompt {
    int32_t *ids;
    size_t n;
};

/* Without a chat template: all texts one after another. Tokens that are known are not encoded
 * again. At least one token, or an error. */
enum jl_status prompt_plain(const struct talk *talk, const struct conversation *conversation,
                            struct prompt *out, struct jl_error *err);
void prompt_free(struct prompt *prompt);

#endif
