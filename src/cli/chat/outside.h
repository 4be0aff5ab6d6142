/* A text edited in the program that the person likes for that: $VISUAL, $EDITOR, or vi. */
#ifndef JL_CLI_CHAT_OUTSIDE_H
#define JL_CLI_CHAT_OUTSIDE_H

#include <stddef.h>

#include "base/status.h"

/* Waits until the program ends. *out: a heap string of *out_len bytes, NUL behind it, the last
 * newline dropped. The file it passes through is the user's alone and is removed. */
enum jl_status outside_edit(const char *text, size_t len, size_t limit, char **out, size_t *out_len,
                            struct jl_error *err);

#endif
