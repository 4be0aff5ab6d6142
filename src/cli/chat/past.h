/* The questions of earlier chats, in a file of the user's: one entry a line, newest last, newlines
 * written as \n and backslashes as \\. */
#ifndef JL_CLI_CHAT_PAST_H
#define JL_CLI_CHAT_PAST_H

#include <stddef.h>

#include "base/status.h"

#define PAST_MAX_ENTRIES 1000            // kept; the file is cut back when it holds twice as many
#define PAST_MAX_ENTRY ((size_t)1 << 16) // longer ones live in memory only

/* $XDG_STATE_HOME/jinlin/history or ~/.local/state/jinlin/history, a heap string; NULL when neither
 * variable is set. */
char *past_path(void);
/* Another file of that folder, which is made: a heap string, or NULL. */
char *past_file(const char *name);

/* Every entry, oldest first, through `add`. An absent file is an empty one. */
enum jl_status past_load(const char *path, void (*add)(void *ctx, const char *entry), void *ctx,
                         struct jl_error *err);

/* One entry more, on disk when this returns; makes the folders and the file (mode 0600). */
enum jl_status past_append(const char *path, const char *entry, struct jl_error *err);

#endif
