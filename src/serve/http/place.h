/* Host and Origin: from where a page may talk to us, and under which name.
 *
 * A page of another site can make a browser send requests to this machine. Origin names the site.
 * When the site's own name is made to lead here (DNS rebinding) Origin says nothing wrong, but Host
 * then has the site's name, which is none of ours. */
#ifndef JL_SERVE_HTTP_PLACE_H
#define JL_SERVE_HTTP_PLACE_H

#include <stdbool.h>
#include <stddef.h>

struct http_place {
    char host[256]; // lower case, no last dot; IPv6 without brackets
    bool literal;   // an IP address
    int port;       // -1: not said
};

/* "name", "name:80", "1.2.3.4:80", "[::1]:80". False: not well formed. */
bool http_place_parse(const char *text, size_t len, struct http_place *out);

/* "https://name:port" and nothing after it; *secure: https. */
bool http_place_origin(const char *text, struct http_place *out, bool *secure);

/* This machine's own: localhost, *.localhost, 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104. */
bool http_place_loopback(const struct http_place *place);

struct http_places {
    const char *listen;       // an IP address; NULL: a Unix socket
    const char *const *hosts; // options.allow_hosts
    size_t n_hosts;
    const char *const *origins; // options.allow_origins
    size_t n_origins;
};

/* Ours: loopback names, the address we listen on (of 0.0.0.0 and :: any IP address, since whoever
 * writes an address was not led here by a name), and the hosts allowed. */
bool http_place_host_allowed(const struct http_places *places, const struct http_place *host);

enum http_origin { HTTP_ORIGIN_SAME, HTTP_ORIGIN_ALLOWED, HTTP_ORIGIN_REFUSED };
/* SAME: the page came from us, that is under the name and port in Host. */
enum http_origin http_place_judge(const struct http_places *places, const char *origin,
                                  const struct http_place *host);

/* Entries as people write them in options: a host name or "*.name" or "*"; an origin or "*". */
bool http_place_host_entry(const char *text);
bool http_place_origin_entry(const char *text);

#endif
