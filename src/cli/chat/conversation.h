/* What was said: messages as JSON, as templates and files want them.
 *
 * Each is {"role": "user" | "assistant", "content": TEXT}; an assistant's may have "reasoning" (its
 * thought) and "tool_calls" ([{"type": "function", "function": {"name", "arguments": {..}}}]). */
#ifndef JL_CLI_CHAT_CONVERSATION_H
#define JL_CLI_CHAT_CONVERSATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct conversation {
    json_t *system;   // a string, or NULL
    json_t *messages; // an array
};

enum jl_status conversation_init(struct conversation *out, struct jl_error *err);
void conversation_free(struct conversation *conversation);  // zeroed is fine
void conversation_clear(struct conversation *conversation); // the system message stays

size_t conversation_count(const struct conversation *conversation);
bool conversation_is(const struct conversation *conversation, size_t i, const char *role);

/* Takes `message` (a reference), also when it fails. */
enum jl_status conversation_add(struct conversation *conversation, json_t *message,
                                struct jl_error *err);
void conversation_drop_last(struct conversation *conversation);
/* The same, but the message becomes the caller's. NULL: there is none. */
json_t *conversation_take_last(struct conversation *conversation);

/* Text that is not UTF-8 is JL_ERR_USAGE. len 0 removes the system message. */
enum jl_status conversation_set_system(struct conversation *conversation, const char *text,
                                       size_t len, struct jl_error *err);
enum jl_status conversation_message(const char *role, const char *text, size_t len, json_t **out,
                                    struct jl_error *err);

#endif
