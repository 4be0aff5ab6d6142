#include "base/json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

/* Bytes of the longest string or number, marks and escapes counted. */
static size_t longest_token(const char *text, size_t len) {
    size_t longest = 0, run = 0;
    bool string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        run++;
        if (string && c == '\\' && i + 1 < len) {
            i++;
            run++;
        } else if (c == '"') {
            string = !string;
            if (string) run = 1;
        } else if (!string && strchr(" \t\r\n,:[]{}", c)) {
            run = 0;
        }
        if (run > longest) longest = run;
    }
    return longest;
}

/* How long the first string must be: the buffer has 16 bytes and doubles whenever one more would
 * fill it, and the end of a string must never be what is lost, or jansson reads past it. */
static size_t pad_for(size_t token) {
    size_t size = 16;
    while (size < token && size <= SIZE_MAX / 4)
        size *= 2;
    return size - 1; // its closing mark is byte `size`, just behind where the buffer has doubled
}

/* ["xxx",TEXT]: the buffer in which jansson gathers a token grows with the first string, which can
 * be looked at, and need not grow again. */
static char *lead(const char *text, size_t len, size_t pad, size_t *size) {
    char *all = len < SIZE_MAX - pad - 8 ? malloc(len + pad + 8) : NULL;
    if (!all) return NULL;
    all[0] = '[';
    all[1] = '"';
    memset(all + 2, 'x', pad);
    memcpy(all + 2 + pad, "\",", 2);
    memcpy(all + 4 + pad, text, len);
    all[4 + pad + len] = ']';
    *size = len + pad + 5;
    return all;
}

/* The value behind the string, NULL where this is not what was read. */
static json_t *value_of(const json_t *list, size_t pad) {
    if (json_array_size(list) != 2) return NULL;
    if (json_string_length(json_array_get(list, 0)) != pad) return NULL;
    return json_incref(json_array_get(list, 1));
}

enum jl_status jl_json_load(const char *text, size_t len, size_t flags, json_t **out,
                            json_error_t *error) {
    size_t pad = pad_for(longest_token(text, len)), size;
    char *all = lead(text, len, pad, &size);
    json_error_t unwanted;
    *out = NULL;
    if (!error) error = &unwanted;
    if (!all) return JL_ERR_MEMORY;
    json_t *list = json_loadb(all, size, flags, error);
    free(all);
    *out = value_of(list, pad);
    json_decref(list);
    if (*out) return JL_OK;
    // A fault of the text has its place in the text by itself. Should the heap refuse something
    // again just now, the fault may be misnamed, but it is one.
    json_t *alone = json_loadb(text, len, flags | JSON_DECODE_ANY, error);
    // Where it could not even begin it says nothing.
    bool memory = alone || json_error_code(error) == json_error_out_of_memory || !error->text[0];
    json_decref(alone);
    return memory ? JL_ERR_MEMORY : JL_ERR_FORMAT;
}

/* One step of a pointer, unescaped: %25 is of URIs, ~0 and ~1 of pointers. */
static size_t unescape(const char *from, size_t len, char *to) {
    size_t n = 0, out = 0;
    for (size_t i = 0; i < len; i++) {
        bool hex = from[i] == '%' && len - i > 2 && hex_digit(from[i + 1]) >= 0 &&
                   hex_digit(from[i + 2]) >= 0;
        to[n++] = hex ? (char)(hex_digit(from[i + 1]) * 16 + hex_digit(from[i + 2])) : from[i];
        if (hex) i += 2;
    }
    for (size_t i = 0; i < n; i++) {
        bool escape = to[i] == '~' && i + 1 < n && (to[i + 1] == '0' || to[i + 1] == '1');
        to[out++] = !escape ? to[i] : to[i + 1] == '0' ? '~' : '/';
        if (escape) i++;
    }
    return out;
}

static const json_t *step_into(const json_t *at, const char *step, size_t len) {
    if (json_is_object(at)) return json_object_getn(at, step, len);
    char *end;
    char number[12];
    if (!json_is_array(at) || len == 0 || len >= sizeof number) return NULL;
    memcpy(number, step, len);
    number[len] = '\0';
    unsigned long index = strtoul(number, &end, 10);
    return *end || number[0] < '0' || number[0] > '9' ? NULL : json_array_get(at, index);
}

enum jl_status jl_json_pointer(const json_t *root, const char *pointer, const json_t **out) {
    char *step = malloc(strlen(pointer) + 1);
    *out = NULL;
    if (!step) return JL_ERR_MEMORY;
    const char *p = pointer;
    while (*p == '/' && root) {
        size_t len = strcspn(++p, "/");
        root = step_into(root, step, unescape(p, len, step));
        p += len;
    }
    free(step);
    if (!*p) *out = root;
    return JL_OK;
}
