/* Jinja turns characters outside ASCII into \x, \u and \U escapes and then reads all escapes as
 * Python does. So a backslash before such a character escapes the escape's backslash, and the
 * character comes out as the text of its escape. */
#include "text/template/lexer_string.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "text/utf8.h"

struct unescape {
    const char *at, *end;
    char *out;
    const char *why;
};

static void put_code(struct unescape *u, uint32_t code) {
    u->out += utf8_encode(code, u->out); // never longer than its escape
}

/* \xhh, \uhhhh or \Uhhhhhhhh; at is behind the letter. */
static enum jl_status put_hex(struct unescape *u, int n) {
    uint32_t code = 0;
    for (int i = 0; i < n; i++, u->at++) {
        int digit = u->at < u->end ? hex_digit(*u->at) : -1;
        if (digit < 0) {
            u->why = "a \\x, \\u or \\U escape is cut short";
            return JL_ERR_FORMAT;
        }
        code = code << 4 | (uint32_t)digit;
    }
    if (code >= UTF8_CODE_END) {
        u->why = "an escape names a character beyond U+10FFFF";
        return JL_ERR_FORMAT;
    }
    if (code >= 0xD800 && code < 0xE000) {
        u->why = "an escape names a surrogate, which is no character";
        return JL_ERR_UNSUPPORTED;
    }
    put_code(u, code);
    return JL_OK;
}

static void put_octal(struct unescape *u) {
    uint32_t code = 0;
    for (int i = 0; i < 3 && u->at < u->end && *u->at >= '0' && *u->at <= '7'; i++, u->at++)
        code = code << 3 | (uint32_t)(*u->at - '0');
    put_code(u, code);
}

/* A backslash that begins no escape stays. */
static void put_literal(struct unescape *u) {
    uint32_t code;
    char text[12];
    int n = utf8_step(u->at, (size_t)(u->end - u->at), &code);
    *u->out++ = '\\';
    if (code < 0x80) {
        *u->out++ = *u->at++;
        return;
    }
    u->at += n;
    int len = snprintf(text, sizeof text,
                       code < 0x100     ? "x%02x"
                       : code < 0x10000 ? "u%04x"
                                        : "U%08x",
                       code);
    memcpy(u->out, text, (size_t)len);
    u->out += len;
}

/* The escape whose letter is at u->at. */
static enum jl_status put_escape(struct unescape *u) {
    static const char letters[] = "abfnrtv\\'\"", codes[] = "\a\b\f\n\r\t\v\\'\"";
    char c = *u->at;
    const char *simple = c ? strchr(letters, c) : NULL;
    if (simple) {
        *u->out++ = codes[simple - letters];
        u->at++;
    } else if (c == '\n') {
        u->at++; // the line goes on
    } else if (c >= '0' && c <= '7') {
        put_octal(u);
    } else if (c == 'x' || c == 'u' || c == 'U') {
        u->at++;
        return put_hex(u, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    } else if (c == 'N') {
        u->why = "escapes by character name (\\N) are not supported";
        return JL_ERR_UNSUPPORTED;
    } else {
        put_literal(u);
    }
    return JL_OK;
}

enum jl_status lexer_string_unescape(const char *source, size_t len, struct arena *arena,
                                     struct str *out, const char **why) {
    size_t room;
    if (!size_mul(len, 5, &room) || !size_add(room, 1, &room)) return JL_ERR_MEMORY;
    if (!memchr(source, '\\', len)) {
        *out = (struct str){.data = source, .len = len};
        return JL_OK;
    }
    char *text = arena_alloc(arena, room);
    if (!text) return JL_ERR_MEMORY;
    struct unescape u = {.at = source, .end = source + len, .out = text};
    while (u.at < u.end) {
        if (*u.at != '\\' || u.at + 1 == u.end) {
            *u.out++ = *u.at++;
            continue;
        }
        u.at++;
        enum jl_status status = put_escape(&u);
        *why = u.why;
        if (status != JL_OK) return status;
    }
    *out = (struct str){.data = text, .len = (size_t)(u.out - text)};
    return JL_OK;
}
