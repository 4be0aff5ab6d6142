/* UTF-8 and the wide characters that libedit speaks. */
#ifndef JL_CLI_CHAT_WIDE_H
#define JL_CLI_CHAT_WIDE_H

#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

/* Heap strings, NULL when memory is out. Bytes that are no character, and NUL, become U+FFFD. */
wchar_t *wide_from_utf8(const char *text, size_t len);
char *wide_to_utf8(const wchar_t *text, size_t *len);
wchar_t *wide_copy(const wchar_t *text, size_t n);

int wide_cells(uint32_t code); // columns on the screen: 0, 1 or 2

#endif
