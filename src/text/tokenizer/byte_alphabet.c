#include "text/tokenizer/byte_alphabet.h"

#include "text/utf8.h"

static bool is_itself(uint32_t code) {
    return (code >= 0x21 && code <= 0x7E) || (code >= 0xA1 && code <= 0xAC) ||
           (code >= 0xAE && code <= 0xFF);
}

/* The others in order: 00..20, 7F..A0, AD. */
static uint32_t char_of(unsigned char byte) {
    if (is_itself(byte)) return byte;
    return 0x100u + (byte <= 0x20 ? byte : byte <= 0xA0 ? byte - 0x7Fu + 0x21u : 0x43u);
}

static int byte_of(uint32_t code) {
    if (is_itself(code)) return (int)code;
    if (code < 0x100 || code > 0x143) return -1;
    uint32_t n = code - 0x100;
    return (int)(n <= 0x20 ? n : n < 0x43 ? n - 0x21 + 0x7F : 0xAD);
}

bool byte_alphabet_write(const char *bytes, size_t len, struct byte_buffer *out) {
    size_t most;
    if (len > SIZE_MAX / 2) return false;
    most = 2 * len;
    if (!buffer_reserve(out, most)) return false;
    for (size_t i = 0; i < len; i++)
        out->len += (size_t)utf8_encode(char_of((unsigned char)bytes[i]), out->data + out->len);
    return true;
}

bool byte_alphabet_read(const char *text, size_t len, struct byte_buffer *out, bool *known) {
    out->len = 0;
    *known = true;
    if (!buffer_reserve(out, len + 1)) return false;
    for (size_t at = 0; at < len && *known;) {
        uint32_t code;
        at += (size_t)utf8_step(text + at, len - at, &code);
        int byte = byte_of(code);
        *known = byte >= 0;
        out->data[out->len++] = (char)byte;
    }
    return true;
}
