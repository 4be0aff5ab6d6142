/* Dicts: keys of any hashable value, in order of insertion. */
#ifndef JL_TEXT_TEMPLATE_DICT_H
#define JL_TEXT_TEMPLATE_DICT_H

#include "text/template/render.h"
#include "text/template/str.h"

struct value;

struct dict_entry {
    struct value *key, *value;
};

struct dict { // in order of insertion
    struct dict_entry *entries;
    size_t count, cap;
    uint32_t *index; // open addressing, entry + 1; NULL while small
    size_t n_slot;   // power of two
};

struct dict *dict_new(struct render *r);
bool dict_set(struct render *r, struct dict *d, struct value *key, struct value *value);
/* False: failed (an unhashable key). *out is NULL where the key is absent. */
bool dict_get(struct render *r, const struct dict *d, struct value *key, struct value **out);
/* NULL: absent, or the render has failed. */
struct value *dict_find(struct render *r, const struct dict *d, struct str key);
struct value *dict_find_text(struct render *r, const struct dict *d, const char *key);

#endif
