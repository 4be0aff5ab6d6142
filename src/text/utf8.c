#include "text/utf8.h"

#include <string.h>

/* Range of the second byte for a lead byte; the third and fourth are always 80..BF. */
struct lead {
    int len;
    unsigned char lo, hi;
};

static struct lead lead_of(unsigned char byte) {
    if (byte >= 0xC2 && byte <= 0xDF) return (struct lead){2, 0x80, 0xBF};
    if (byte == 0xE0) return (struct lead){3, 0xA0, 0xBF};
    if (byte == 0xED) return (struct lead){3, 0x80, 0x9F};
    if (byte >= 0xE1 && byte <= 0xEF) return (struct lead){3, 0x80, 0xBF};
    if (byte == 0xF0) return (struct lead){4, 0x90, 0xBF};
    if (byte >= 0xF1 && byte <= 0xF3) return (struct lead){4, 0x80, 0xBF};
    if (byte == 0xF4) return (struct lead){4, 0x80, 0x8F};
    return (struct lead){byte < 0x80 ? 1 : 0, 0, 0};
}

/* How many bytes of the character that `lead` begins are there. */
static int present(const unsigned char *at, size_t len, struct lead lead) {
    int n = 1;
    while (n < lead.len && (size_t)n < len) {
        unsigned char lo = n == 1 ? lead.lo : 0x80, hi = n == 1 ? lead.hi : 0xBF;
        if (at[n] < lo || at[n] > hi) break;
        n++;
    }
    return n;
}

int utf8_length(const char *text, size_t len) {
    const unsigned char *at = (const unsigned char *)text;
    if (len == 0) return 0;
    if (at[0] < 0x80) return 1;
    struct lead lead = lead_of(at[0]);
    return lead.len && present(at, len, lead) == lead.len ? lead.len : 0;
}

int utf8_decode(const char *text, size_t len, uint32_t *code) {
    const unsigned char *at = (const unsigned char *)text;
    int n = utf8_length(text, len);
    switch (n) {
    case 0: *code = UTF8_CODE_END + (len ? at[0] : 0u); break;
    case 1: *code = at[0]; break;
    case 2: *code = (at[0] & 0x1Fu) << 6 | (at[1] & 0x3Fu); break;
    case 3: *code = (at[0] & 0x0Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu); break;
    default:
        *code =
            (at[0] & 0x07u) << 18 | (at[1] & 0x3Fu) << 12 | (at[2] & 0x3Fu) << 6 | (at[3] & 0x3Fu);
        break;
    }
    return n;
}

int utf8_step(const char *text, size_t len, uint32_t *code) {
    int n = utf8_decode(text, len, code);
    return n ? n : 1;
}

int utf8_bad_length(const char *text, size_t len, bool *could_complete) {
    const unsigned char *at = (const unsigned char *)text;
    struct lead lead = lead_of(at[0]);
    int n = present(at, len, lead);
    *could_complete = lead.len > 1 && (size_t)n == len && n < lead.len;
    return n;
}

size_t utf8_whole_length(const char *text, size_t len) {
    size_t back = 0;
    while (back < len && back < UTF8_MAX - 1) {
        back++;
        if (((unsigned char)text[len - back] & 0xC0) != 0x80) break;
    }
    bool could_complete = false;
    if (back) utf8_bad_length(text + len - back, back, &could_complete);
    return could_complete ? len - back : len;
}

int utf8_encode(uint32_t code, char out[UTF8_MAX]) {
    if (code >= UTF8_CODE_END) {
        out[0] = (char)(code - UTF8_CODE_END);
        return 1;
    }
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    int n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (int i = n - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(0xF00u >> n | code); // n leading ones
    return n;
}

bool utf8_is_space(uint32_t code) {
    return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
           code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

/* The zeros; each has its nine other digits behind it. */
bool utf8_is_digit(uint32_t code) {
    static const uint32_t zeros[] = {
        0x30,    0x660,   0x6F0,   0x7C0,   0x966,   0x9E6,   0xA66,   0xAE6,   0xB66,   0xBE6,
        0xC66,   0xCE6,   0xD66,   0xDE6,   0xE50,   0xED0,   0xF20,   0x1040,  0x1090,  0x17E0,
        0x1810,  0x1946,  0x19D0,  0x1A80,  0x1A90,  0x1B50,  0x1BB0,  0x1C40,  0x1C50,  0xA620,
        0xA8D0,  0xA900,  0xA9D0,  0xA9F0,  0xAA50,  0xABF0,  0xFF10,  0x104A0, 0x10D30, 0x11066,
        0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0,
        0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2,
        0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
    };
    if (code < 0x80) return code >= '0' && code <= '9';
    for (size_t i = 1; i < sizeof zeros / sizeof zeros[0]; i++) {
        if (code >= zeros[i] && code < zeros[i] + 10) return true;
    }
    return false;
}

size_t utf8_valid_length(const char *text, size_t len) {
    size_t at = 0;
    while (at < len) {
        uint64_t eight;
        if (len - at >= 8 && (memcpy(&eight, text + at, 8), !(eight & 0x8080808080808080u))) {
            at += 8;
            continue;
        }
        const unsigned char *c = (const unsigned char *)text + at;
        if (c[0] > 0xE0 && c[0] < 0xED && len - at >= 3 && (c[1] & 0xC0) == 0x80 &&
            (c[2] & 0xC0) == 0x80) { // most characters of East Asia
            at += 3;
            continue;
        }
        int n = utf8_length(text + at, len - at);
        if (n == 0) break;
        at += (size_t)n;
    }
    return at;
}
