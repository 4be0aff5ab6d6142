/* Lookup by binary search, iteration over both array forms, and the list of unread values. */
#include "format/meta.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "format/gguf_value.h"

const char *meta_kind_name(enum meta_kind kind) {
    switch (kind) {
    case META_NULL:
        return "null";
    case META_BOOL:
        return "bool";
    case META_INT:
    case META_UINT:
        return "integer";
    case META_FLOAT:
        return "float";
    case META_STRING:
        return "string";
    case META_ARRAY:
    case META_PACKED:
        return "array";
    case META_OBJECT:
        return "object";
    }
    return "unknown";
}

static int compare_keys(const void *a, const void *b) {
    return strcmp(((const struct meta *)a)->key, ((const struct meta *)b)->key);
}

const char *meta_sort(struct meta *object) {
    size_t n = object->as.list.count;
    struct meta *items = object->as.list.items;
    if (n > 1) qsort(items, n, sizeof *items, compare_keys);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(items[i - 1].key, items[i].key) == 0) return items[i].key;
    }
    return NULL;
}

/* -1, 0, 1 as strcmp, for a sought key that need not end in NUL. */
static int compare_span(const char *sought, size_t len, const char *key) {
    int order = strncmp(sought, key, len);
    return order ? order : key[len] ? -1 : 0;
}

static struct meta *find_span(struct meta *object, const char *key, size_t len) {
    if (!object || object->kind != META_OBJECT) return NULL;
    size_t lo = 0, hi = object->as.list.count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        struct meta *item = &object->as.list.items[mid];
        int order = compare_span(key, len, item->key);
        if (order == 0) return item;
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

struct meta *meta_find(struct meta *object, const char *key) {
    struct meta *found = find_span(object, key, strlen(key));
    if (found) found->read = true;
    return found;
}

struct meta *meta_find_path(struct meta *object, const char *path) {
    struct meta *found = meta_find(object, path);
    for (const char *dot = strchr(path, '.'); dot && !found; dot = strchr(dot + 1, '.')) {
        struct meta *inner = find_span(object, path, (size_t)(dot - path));
        if (inner) found = meta_find_path(inner, dot + 1);
    }
    return found;
}

bool meta_iter_next(struct meta_iter *iter, struct meta *out) {
    const struct meta *array = iter->array;
    if (iter->index >= meta_count(array)) return false;
    if (array->kind == META_ARRAY) {
        *out = array->as.list.items[iter->index++];
        return true;
    }
    const uint8_t *at = array->as.packed.data + iter->offset;
    *out = (struct meta){0};
    if (array->as.packed.type == GGUF_STRING) {
        uint64_t len;
        memcpy(&len, at, sizeof len);
        out->kind = META_STRING;
        out->as.s.text = (const char *)at + sizeof len;
        out->as.s.len = (size_t)len;
        iter->offset += sizeof len + (size_t)len;
    } else {
        gguf_value_decode((enum gguf_value)array->as.packed.type, at, out);
        iter->offset += gguf_value_bytes(array->as.packed.type);
    }
    iter->index++;
    return true;
}

size_t meta_count(const struct meta *array) {
    if (!array) return 0;
    if (array->kind == META_ARRAY) return array->as.list.count;
    return array->kind == META_PACKED ? array->as.packed.count : 0;
}

/* ---- unread values ---- */

/* One walk serves both passes: without `paths` it measures, with it it fills. */
struct unread_walk {
    size_t count, bytes, longest; // paths, their bytes with NUL, the longest
    char **paths;
    char *text;   // where the next path goes
    char *prefix; // path of the object being walked, with its final dot; `longest` bytes
};

static void walk_unread(struct unread_walk *walk, const struct meta *object, size_t prefix_len) {
    for (size_t i = 0; i < object->as.list.count; i++) {
        const struct meta *item = &object->as.list.items[i];
        size_t key_len = strlen(item->key), len = prefix_len + key_len;
        if (walk->prefix) memcpy(walk->prefix + prefix_len, item->key, key_len + 1);
        if (len + 2 > walk->longest) walk->longest = len + 2;
        if (item->kind == META_OBJECT && item->as.list.count) {
            if (walk->prefix) walk->prefix[len] = '.';
            walk_unread(walk, item, len + 1);
        } else if (!item->read) {
            if (walk->paths) {
                walk->paths[walk->count] = memcpy(walk->text, walk->prefix, len + 1);
                walk->text += len + 1;
            }
            walk->count++;
            walk->bytes += len + 1;
        }
    }
}

static int compare_paths(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum jl_status meta_unread(const struct meta *root, void (*each)(void *ctx, const char *path),
                           void *ctx) {
    if (!root || root->kind != META_OBJECT) return JL_OK;
    struct unread_walk walk = {0};
    walk_unread(&walk, root, 0);
    if (walk.count == 0) return JL_OK;
    size_t n = walk.count;
    struct arena arena = {0};
    walk.paths = arena_calloc(&arena, n, sizeof *walk.paths);
    walk.text = arena_alloc(&arena, walk.bytes);
    walk.prefix = arena_alloc(&arena, walk.longest);
    if (!walk.paths || !walk.text || !walk.prefix) {
        arena_free(&arena);
        return JL_ERR_MEMORY;
    }
    walk.count = 0;
    walk_unread(&walk, root, 0);
    qsort(walk.paths, n, sizeof *walk.paths, compare_paths);
    for (size_t i = 0; i < n; i++)
        each(ctx, walk.paths[i]);
    arena_free(&arena);
    return JL_OK;
}
