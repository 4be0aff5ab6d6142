/* May this be answered at all? In the order of what a stranger should learn first: is it HTTP, is
 * it meant for us, may the page ask, who asks, for what, how much, how often. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "serve/http/rate.h"
#include "serve/http/self.h"

static void refuse(struct http_request *request, int status, const char *kind,
                   const char *message) {
    http_reply_error(request, status, kind, message);
}

static size_t count_header(const struct http_request *request, const char *name) {
    size_t n = 0;
    for (size_t i = 0; i < request->n_headers; i++)
        n += !strcasecmp(request->headers[i].name, name);
    return n;
}

/* Framing that two readers could understand differently (request smuggling). */
static bool check_framing(struct http_request *request) {
    size_t lengths = count_header(request, "content-length");
    size_t codings = count_header(request, "transfer-encoding");
    const char *coding = http_request_header(request, "transfer-encoding");
    if (lengths + codings <= 1 && (!coding || !strcasecmp(coding, "chunked"))) return true;
    request->must_close = true; // what follows may be a body or a request
    refuse(request, 400, "invalid_request",
           "one content-length, or transfer-encoding: chunked; nothing else and not both");
    return false;
}

static bool check_host(struct http_request *request, struct http_place *place, bool *known) {
    const char *host = http_request_header(request, "host");
    char message[640];
    size_t n = count_header(request, "host");
    *known = n == 1;
    if (n == 0 && !request->is_11) return true; // no browser
    if (n != 1 || !http_place_parse(host, strlen(host), place)) {
        refuse(request, 400, "invalid_request", "a request has one well-formed Host header");
        return false;
    }
    if (http_place_host_allowed(&request->server->places, place)) return true;
    snprintf(message, sizeof message,
             "this server does not answer under the name '%s'; if it should, start it with "
             "--allow-host %s",
             place->host, place->host);
    refuse(request, 421, "forbidden", message);
    return false;
}

static bool check_origin(struct http_request *request, const struct http_place *host) {
    const char *origin = http_request_header(request, "origin");
    const struct http_places *places = &request->server->places;
    char message[512];
    if (!origin) return true;
    switch (http_place_judge(places, origin, host)) {
    case HTTP_ORIGIN_SAME: return true;
    case HTTP_ORIGIN_ALLOWED:
        request->cors_origin = origin;
        for (size_t i = 0; i < places->n_origins; i++)
            if (!strcmp(places->origins[i], "*")) request->cors_origin = "*";
        return true;
    case HTTP_ORIGIN_REFUSED: break;
    }
    snprintf(message, sizeof message,
             "pages of %.200s may not ask this server; if they should, start it with "
             "--allow-origin %.200s",
             origin, origin);
    refuse(request, 403, "forbidden", message);
    return false;
}

/* ---- OPTIONS ---- */

#define USUAL_HEADERS                                                                              \
    "authorization, content-type, x-api-key, api-key, anthropic-version, anthropic-beta, "         \
    "x-request-id"

/* A list of header names can be given back as it came. */
static bool clean_list(const char *text) {
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_, ", text[i]))
            return false;
    return n > 0 && n < 1024;
}

static void answer_options(struct http_request *request) {
    const char *wanted = http_request_header(request, "access-control-request-headers");
    bool preflight = http_request_header(request, "access-control-request-method");
    const char *allow = request->match.allow[0] ? request->match.allow : "GET, POST, OPTIONS";
    struct http_header headers[6] = {{"allow", allow}};
    size_t n = 1;
    if (preflight && request->cors_origin) {
        headers[n++] = (struct http_header){"access-control-allow-methods", allow};
        headers[n++] = (struct http_header){"access-control-allow-headers",
                                            wanted && clean_list(wanted) ? wanted : USUAL_HEADERS};
        headers[n++] = (struct http_header){"access-control-max-age", "600"};
        if (http_request_header(request, "access-control-request-private-network"))
            headers[n++] = (struct http_header){"access-control-allow-private-network", "true"};
    }
    const struct http_reply reply = {.status = 204, .type = "", .headers = headers, .n_headers = n};
    http_reply(request, &reply);
}

/* ---- keys ---- */

static const char *bearer(const struct http_request *request) {
    const char *text = http_request_header(request, "authorization");
    if (!text || strncasecmp(text, "bearer ", 7)) return NULL;
    text += 7;
    return text + strspn(text, " ");
}

/* Under keys_lock. */
static struct http_key *presented(const struct http_request *request) {
    const struct http_keys *keys = &request->server->keys;
    const char *texts[] = {bearer(request), http_request_header(request, "x-api-key"),
                           http_request_header(request, "api-key")};
    struct http_key *found = NULL;
    for (size_t i = 0; i < 3 && !found; i++)
        if (texts[i]) found = http_keys_find(keys, texts[i]);
    return found;
}

