#include "serve/http/place.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static bool name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static bool read_port(const char *text, size_t len, int *out) {
    int port = 0;
    if (len == 0 || len > 5) return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        port = port * 10 + (text[i] - '0');
    }
    *out = port;
    return port <= 65535;
}

/* Lower case and, of an IPv6 address, the one way to write it. */
static bool read_host(const char *text, size_t len, bool bracketed, struct http_place *out) {
    unsigned char bytes[16];
    if (len == 0 || len >= sizeof out->host) return false;
    for (size_t i = 0; i < len; i++)
        out->host[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i]);
    out->host[len] = 0;
    if (memchr(text, 0, len)) return false;
    if (bracketed) {
        out->literal = true;
        return inet_pton(AF_INET6, out->host, bytes) == 1 &&
               inet_ntop(AF_INET6, bytes, out->host, sizeof out->host);
    }
    for (size_t i = 0; i < len; i++)
        if (!name_char(out->host[i]) || (out->host[i] == '.' && out->host[i + 1] == '.'))
            return false;
    if (out->host[0] == '.') return false;
    if (out->host[len - 1] == '.') out->host[len - 1] = 0;
    out->literal = inet_pton(AF_INET, out->host, bytes) == 1;
    return out->host[0];
}

bool http_place_parse(const char *text, size_t len, struct http_place *out) {
    *out = (struct http_place){.port = -1};
    bool bracketed = len > 0 && text[0] == '[';
    const char *end = memchr(text, bracketed ? ']' : ':', len);
    if (bracketed && !end) return false;
    size_t host = end ? (size_t)(end - text) : len, after = host + bracketed;
    if (!read_host(text + bracketed, host - bracketed, bracketed, out)) return false;
    if (after == len) return true;
    return text[after] == ':' && read_port(text + after + 1, len - after - 1, &out->port);
}

bool http_place_origin(const char *text, struct http_place *out, bool *secure) {
    *secure = !strncasecmp(text, "https://", 8);
    if (!*secure && strncasecmp(text, "http://", 7)) return false;
    text += *secure ? 8 : 7;
    return http_place_parse(text, strlen(text), out);
}

bool http_place_loopback(const struct http_place *place) {
    const char *host = place->host;
    size_t len = strlen(host);
    unsigned char bytes[16];
    static const unsigned char mapped[13] = {[10] = 0xFF, 0xFF, 127};
    if (!strcmp(host, "localhost")) return true;
    if (len > 10 && !strcmp(host + len - 10, ".localhost")) return true;
    if (!place->literal) return false;
    if (inet_pton(AF_INET, host, bytes) == 1) return bytes[0] == 127;
    return !strcmp(host, "::1") ||
           (inet_pton(AF_INET6, host, bytes) == 1 && !memcmp(bytes, mapped, sizeof mapped));
}

/* "*", "*.name" or a name, any case. */
static bool entry_fits(const char *entry, const char *host) {
    size_t n = strlen(entry), len = strlen(host);
    if (!strcmp(entry, "*")) return true;
    if (entry[0] == '*') return len > n - 1 && !strcasecmp(host + len - (n - 1), entry + 1);
    return !strcasecmp(entry, host);
}

bool http_place_host_allowed(const struct http_places *places, const struct http_place *host) {
    if (http_place_loopback(host)) return true;
    if (places->listen) {
        bool any = !strcmp(places->listen, "0.0.0.0") || !strcmp(places->listen, "::");
        if (host->literal && (any || !strcmp(places->listen, host->host))) return true;
    }
    for (size_t i = 0; i < places->n_hosts; i++)
        if (entry_fits(places->hosts[i], host->host)) return true;
    return false;
}

static int port_of(const struct http_place *place, bool secure) {
    return place->port >= 0 ? place->port : secure ? 443 : 80;
}

enum http_origin http_place_judge(const struct http_places *places, const char *origin,
                                  const struct http_place *host) {
    struct http_place from, entry;
    bool secure, entry_secure, parsed = http_place_origin(origin, &from, &secure);
    /* Behind a proxy that speaks TLS for us Host has no port where the page's address has none. */
    if (parsed && host && !strcmp(from.host, host->host) &&
        port_of(&from, secure) == port_of(host, secure))
        return HTTP_ORIGIN_SAME;
    for (size_t i = 0; i < places->n_origins; i++) {
        const char *text = places->origins[i];
        if (!strcmp(text, "*") || (!parsed && !strcmp(text, origin))) return HTTP_ORIGIN_ALLOWED;
        if (parsed && http_place_origin(text, &entry, &entry_secure) && entry_secure == secure &&
            !strcmp(entry.host, from.host) && port_of(&entry, secure) == port_of(&from, secure))
            return HTTP_ORIGIN_ALLOWED;
    }
    return HTTP_ORIGIN_REFUSED;
}

bool http_place_host_entry(const char *text) {
    struct http_place place;
    if (!strcmp(text, "*")) return true;
    if (!strncmp(text, "*.", 2)) text += 2;
    return http_place_parse(text, strlen(text), &place) && place.port < 0;
}

bool http_place_origin_entry(const char *text) {
    struct http_place place;
    bool secure;
    return !strcmp(text, "*") || !strcmp(text, "null") || http_place_origin(text, &place, &secure);
}
