/* UTF-8 and the few character properties that tokenizers ask for. */
#ifndef JL_TEXT_UTF8_H
#define JL_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_MAX 4                      // bytes of a character
#define UTF8_CODE_END 0x110000u         // code points are below
#define UTF8_REPLACEMENT "\xEF\xBF\xBD" // U+FFFD

/* Bytes of the well-formed character at `text`, 0 when there is none: overlong forms, surrogates,
 * stray and missing continuation bytes are ill-formed (Unicode 14, table 3-7). */
int utf8_length(const char *text, size_t len);

/* The same; *code is the code point, or UTF8_CODE_END + the byte when the result is 0. */
int utf8_decode(const char *text, size_t len, uint32_t *code);

/* A character, or one byte that belongs to none; never 0 for len > 0. Codes as utf8_decode. */
int utf8_step(const char *text, size_t len, uint32_t *code);

/* Length of the longest prefix that is well-formed. */
size_t utf8_valid_length(const char *text, size_t len);

/* Length of the longest prefix that some character begins with, 1 for a byte that begins none:
 * what one U+FFFD stands for (Unicode 14, section 3.9). *whole: more bytes could complete it. */
int utf8_bad_length(const char *text, size_t len, bool *could_complete);

/* Length of `text` without a last character that more bytes could complete. */
size_t utf8_whole_length(const char *text, size_t len);

/* Code point, or UTF8_CODE_END + a byte, into `out`; the number of bytes. */
int utf8_encode(uint32_t code, char out[UTF8_MAX]);

bool utf8_is_space(uint32_t code); // White_Space of Unicode 14
bool utf8_is_digit(uint32_t code); // Nd of Unicode 14
bool utf8_is_word(uint32_t code);  // \w of UTS #18: letters, marks, digits, connectors, joiners

#endif