static bool check_key(struct http_request *request) {
    struct http_server *server = request->server;
    static const struct http_header challenge = {"www-authenticate", "Bearer realm=\"jinlin\""};
    pthread_mutex_lock(&server->keys_lock);
    const struct http_key *key = presented(request);
    if (key) {
        memcpy(request->key, key->name, sizeof request->key);
        request->client = (struct http_client){
            .name = request->key,
            .at_once = key->at_once ? key->at_once : server->limits.key_at_once,
            .per_minute = key->per_minute ? key->per_minute : server->limits.key_per_minute,
            .tokens_per_minute = key->tokens_per_minute,
            .admin = key->admin};
    }
    pthread_mutex_unlock(&server->keys_lock);
    if (key) return true;
    bool any = bearer(request) || http_request_header(request, "x-api-key") ||
               http_request_header(request, "api-key");
    http_request_refuse(request, 401, "unauthorized",
                        any ? "the key is not known to this server"
                            : "a key is needed: Authorization: Bearer KEY, or x-api-key",
                        &challenge, 1);
    return false;
}

static void refuse_rate(struct http_request *request, int64_t wait_ns, const char *message) {
    char seconds[24];
    int64_t wait = (wait_ns + 999 * HTTP_MS) / (1000 * HTTP_MS);
    snprintf(seconds, sizeof seconds, "%lld", (long long)(wait > 0 ? wait : 1));
    http_request_refuse(request, 429, "rate_limit", message,
                        &(struct http_header){"retry-after", seconds}, 1);
}

static bool check_rate(struct http_request *request) {
    struct http_server *server = request->server;
    char message[160];
    bool busy = false;
    int64_t wait = 0;
    if (!request->client.name || (request->match.route && request->match.route->light)) return true;
    pthread_mutex_lock(&server->keys_lock);
    /* Gone when the file was read again since: then it is its last request. */
    struct http_key *key = http_keys_named(&server->keys, request->key);
    if (key) {
        busy = request->client.at_once && key->active >= request->client.at_once;
        if (!busy) wait = http_rate_take(&key->tat_ns, request->client.per_minute, clock_ns());
        if (!busy && !wait) {
            key->active++;
            request->key_counted = true;
        }
    }
    pthread_mutex_unlock(&server->keys_lock);
    if (busy) {
        snprintf(message, sizeof message, "this key has %u requests under way, its most at once",
                 request->client.at_once);
        refuse_rate(request, 1, message);
    } else if (wait) {
        snprintf(message, sizeof message, "this key has made its %u requests of a minute",
                 request->client.per_minute);
        refuse_rate(request, wait, message);
    }
    return !busy && !wait;
}

/* ---- what is asked for ---- */

static bool check_route(struct http_request *request) {
    char message[256];
    const struct http_match *match = &request->match;
    if (match->route) return true;
    if (!match->allow[0]) {
        snprintf(message, sizeof message, "there is nothing at %.200s", request->path);
        refuse(request, 404, "not_found", message);
        return false;
    }
    snprintf(message, sizeof message, "%.32s is not for %.100s; allowed: %s", request->method,
             request->path, match->allow);
    http_request_refuse(request, 405, "method_not_allowed", message,
                        &(struct http_header){"allow", match->allow}, 1);
    return false;
}

static bool check_size(struct http_request *request) {
    char message[160];
    size_t most = request->server->limits.body_bytes;
    if (request->declared < 0 || (uint64_t)request->declared <= most) return true;
    snprintf(message, sizeof message, "the body has %lld bytes; this server takes up to %zu",
             (long long)request->declared, most);
    refuse(request, 413, "too_large", message);
    return false;
}

static bool check_target(struct http_request *request) {
    struct http_server *server = request->server;
    struct jl_error err;
    bool options = !strcmp(request->method, "OPTIONS");
    if (options && !strcmp(request->raw, "*")) return true;
    enum jl_status status =
        http_target_parse(request->raw, &request->arena, &request->target, &err);
    if (status == JL_OK)
        status = http_route_find(server->routes, server->n_routes, request->method,
                                 &request->target, &request->arena, &request->match, &err);
    if (status == JL_OK) return true;
    bool memory = status == JL_ERR_MEMORY;
    refuse(request, memory ? 503 : 400, memory ? "overloaded" : "invalid_request", err.message);
    return false;
}

bool http_gate_check(struct http_request *request) {
    struct http_server *server = request->server;
    struct http_place host;
    bool known;
    if (!check_framing(request) || !check_target(request) || !check_host(request, &host, &known) ||
        !check_origin(request, known ? &host : NULL))
        return false;
    if (!strcmp(request->method, "OPTIONS")) {
        if (request->raw[0] == '/' && !request->match.allow[0])
            check_route(request);
        else
            answer_options(request);
        return false;
    }
    bool open = request->match.route && request->match.route->open;
    if (server->keys_path && !open && !check_key(request)) return false;
    if (!check_route(request)) return false;
    if (server->draining) {
        http_request_refuse(request, 503, "overloaded", "the server is stopping",
                            &(struct http_header){"retry-after", "5"}, 1);
        return false;
    }
    return check_size(request) && check_rate(request);
}
