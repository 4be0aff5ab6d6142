/* Strings in JSON as Python's json.dumps writes them. */
#ifndef JL_TEXT_JSON_ESCAPE_H
#define JL_TEXT_JSON_ESCAPE_H

#include <stdbool.h>
#include <stdint.h>

#define JSON_ESCAPE_BYTES 16

/* The character inside a string literal, without NUL; its length. */
int json_escape_char(uint32_t code, bool ensure_ascii, char out[JSON_ESCAPE_BYTES]);

#endif
