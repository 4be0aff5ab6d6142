#include "text/json_escape.h"

#include <stdio.h>
#include <string.h>

#include "text/utf8.h"

int json_escape_char(uint32_t code, bool ensure_ascii, char out[JSON_ESCAPE_BYTES]) {
    static const char plain[] = "\"\\\n\r\t\f\b", letters[] = "\"\\nrtfb";
    const char *at = code && code < 0x80 ? strchr(plain, (int)code) : NULL;
    if (at) {
        out[0] = '\\';
        out[1] = letters[at - plain];
        return 2;
    }
    if (code >= 0x20 && (code < 0x7F || (!ensure_ascii || code == 0x7F)))
        return utf8_encode(code, out);
    if (code < 0x10000) return snprintf(out, JSON_ESCAPE_BYTES, "\\u%04x", code);
    code -= 0x10000;
    return snprintf(out, JSON_ESCAPE_BYTES, "\\u%04x\\u%04x", 0xD800 + (code >> 10),
                    0xDC00 + (code & 0x3FF));
}
