/* The members of a JSON object's text, each value as it stands there. */
#ifndef JL_TEXT_MEMBERS_H
#define JL_TEXT_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "text/buffer.h"

struct members {
    const char *text;
    size_t len, at;
};

struct member {
    const char *key, *value; // JSON text; the key with its quotes
    size_t key_len, value_len;
};

/* `text` must be the text of one JSON object (json_scan_text). */
void members_open(struct members *members, const char *text, size_t len);
bool members_next(struct members *members, struct member *out);

/* Appends what a JSON string's text stands for. False: out of memory, or no string that UTF-8 can
 * hold (a lone surrogate). */
bool members_decode(const char *json, size_t len, struct byte_buffer *out);

/* Do two objects' texts have the same members in the same order? Strings are compared by what they
 * say, all other values by their text. */
bool members_equal(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
