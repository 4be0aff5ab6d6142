#include "skill/han.h"

#include <xxhash.h>

#include "text/utf8.h"

bool han_is(uint32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || c == 0x3007 ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c < HAN_CODE_END);
}

int han_decode(const char *text, size_t len, uint32_t *out, int most) {
    int n = 0;
    for (size_t i = 0; i < len;) {
        uint32_t code;
        int bytes = utf8_decode(text + i, len - i, &code);
        if (!bytes || n == most) return -1;
        out[n++] = code;
        i += (size_t)bytes;
    }
    return n;
}

/* Punctuation that parts lines: ASCII's, General Punctuation, CJK and full-width forms. */
static bool parts_lines(uint32_t c) {
    if (c < 0x80)
        return c != '_' && !(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z');
    return utf8_is_space(c) || c == 0xB7 || (c >= 0x2010 && c <= 0x2027) ||
           (c >= 0x3000 && c <= 0x3003) || (c >= 0x3008 && c <= 0x301F) ||
           (c >= 0xFF01 && c <= 0xFF0F) || (c >= 0xFF1A && c <= 0xFF20) ||
           (c >= 0xFF3B && c <= 0xFF40) || (c >= 0xFF5B && c <= 0xFF65);
}

void han_lines_read(const char *text, size_t len, struct han_lines *out) {
    bool inside = false;
    out->n_line = 0;
    out->whole = true;
    for (size_t i = 0; i < len;) {
        uint32_t code;
        i += (size_t)utf8_step(text + i, len - i, &code);
        if (parts_lines(code)) {
            inside = false;
            continue;
        }
        if (!inside && out->n_line == HAN_MOST_LINES) {
            out->whole = false;
            return;
        }
        if (!inside) out->n_char[out->n_line++] = 0;
        inside = true;
        int line = out->n_line - 1;
        if (!han_is(code) || out->n_char[line] == HAN_MOST_CHARS)
            out->whole = false;
        else
            out->code[line][out->n_char[line]++] = code;
    }
}

uint64_t han_hash(const uint32_t *code, int n) { return XXH64(code, (size_t)n * sizeof *code, 0); }
