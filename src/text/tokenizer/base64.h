#ifndef JL_TEXT_BASE64_H
#define JL_TEXT_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that `text` stands for into `out`, which has room for 3 bytes for each 4 of the text; it
 * may be `text` itself. False for text that is not base64 with its padding, and for an empty one.
 */
bool base64_decode(const char *text, size_t len, char *out, size_t *n);

#endif
