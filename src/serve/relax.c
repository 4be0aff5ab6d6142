#include "serve/relax.h"

#include <stdio.h>
#include <string.h>

#define STEP_MOST 256

/* One step of a JSON pointer, with ~0 and ~1 taken back. False: it is too long. */
static bool read_step(const char *at, size_t n, char out[STEP_MOST]) {
    size_t len = 0;
    for (size_t i = 0; i < n && len < STEP_MOST - 1; i++) {
        char c = at[i];
        if (c == '~' && i + 1 < n) c = at[++i] == '1' ? '/' : '~';
        out[len++] = c;
    }
    out[len] = 0;
    return len < STEP_MOST - 1;
}

/* "#/properties/a" up to `end`; NULL: it leads nowhere. */
static json_t *find_node(json_t *schema, const char *pointer, const char *end) {
    char step[STEP_MOST];
    json_t *node = schema;
    if (*pointer != '#') return NULL;
    for (pointer++; node && pointer < end;) {
        const char *next = memchr(pointer + 1, '/', (size_t)(end - pointer - 1));
        if (!next) next = end;
        if (*pointer != '/' || !read_step(pointer + 1, (size_t)(next - pointer - 1), step))
            return NULL;
        size_t index;
        node = json_is_array(node) && sscanf(step, "%zu", &index) == 1
                   ? json_array_get(node, index)
                   : json_object_get(node, step);
        pointer = next;
    }
    return json_is_object(node) ? node : NULL;
}

/* The first word of the message in quotes. */
static bool read_quoted(const char *text, char out[STEP_MOST]) {
    const char *open = strchr(text, '"'), *close = open ? strchr(open + 1, '"') : NULL;
    return close && read_step(open + 1, (size_t)(close - open - 1), out);
}

/* Alternatives of which only one may hold become alternatives. */
static bool loosen(json_t *node, const char *keyword) {
    json_t *value = json_object_get(node, keyword);
    if (!value) return false;
    if (!strcmp(keyword, "oneOf") && !json_object_get(node, "anyOf") &&
        json_object_set(node, "anyOf", value))
        return false;
    return !json_object_del(node, keyword);
}

/* A message without a place: of a pattern that cannot be read. */
static bool drop_patterns(json_t *node) {
    const char *key;
    json_t *value;
    void *next;
    size_t i;
    bool changed = false;
    if (json_is_object(node)) {
        json_object_foreach_safe(node, next, key, value) {
            if (!strcmp(key, "patternProperties") ||
                (!strcmp(key, "pattern") && json_is_string(value)))
                changed = !json_object_del(node, key) || changed;
            else
                changed = drop_patterns(value) || changed;
        }
    }
    json_array_foreach(node, i, value) { changed = drop_patterns(value) || changed; }
    return changed;
}

bool relax_schema(json_t *schema, const char *message) {
    static const char place[] = "the schema at ";
    const char *at = strstr(message, place);
    char keyword[STEP_MOST];
    if (!at) return drop_patterns(schema);
    const char *pointer = at + sizeof place - 1;
    for (const char *end = pointer; (end = strstr(end, ": ")); end++) {
        json_t *node = find_node(schema, pointer, end);
        if (!node) continue; // a name may have a colon
        if (!strncmp(end + 2, "the format", 10)) return loosen(node, "format");
        if (read_quoted(end + 2, keyword) && loosen(node, keyword)) return true;
        return json_object_size(node) && !json_object_clear(node);
    }
    return false;
}
