/* A conversation as a file: {"format": "jinlin-conversation", "version": 1, "model": TEXT,
 * "messages": [..]}, the system message first where there is one; messages as in conversation.h. */
#ifndef JL_CLI_CHAT_SAVED_H
#define JL_CLI_CHAT_SAVED_H

#include "cli/chat/conversation.h"

/* Whole or absent. A file that is there is JL_ERR_USAGE unless `overwrite`. */
enum jl_status saved_write(const char *path, const struct conversation *conversation,
                           const char *model, bool overwrite, struct jl_error *err);

/* Also a bare list of messages, and "reasoning_content" for "reasoning". Anything the format does
 * not have is JL_ERR_FORMAT, and *out is then not touched; else its old content is replaced. */
enum jl_status saved_read(const char *path, struct conversation *out, struct jl_error *err);

/* The same from bytes; `path` is for messages. */
enum jl_status saved_parse(const char *path, const char *text, size_t size,
                           struct conversation *out, struct jl_error *err);

#endif
