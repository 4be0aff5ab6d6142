/* Metadata of a model file: one small read-only tree for GGUF key/values and JSON configs alike.
 *
 * A lookup marks the value as read, so that after a load the keys nobody looked at can be listed.
 * Strings are length-counted and may hold any bytes; they are also NUL-terminated unless packed.
 * Packed arrays stay in the file's mapping (a vocabulary of 150,000 strings is not copied). */
#ifndef JL_FORMAT_META_H
#define JL_FORMAT_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum meta_kind {
    META_NULL,
    META_BOOL,
    META_INT,  // fits int64
    META_UINT, // GGUF uint64 above INT64_MAX only
    META_FLOAT,
    META_STRING,
    META_ARRAY,  // of any kinds, items[]
    META_PACKED, // GGUF array of one scalar type or of strings
    META_OBJECT, // items[] with keys, sorted by strcmp, no key twice
};

struct meta {
    const char *key; // NULL for array items and the root
    enum meta_kind kind;
    bool read;    // a lookup has returned this value
    uint8_t gguf; // of a scalar in a GGUF file: its type there (format/gguf_value.h)
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double f;
        struct {
            const char *text;
            size_t len;
        } s;
        struct {
            struct meta *items;
            size_t count;
        } list; // META_ARRAY, META_OBJECT
        struct {
            uint32_t type; // GGUF value type of the elements (format/gguf_value.h)
            size_t count, bytes;
            const uint8_t *data; // validated by the reader
        } packed;
    } as;
};

const char *meta_kind_name(enum meta_kind kind);

/* Value of `key` in an object, NULL when absent. Marks it read. */
struct meta *meta_find(struct meta *object, const char *key);
/* The same, following "a.b" into nested objects when there is no literal key "a.b". */
struct meta *meta_find_path(struct meta *object, const char *path);

/* Sequential reader over META_ARRAY and META_PACKED alike; false at the end. */
struct meta_iter {
    const struct meta *array;
    size_t index, offset;
};
bool meta_iter_next(struct meta_iter *iter, struct meta *out); // out: a scalar or string view
size_t meta_count(const struct meta *array);                   // 0 when not an array

/* Passes the dotted paths of values no lookup returned, sorted, to a callback. Objects are walked
 * into; an array counts as one value. Fails (JL_ERR_MEMORY) before the first call or not at all. */
enum jl_status meta_unread(const struct meta *root, void (*each)(void *ctx, const char *path),
                           void *ctx);

/* For readers that build an object: sorts its items. A key that occurs twice, or NULL. */
const char *meta_sort(struct meta *object);

#endif
