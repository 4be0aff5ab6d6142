#include "serve/http/target.h"

#include <string.h>

#include "base/hex.h"
#include "text/utf8.h"

static bool is_text(const char *text, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) return false;
    return utf8_valid_length(text, n) == n;
}

const char *http_target_decode(const char *raw, size_t n, bool plus_is_space, struct arena *arena,
                               bool *memory) {
    size_t len = 0;
    *memory = false;
    char *out = arena_alloc(arena, n + 1);
    if (!out) {
        *memory = true;
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        char c = raw[i];
        if (c == '%') {
            int high = n - i > 2 ? hex_digit(raw[i + 1]) : -1,
                low = n - i > 2 ? hex_digit(raw[i + 2]) : -1;
            if (high < 0 || low < 0) return NULL;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[len++] = c;
    }
    out[len] = 0;
    return is_text(out, len) ? out : NULL;
}

static enum jl_status undecodable(bool memory, const char *what, struct jl_error *err) {
    if (memory) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a request");
    return jl_fail(err, JL_ERR_FORMAT,
                   "%s of the address is not well formed: it must be UTF-8 without control "
                   "characters, with %%XX for bytes",
                   what);
}

static enum jl_status add_part(const char *raw, size_t n, struct arena *arena,
                               struct http_target *out, struct jl_error *err) {
    bool memory;
    if (out->n_parts == HTTP_TARGET_PARTS)
        return jl_fail(err, JL_ERR_LIMIT, "the path has more than %d parts", HTTP_TARGET_PARTS);
    const char *part = http_target_decode(raw, n, false, arena, &memory);
    if (!part) return undecodable(memory, "the path", err);
    if (!strcmp(part, ".") || !strcmp(part, ".."))
        return jl_fail(err, JL_ERR_FORMAT, "the path must not have '.' or '..' as a part");
    out->parts[out->n_parts++] = part;
    return JL_OK;
}

static enum jl_status add_pair(const char *raw, size_t n, struct arena *arena,
                               struct http_target *out, struct jl_error *err) {
    bool memory;
    if (n == 0) return JL_OK; // "a=1&&b=2"
    if (out->n_pairs == HTTP_TARGET_PAIRS)
        return jl_fail(err, JL_ERR_LIMIT, "the query has more than %d fields", HTTP_TARGET_PAIRS);
    const char *equals = memchr(raw, '=', n);
    size_t name_len = equals ? (size_t)(equals - raw) : n;
    struct http_pair *pair = &out->pairs[out->n_pairs];
    pair->name = http_target_decode(raw, name_len, true, arena, &memory);
    if (!pair->name) return undecodable(memory, "the query", err);
    pair->value =
        equals ? http_target_decode(equals + 1, n - name_len - 1, true, arena, &memory) : "";
    if (!pair->value) return undecodable(memory, "the query", err);
    out->n_pairs++;
    return JL_OK;
}

enum jl_status http_target_parse(const char *raw, struct arena *arena, struct http_target *out,
                                 struct jl_error *err) {
    *out = (struct http_target){.path = ""};
    if (raw[0] != '/')
        return jl_fail(err, JL_ERR_FORMAT, "the address must be a path that begins with '/'");
    if (strchr(raw, '#')) return undecodable(false, "the path", err);
    size_t len = strcspn(raw, "?");
    out->path = arena_strndup(arena, raw, len);
    if (!out->path) return undecodable(true, "", err);
    for (size_t at = 1; at <= len;) {
        size_t n = 0;
        while (at + n < len && raw[at + n] != '/')
            n++;
        JL_TRY(add_part(raw + at, n, arena, out, err));
        at += n + 1;
    }
    for (const char *at = raw[len] ? raw + len + 1 : ""; *at;) {
        size_t n = strcspn(at, "&");
        JL_TRY(add_pair(at, n, arena, out, err));
        at += at[n] ? n + 1 : n;
    }
    return JL_OK;
}
