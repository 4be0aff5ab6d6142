/* The byte alphabet of GPT-2: each byte as one printable character, so that a vocabulary of bytes
 * can be written as text. Bytes 21..7E, A1..AC and AE..FF are themselves, the other 68 are
 * U+0100 and on, in order. */
#ifndef JL_TEXT_BYTE_ALPHABET_H
#define JL_TEXT_BYTE_ALPHABET_H

#include "text/buffer.h"

/* Appends `bytes` as characters; false: out of memory. */
bool byte_alphabet_write(const char *bytes, size_t len, struct byte_buffer *out);

/* Replaces *out by the bytes that `text` stands for. *known is false, and *out of no use, when a
 * character is not in the alphabet. False: out of memory. */
bool byte_alphabet_read(const char *text, size_t len, struct byte_buffer *out, bool *known);

#endif
