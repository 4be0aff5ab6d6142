#include "cli/chat/wide.h"

#include <stdlib.h>
#include <string.h>

#include "text/utf8.h"

#define REPLACEMENT 0xFFFDu

wchar_t *wide_from_utf8(const char *text, size_t len) {
    wchar_t *out = len < SIZE_MAX / sizeof *out - 1 ? malloc((len + 1) * sizeof *out) : NULL;
    size_t n = 0;
    if (!out) return NULL;
    for (size_t at = 0; at < len;) {
        uint32_t code;
        at += (size_t)utf8_step(text + at, len - at, &code);
        out[n++] = (wchar_t)(code == 0 || code >= UTF8_CODE_END ? REPLACEMENT : code);
    }
    out[n] = 0;
    return out;
}

char *wide_to_utf8(const wchar_t *text, size_t *len) {
    size_t n = wcslen(text);
    char *out = n < SIZE_MAX / UTF8_MAX - 1 ? malloc(n * UTF8_MAX + 1) : NULL;
    if (!out) return NULL;
    *len = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t code = (uint32_t)text[i];
        if (code >= UTF8_CODE_END || (code >= 0xD800 && code < 0xE000)) code = REPLACEMENT;
        *len += (size_t)utf8_encode(code, out + *len);
    }
    out[*len] = 0;
    return out;
}

wchar_t *wide_copy(const wchar_t *text, size_t n) {
    wchar_t *out = n < SIZE_MAX / sizeof *out - 1 ? malloc((n + 1) * sizeof *out) : NULL;
    if (!out) return NULL;
    memcpy(out, text, n * sizeof *out);
    out[n] = 0;
    return out;
}

int wide_cells(uint32_t code) {
    int cells = wcwidth((wchar_t)code);
    return cells < 0 ? 1 : cells;
}
