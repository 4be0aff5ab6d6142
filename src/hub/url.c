#include "hub/url.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"

char *hub_text(struct arena *arena, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0) return NULL;
    char *text = arena_alloc(arena, (size_t)len + 1);
    if (!text) return NULL;
    va_start(args, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    return text;
}

static bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

const char *hub_url_escape(const char *text, bool keep_slash, struct arena *arena) {
    static const char digits[] = "0123456789ABCDEF";
    char *out = arena_calloc(arena, strlen(text) + 1, 3);
    size_t n = 0;
    if (!out) return NULL;
    for (const char *c = text; *c; c++) {
        if (is_plain(*c) || (keep_slash && *c == '/')) {
            out[n++] = *c;
            continue;
        }
        out[n++] = '%';
        out[n++] = digits[(unsigned char)*c >> 4];
        out[n++] = digits[(unsigned char)*c & 15];
    }
    return out;
}

const char *hub_url_unescape(const char *text, size_t len, struct arena *arena) {
    char *out = arena_calloc(arena, len + 1, 1);
    size_t n = 0;
    if (!out) return NULL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            out[n++] = text[i];
            continue;
        }
        if (len - i < 3) return NULL;
        int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0 || high + low == 0) return NULL;
        out[n++] = (char)(high * 16 + low);
        i += 2;
    }
    return out;
}

static enum jl_status bad(const char *what, const char *why, struct jl_error *err) {
    return jl_fail(err, JL_ERR_USAGE, "%s is no address that can be used: %s", what, why);
}

/* A name or an IPv4 address, or an IPv6 address in brackets. */
static bool host_ok(const char *host, size_t len) {
    bool bracket = len > 2 && host[0] == '[' && host[len - 1] == ']';
    if (len == 0 || len > 255) return false;
    for (size_t i = bracket; i < len - bracket; i++) {
        char c = host[i];
        if (bracket ? hex_digit(c) < 0 && c != ':' && c != '.' : !is_plain(c) || c == '~')
            return false;
    }
    return true;
}

/* ":8080" or nothing. */
static bool read_port(const char *text, size_t len, int *port) {
    int value = 0;
    if (len == 0) return true;
    if (text[0] != ':' || len < 2 || len > 6) return false;
    for (size_t i = 1; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        value = value * 10 + (text[i] - '0');
    }
    *port = value;
    return value > 0 && value < 65536;
}

enum jl_status hub_url_parse(const char *text, const char *what, struct arena *arena,
                             struct hub_url *out, struct jl_error *err) {
    *out = (struct hub_url){0};
    out->secure = !strncasecmp(text, "https://", 8);
    if (!out->secure && strncasecmp(text, "http://", 7))
        return bad(what, "it must begin with https:// (or http://)", err);
    if (strlen(text) > HUB_MAX_URL) return bad(what, "it is too long", err);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7F || *c == '\\')
            return bad(what, "spaces, backslashes and what is not ASCII must be escaped", err);
    const char *host = text + (out->secure ? 8 : 7);
    size_t len = strcspn(host, "/?#");
    if (memchr(host, '@', len))
        return bad(what, "user names and passwords do not belong in it", err);
    const char *close = memchr(host, ']', len);
    const char *colon = memchr(close ? close : host, ':', len - (size_t)(close ? close - host : 0));
    size_t host_len = colon ? (size_t)(colon - host) : len;
    out->port = out->secure ? 443 : 80;
    if (!host_ok(host, host_len)) return bad(what, "its host name is not well formed", err);
    if (!read_port(host + host_len, len - host_len, &out->port))
        return bad(what, "its port is not well formed", err);
    char *lower = arena_strndup(arena, host, host_len);
    size_t path_len = strcspn(host + len, "#");
    char *path = arena_strndup(arena, host + len, path_len);
    if (!lower || !path) return jl_fail(err, JL_ERR_MEMORY, "out of memory for an address");
    for (char *c = lower; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + ('a' - 'A'));
    out->host = lower;
    out->path = path;
    return JL_OK;
}

bool hub_url_same_origin(const struct hub_url *a, const struct hub_url *b) {
    return a->secure == b->secure && a->port == b->port && !strcmp(a->host, b->host);
}

const char *hub_url_origin(const struct hub_url *url, struct arena *arena) {
    const char *scheme = url->secure ? "https" : "http";
    if (url->port == (url->secure ? 443 : 80)) return hub_text(arena, "%s://%s", scheme, url->host);
    return hub_text(arena, "%s://%s:%d", scheme, url->host, url->port);
}
