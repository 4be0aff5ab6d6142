/* Text of others made fit for a terminal: what would command it is spelled out instead.
 *
 * Newlines and tabs pass, \r\n is a newline. Other control characters appear as ^X, C1 controls and
 * characters that turn the writing direction or hide text as <U+202E>, ill-formed bytes as U+FFFD.
 */
#ifndef JL_CLI_CHAT_SHOWN_H
#define JL_CLI_CHAT_SHOWN_H

#include <stdbool.h>
#include <stddef.h>

#include "text/buffer.h"

struct shown {
    bool held_cr; // the text so far ends in \r
};

/* Appends to `out`; false: out of memory, and `out` holds a part. Cut only between characters. */
bool shown_push(struct shown *shown, const char *text, size_t len, struct byte_buffer *out);
bool shown_end(struct shown *shown, struct byte_buffer *out);

#endif
