#include "cli/chat/shown.h"

#include <stdint.h>
#include <stdio.h>

#include "text/utf8.h"

static bool spelled(uint32_t code) {
    return (code >= 0x80 && code < 0xA0) ||      // C1
           (code >= 0x202A && code <= 0x202E) || // embeddings and overrides of direction
           (code >= 0x2066 && code <= 0x2069) || // isolates
           (code >= 0xE0000 && code <= 0xE007F); // tags: a second, invisible ASCII
}

static bool one(uint32_t code, const char *bytes, size_t n, struct byte_buffer *out) {
    char text[16];
    if (code == '\n' || code == '\t') return buffer_append(out, bytes, n);
    if (code < 0x20 || code == 0x7F) {
        text[0] = '^';
        text[1] = code == 0x7F ? '?' : (char)(code + 0x40);
        return buffer_append(out, text, 2);
    }
    if (code >= UTF8_CODE_END) return buffer_append(out, UTF8_REPLACEMENT, 3);
    if (!spelled(code)) return buffer_append(out, bytes, n);
    int len = snprintf(text, sizeof text, "<U+%04X>", (unsigned)code);
    return buffer_append(out, text, (size_t)len);
}

bool shown_push(struct shown *shown, const char *text, size_t len, struct byte_buffer *out) {
    for (size_t at = 0; at < len;) {
        uint32_t code;
        size_t n = (size_t)utf8_step(text + at, len - at, &code);
        if (shown->held_cr && code != '\n' && !buffer_append(out, "^M", 2)) return false;
        shown->held_cr = code == '\r';
        if (!shown->held_cr && !one(code, text + at, n, out)) return false;
        at += n;
    }
    return true;
}

bool shown_end(struct shown *shown, struct byte_buffer *out) {
    bool fits = !shown->held_cr || buffer_append(out, "^M", 2);
    shown->held_cr = false;
    return fits;
}
