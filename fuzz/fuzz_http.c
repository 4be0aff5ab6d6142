/* What strangers send to the server and our code reads: the same bytes as a target, as a Host, as
 * an Origin, as a file of keys and as a line of the log. The first byte says where the rest is cut.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "serve/http/keys.h"
#include "serve/http/log.h"
#include "serve/http/place.h"
#include "serve/http/route.h"
#include "serve/http/target.h"

static void handle(void *ctx, struct http_request *request) { (void)ctx, (void)request; }

static const struct http_route routes[] = {{"GET", "/", handle, NULL, false},
                                           {"GET", "/v1/models/{id...}", handle, NULL, false},
                                           {"POST", "/v1/{a}/{b}", handle, NULL, false},
                                           {"GET", "/{x}", handle, NULL, false}};

/* Whatever is taken is text, and no part leads elsewhere. */
static void check_text(const char *text) {
    json_t *json = json_string(text); // refuses what is not UTF-8
    if (!json) abort();
    json_decref(json);
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F) abort();
}

static void try_target(const char *raw, const char *method, struct arena *arena) {
    struct http_target target;
    struct http_match match;
    if (http_target_parse(raw, arena, &target, NULL) != JL_OK) return;
    for (size_t i = 0; i < target.n_parts; i++) {
        check_text(target.parts[i]);
        if (!strcmp(target.parts[i], ".") || !strcmp(target.parts[i], "..")) abort();
    }
    for (size_t i = 0; i < target.n_pairs; i++) {
        check_text(target.pairs[i].name);
        check_text(target.pairs[i].value);
    }
    if (http_route_find(routes, 4, method, &target, arena, &match, NULL) != JL_OK) return;
    if (match.route && !match.allow[0]) abort();
    for (size_t i = 0; i < match.n_values; i++)
        if (!match.values[i].value[0]) abort();
}

static void try_places(const char *host, size_t n, const char *origin) {
    static const char *const hosts[] = {"box.lan", "*.example.com"}, *const from[] = {
                                                                         "https://a.b"};
    const struct http_places places = {
        .listen = "127.0.0.1", .hosts = hosts, .n_hosts = 2, .origins = from, .n_origins = 1};
    struct http_place place, again;
    if (!http_place_parse(host, n, &place)) return;
    char text[sizeof place.host + 2] = "";
    bool six = place.literal && strchr(place.host, ':');
    strcat(strcat(strcat(text, six ? "[" : ""), place.host), six ? "]" : "");
    if (!http_place_parse(text, strlen(text), &again) || strcmp(again.host, place.host) ||
        http_place_loopback(&again) != http_place_loopback(&place))
        abort();
    http_place_host_allowed(&places, &place);
    http_place_judge(&places, origin, &place);
    http_place_host_entry(origin);
    http_place_origin_entry(origin);
}

static void try_keys(const char *text, size_t n) {
    struct http_keys keys;
    if (http_keys_parse(text, n, "fuzz", &keys, NULL) != JL_OK) {
        if (keys.rows || keys.n) abort();
        return;
    }
    for (size_t i = 0; i < keys.n; i++)
        if (http_keys_named(&keys, keys.rows[i].name) != &keys.rows[i]) abort();
    http_keys_find(&keys, "abc");
    http_keys_free(&keys);
}

static void try_log(const char *a, const char *b) {
    char out[HTTP_LOG_BYTES];
    const struct http_log_line line = {
        .id = a, .key = b, .client = a, .method = b, .path = a, .end = b};
    size_t n = http_log_format(&line, out);
    if (n >= sizeof out || memchr(out, '\n', n)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena = {.block_size = 1024};
    if (size == 0) return 0;
    const char *text = (const char *)data + 1;
    size_t n = size - 1, cut = data[0] < n ? data[0] : n;
    char *first = arena_strndup(&arena, text, cut);
    char *second = arena_strndup(&arena, text + cut, n - cut);
    if (first && second) {
        try_target(second, first, &arena);
        try_places(text, cut, second);
        try_places(second, strlen(second), first);
        try_keys(text, n);
        try_log(first, second);
    }
    arena_free(&arena);
    return 0;
}
