#include "text/tokenizer/base64.h"

#include <stdint.h>

static int value_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(const char *text, size_t len, char *out, size_t *n) {
    size_t padding = len >= 2 && text[len - 1] == '=' ? (text[len - 2] == '=' ? 2 : 1) : 0;
    *n = 0;
    if (len == 0 || len % 4 != 0) return false;
    for (size_t i = 0; i < len; i += 4) {
        uint32_t bits = 0;
        for (size_t k = i; k < i + 4; k++) {
            int value = k < len - padding ? value_of(text[k]) : 0;
            if (value < 0) return false;
            bits = bits << 6 | (uint32_t)value;
        }
        size_t keep = i + 4 == len ? 3 - padding : 3;
        for (size_t k = 0; k < 3; k++) {
            char byte = (char)(bits >> (16 - 8 * k) & 0xFF);
            if (k < keep)
                out[(*n)++] = byte;
            else if (byte)
                return false; // bits that no byte takes
        }
    }
    return true;
}
