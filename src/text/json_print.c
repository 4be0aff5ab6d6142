#include "text/json_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/json_escape.h"
#include "text/number_text.h"
#include "text/utf8.h"

#define MAX_DEPTH 2048

struct printer {
    struct byte_buffer *out;
    const struct json_print_options *options;
    int level;
    bool too_deep;
};

/* All of these are false when memory runs out. */

static bool put(struct printer *p, const char *text) {
    return buffer_append(p->out, text, strlen(text));
}

static bool put_string(struct printer *p, const char *text, size_t len) {
    char escape[JSON_ESCAPE_BYTES];
    bool ok = put(p, "\"");
    for (size_t at = 0; ok && at < len;) {
        size_t from = at;
        uint32_t code;
        while (at < len && text[at] >= 0x20 && text[at] != '"' && text[at] != '\\')
            at++;
        ok = buffer_append(p->out, text + from, at - from);
        if (!ok || at == len) break;
        at += (size_t)utf8_step(text + at, len - at, &code);
        int n = json_escape_char(code, p->options->ensure_ascii, escape);
        ok = buffer_append(p->out, escape, (size_t)n);
    }
    return ok && put(p, "\"");
}

static bool put_line(struct printer *p) {
    if (p->options->indent <= 0) return true;
    bool ok = put(p, "\n");
    for (int64_t i = (int64_t)p->level * p->options->indent; ok && i > 0; i--)
        ok = put(p, " ");
    return ok;
}

static bool put_comma(struct printer *p) {
    return put(p, p->options->compact || p->options->indent > 0 ? "," : ", ");
}

static bool put_value(struct printer *p, const json_t *value);

static bool put_array(struct printer *p, const json_t *array) {
    size_t n = json_array_size(array);
    bool ok = put(p, "[");
    p->level++;
    for (size_t i = 0; ok && i < n; i++)
        ok = (i == 0 || put_comma(p)) && put_line(p) && put_value(p, json_array_get(array, i));
    p->level--;
    return ok && (n == 0 || put_line(p)) && put(p, "]");
}

struct entry {
    const char *key;
    size_t len;
    const json_t *value;
};

static int by_key(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    size_t shared = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->key, y->key, shared);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static bool put_object(struct printer *p, const json_t *object) {
    size_t n = json_object_size(object), i = 0;
    struct entry *entries = calloc(n + 1, sizeof *entries);
    const char *key;
    size_t len;
    json_t *value;
    if (!entries) return false;
    json_object_keylen_foreach((json_t *)object, key, len, value) {
        entries[i++] = (struct entry){key, len, value};
    }
    if (p->options->sort_keys) qsort(entries, n, sizeof *entries, by_key);
    bool ok = put(p, "{");
    p->level++;
    for (i = 0; ok && i < n; i++)
        ok = (i == 0 || put_comma(p)) && put_line(p) &&
             put_string(p, entries[i].key, entries[i].len) &&
             put(p, p->options->compact ? ":" : ": ") && put_value(p, entries[i].value);
    p->level--;
    free(entries);
    return ok && (n == 0 || put_line(p)) && put(p, "}");
}

static bool put_real(struct printer *p, double value) {
    char text[NUMBER_TEXT_BYTES];
    number_text_repr(value, text);
    if (!strcmp(text, "nan")) strcpy(text, "NaN");
    if (!strcmp(text, "inf")) strcpy(text, "Infinity");
    if (!strcmp(text, "-inf")) strcpy(text, "-Infinity");
    return put(p, text);
}

static bool put_value(struct printer *p, const json_t *value) {
    char text[32];
    p->too_deep |= p->level > MAX_DEPTH;
    if (p->too_deep) return false;
    switch (json_typeof(value)) {
    case JSON_OBJECT: return put_object(p, value);
    case JSON_ARRAY: return put_array(p, value);
    case JSON_STRING: return put_string(p, json_string_value(value), json_string_length(value));
    case JSON_INTEGER:
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return put(p, text);
    case JSON_REAL: return put_real(p, json_real_value(value));
    case JSON_TRUE: return put(p, "true");
    case JSON_FALSE: return put(p, "false");
    default: return put(p, "null");
    }
}

enum jl_status json_print_value(const json_t *value, const struct json_print_options *options,
                                struct byte_buffer *out, struct jl_error *err) {
    static const struct json_print_options plain = {0};
    struct printer p = {.out = out, .options = options ? options : &plain};
    size_t len = out->len;
    if (put_value(&p, value)) return JL_OK;
    out->len = len;
    if (p.too_deep) return jl_fail(err, JL_ERR_LIMIT, "JSON nested deeper than %d", MAX_DEPTH);
    return jl_fail(err, JL_ERR_MEMORY, "out of memory printing JSON");
}
