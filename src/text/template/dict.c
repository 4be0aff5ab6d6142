/* Dicts: entries in order of insertion, and an index over their hashes once there are many. */
#include <string.h>

#include "text/template/ops.h"
#include "text/template/value.h"

#define SMALL 8 // entries that are searched one by one

static uint32_t mix(uint32_t hash, const void *bytes, size_t len) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * 16777619u;
    return hash;
}

/* Equal values have equal hashes: True, 1 and 1.0 are one key. False: not hashable. */
static bool hash_value(struct render *r, const struct value *v, uint32_t *hash) {
    int64_t i;
    switch (v->kind) {
    case VALUE_STR:
        *hash = mix(*hash, v->as.s.data, v->as.s.len);
        return render_work(r, v->as.s.len / 32);
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_FLOAT:
        if (ops_as_int(v, &i)) {
            *hash = mix(*hash, &i, sizeof i);
        } else if (v->kind == VALUE_FLOAT && v->as.f >= -9.2e18 && v->as.f <= 9.2e18 &&
                   (double)(int64_t)v->as.f == v->as.f) {
            i = (int64_t)v->as.f;
            *hash = mix(*hash, &i, sizeof i);
        } else {
            *hash = mix(*hash, &v->as.f, sizeof v->as.f);
        }
        return true;
    case VALUE_TUPLE: {
        bool ok = render_enter(r);
        for (size_t n = 0; ok && n < v->as.list.count; n++)
            ok = hash_value(r, v->as.list.items[n], hash);
        render_leave(r);
        return ok;
    }
    case VALUE_LIST:
    case VALUE_DICT:
    case VALUE_VIEW:
        render_fail(r, "a %s cannot be a key (unhashable)", value_type(v));
        return false;
    case VALUE_NONE:
    case VALUE_UNDEFINED:
    case VALUE_RANGE: *hash = mix(*hash, &v->kind, sizeof v->kind); return true;
    default: *hash = mix(*hash, &v, sizeof v); return true;
    }
}

static bool same_key(struct render *r, struct value *a, struct value *b) {
    if (a == b) return true;
    if (a->kind == VALUE_STR && b->kind == VALUE_STR) return str_equal(a->as.s, b->as.s);
    return ops_equal(r, a, b);
}

struct dict *dict_new(struct render *r) {
    return render_alloc(r, sizeof(struct dict));
}

/* Entry of the key, or count. With an index, *slot is where it is or would be. */
static size_t find(struct render *r, const struct dict *d, struct value *key, uint32_t hash,
                   size_t *slot) {
    if (!d->index) {
        size_t i = 0;
        while (i < d->count && !same_key(r, d->entries[i].key, key))
            i++;
        return i;
    }
    for (*slot = hash & (d->n_slot - 1); d->index[*slot]; *slot = (*slot + 1) & (d->n_slot - 1)) {
        size_t i = d->index[*slot] - 1;
        if (same_key(r, d->entries[i].key, key)) return i;
        if (!render_work(r, 1)) break; // keys may be made to collide
    }
    return d->count;
}

static bool grow(struct render *r, struct dict *d) {
    size_t cap = d->cap ? d->cap * 2 : 4, slot;
    struct dict_entry *entries = render_array(r, cap, sizeof *entries);
    if (!entries) return false;
    if (d->count) memcpy(entries, d->entries, d->count * sizeof *entries);
    d->entries = entries;
    d->cap = cap;
    if (cap <= SMALL) return true;
    if (cap > UINT32_MAX / 2) return RENDER_NO(render_limit(r, "a dict is too large"));
    d->n_slot = cap * 2;
    d->index = render_array(r, d->n_slot, sizeof *d->index);
    if (!d->index) return false;
    for (size_t i = 0; i < d->count; i++) {
        uint32_t hash = 2166136261u;
        if (!hash_value(r, entries[i].key, &hash)) return false;
        slot = hash & (d->n_slot - 1);
        while (d->index[slot])
            slot = (slot + 1) & (d->n_slot - 1);
        d->index[slot] = (uint32_t)i + 1;
    }
    return true;
}

bool dict_set(struct render *r, struct dict *d, struct value *key, struct value *value) {
    uint32_t hash = 2166136261u;
    size_t slot = 0;
    if (!key || !value || !hash_value(r, key, &hash)) return false;
    size_t at = find(r, d, key, hash, &slot);
    if (r->failed) return false;
    if (at < d->count) {
        d->entries[at].value = value;
        return true;
    }
    if (d->count == d->cap) {
        if (!grow(r, d)) return false;
        if (d->index) find(r, d, key, hash, &slot);
    }
    if (r->failed) return false;
    d->entries[d->count++] = (struct dict_entry){key, value};
    if (d->index) d->index[slot] = (uint32_t)d->count;
    return true;
}

bool dict_get(struct render *r, const struct dict *d, struct value *key, struct value **out) {
    uint32_t hash = 2166136261u;
    size_t slot;
    *out = NULL;
    if (!hash_value(r, key, &hash)) return false;
    size_t at = find(r, d, key, hash, &slot);
    if (at < d->count) *out = d->entries[at].value;
    return !r->failed;
}

struct value *dict_find(struct render *r, const struct dict *d, struct str key) {
    if (d->index) {
        uint32_t hash = mix(2166136261u, key.data, key.len);
        for (size_t slot = hash & (d->n_slot - 1); d->index[slot];
             slot = (slot + 1) & (d->n_slot - 1)) {
            const struct dict_entry *e = &d->entries[d->index[slot] - 1];
            if (e->key->kind == VALUE_STR && str_equal(e->key->as.s, key)) return e->value;
            if (!render_work(r, 1)) break;
        }
        return NULL;
    }
    for (size_t i = 0; i < d->count; i++) {
        const struct dict_entry *e = &d->entries[i];
        if (e->key->kind == VALUE_STR && str_equal(e->key->as.s, key)) return e->value;
    }
    return NULL;
}

struct value *dict_find_text(struct render *r, const struct dict *d, const char *key) {
    return dict_find(r, d, str_of(key));
}
