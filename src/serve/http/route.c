#include "serve/http/route.h"

#include <stdio.h>
#include <string.h>

/* "{name}" and "{name...}" */
static bool is_value(const char *part, size_t n) {
    return n > 2 && part[0] == '{' && part[n - 1] == '}';
}

static bool is_rest(const char *part, size_t n) {
    return is_value(part, n) && n > 5 && !memcmp(part + n - 4, "...", 3);
}

static const char *joined(const struct http_target *target, size_t from, size_t to,
                          struct arena *arena) {
    size_t len = 0;
    for (size_t i = from; i < to; i++)
        len += strlen(target->parts[i]) + 1;
    char *text = arena_alloc(arena, len + 1), *at = text;
    if (!text) return NULL;
    for (size_t i = from; i < to; i++)
        at = stpcpy(stpcpy(at, i > from ? "/" : ""), target->parts[i]);
    return text;
}

/* Does the row's path fit? Its values go to *out. */
static bool fits(const char *path, const struct http_target *target, struct arena *arena,
                 struct http_match *out, bool *memory) {
    size_t i = 0, n_parts = target->n_parts;
    if (n_parts > 1 && !target->parts[n_parts - 1][0]) n_parts--; // a slash at the end
    out->n_values = 0;
    for (const char *at = path + 1;; i++) {
        size_t n = strcspn(at, "/");
        if (i == n_parts) return false;
        const char *part = target->parts[i];
        if (is_value(at, n)) {
            bool rest = is_rest(at, n);
            if (!part[0]) return false;
            struct http_pair *value = &out->values[out->n_values++];
            value->name = arena_strndup(arena, at + 1, n - (rest ? 5 : 2));
            value->value = rest ? joined(target, i, n_parts, arena) : part;
            if (!value->name || !value->value) return *memory = true, false;
            if (rest) return true;
        } else if (strlen(part) != n || memcmp(part, at, n)) {
            return false;
        }
        if (!at[n]) return i + 1 == n_parts;
        at += n + 1;
    }
}

static void allow(struct http_match *out, const char *method) {
    size_t len = strlen(out->allow), n = strlen(method);
    for (const char *at = out->allow; (at = strstr(at, method)); at++)
        if ((at == out->allow || at[-1] == ' ') && (!at[n] || at[n] == ',')) return;
    snprintf(out->allow + len, sizeof out->allow - len, "%s%s", len ? ", " : "", method);
}

enum jl_status http_route_find(const struct http_route *routes, size_t n, const char *method,
                               const struct http_target *target, struct arena *arena,
                               struct http_match *out, struct jl_error *err) {
    struct http_match match;
    *out = (struct http_match){0};
    match.allow[0] = 0;
    for (size_t i = 0; i < n; i++) {
        const char *row = routes[i].method;
        bool memory = false, get = !strcmp(row, "GET");
        if (!fits(routes[i].path, target, arena, &match, &memory)) {
            if (memory) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a request");
            continue;
        }
        allow(out, row);
        if (get) allow(out, "HEAD");
        if (out->route || (strcmp(row, method) && !(get && !strcmp(method, "HEAD")))) continue;
        out->route = &routes[i];
        out->n_values = match.n_values;
        memcpy(out->values, match.values, sizeof match.values);
    }
    if (out->allow[0]) allow(out, "OPTIONS");
    return JL_OK;
}

enum jl_status http_route_check(const struct http_route *routes, size_t n, struct jl_error *err) {
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH"};
    for (size_t i = 0; i < n; i++) {
        const char *path = routes[i].path;
        size_t values = 0;
        bool known = false, rest = false;
        for (size_t k = 0; k < sizeof methods / sizeof methods[0]; k++)
            known |= !strcmp(routes[i].method, methods[k]);
        bool bad = path[0] != '/' || !routes[i].handle;
        for (const char *at = path; !bad && *at; at++) {
            size_t len = strcspn(at + 1, "/");
            bad |= rest; // something follows the rest
            values += is_value(at + 1, len);
            rest |= is_rest(at + 1, len);
            at += len;
        }
        if (!known || bad || values > HTTP_ROUTE_VALUES)
            return jl_fail(err, JL_ERR_USAGE, "row %zu of the table of routes (%s %s) cannot work",
                           i, routes[i].method, path);
    }
    return JL_OK;
}
