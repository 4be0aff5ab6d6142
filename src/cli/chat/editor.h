/* One message after another from whoever talks: edited on a terminal (libedit: Chinese, history,
 * pasted blocks, several lines), read line by line from a dumb terminal or a pipe. */
#ifndef JL_CLI_CHAT_EDITOR_H
#define JL_CLI_CHAT_EDITOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct editor;

#define EDITOR_MESSAGE_LIMIT ((size_t)16 << 20) // bytes

enum editor_kind {
    EDITOR_FULL,  // a terminal that can move its cursor
    EDITOR_PLAIN, // a dumb terminal: no escape sequence is written
    EDITOR_PIPE,  // no terminal
};

/* Makes the character type of the process UTF-8, by C.UTF-8 where the environment says otherwise;
 * false when the system has neither (the editor is then EDITOR_PLAIN). */
bool editor_set_locale(void);

enum editor_kind editor_find_kind(bool utf8);

/* The descriptor on which EDITOR_FULL draws. */
int editor_screen(void);

/* `color`: the prompt may be bold. signals_install comes first, with the same idea of a terminal.
 */
enum jl_status editor_open(enum editor_kind kind, bool color, struct editor **out,
                           struct jl_error *err);
void editor_close(struct editor *editor); // NULL is fine

enum editor_event {
    EDITOR_MESSAGE, // *text, *len: a heap string that the caller frees, NUL behind it
    EDITOR_LEAVE,   // Ctrl-D, end of input, or Ctrl-C twice
};

/* A backslash at the end of a line continues the message on the next one. */
enum jl_status editor_read(struct editor *editor, enum editor_event *event, char **text,
                           size_t *len, struct jl_error *err);

#endif
