#include "text/utf8.h"

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
    case 0:
        *code = UTF8_CODE_END + (len ? at[0] : 0u);
        break;
    case 1:
        *code = at[0];
        break;
    case 2:
        *code = (at[0] & 0x1Fu) << 6 | (at[1] & 0x3Fu);
        break;
    case 3:
        *code = (at[0] & 0x0Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
        break;
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
