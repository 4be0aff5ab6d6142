#include "grammar/charset.h"

#include <stdlib.h>
#include <string.h>

static bool room(struct charset *set, size_t n) {
    if (n <= set->cap) return true;
    size_t cap = set->cap ? set->cap : 8;
    while (cap < n)
        cap *= 2;
    void *more = realloc(set->ranges, cap * sizeof *set->ranges);
    if (!more) return false;
    set->ranges = more;
    set->cap = cap;
    return true;
}

/* The first range that ends at or behind `code`. */
static size_t find(const struct charset *set, uint32_t code) {
    size_t low = 0, high = set->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (set->ranges[middle][1] < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Replaces ranges [from, to) by n others. */
static void splice(struct charset *set, size_t from, size_t to, const uint32_t (*with)[2],
                   size_t n) {
    memmove(set->ranges + from + n, set->ranges + to, (set->n - to) * sizeof *set->ranges);
    if (n) memcpy(set->ranges + from, with, n * sizeof *with);
    set->n = set->n - (to - from) + n;
}

bool charset_add(struct charset *set, uint32_t first, uint32_t last) {
    if (last >= CHARSET_END) last = CHARSET_END - 1;
    if (first > last) return true;
    if (!room(set, set->n + 1)) return false;
    size_t from = find(set, first ? first - 1 : 0), to = from; // neighbours join
    while (to < set->n && set->ranges[to][0] <= last + 1)
        to++;
    uint32_t all[1][2] = {{first, last}};
    if (to > from) {
        if (set->ranges[from][0] < first) all[0][0] = set->ranges[from][0];
        if (set->ranges[to - 1][1] > last) all[0][1] = set->ranges[to - 1][1];
    }
    splice(set, from, to, (const uint32_t(*)[2])all, 1);
    return true;
}

bool charset_remove(struct charset *set, uint32_t first, uint32_t last) {
    if (!room(set, set->n + 2)) return false;
    size_t from = find(set, first), to = from, n = 0;
    uint32_t rest[2][2];
    while (to < set->n && set->ranges[to][0] <= last)
        to++;
    if (to > from) {
        if (set->ranges[from][0] < first) {
            rest[n][0] = set->ranges[from][0];
            rest[n++][1] = first - 1;
        }
        if (set->ranges[to - 1][1] > last) {
            rest[n][0] = last + 1;
            rest[n++][1] = set->ranges[to - 1][1];
        }
    }
    splice(set, from, to, (const uint32_t(*)[2])rest, n);
    return true;
}

bool charset_invert(struct charset *set) {
    struct charset all = {0};
    bool fits = charset_add(&all, 0, CHARSET_END - 1);
    for (size_t i = 0; i < set->n && fits; i++)
        fits = charset_remove(&all, set->ranges[i][0], set->ranges[i][1]);
    if (!fits) {
        charset_free(&all);
        return false;
    }
    charset_free(set);
    *set = all;
    return true;
}

bool charset_add_all(struct charset *set, const struct charset *other) {
    for (size_t i = 0; i < other->n; i++)
        if (!charset_add(set, other->ranges[i][0], other->ranges[i][1])) return false;
    return true;
}

bool charset_has(const struct charset *set, uint32_t code) {
    size_t at = find(set, code);
    return at < set->n && set->ranges[at][0] <= code;
}

void charset_free(struct charset *set) {
    free(set->ranges);
    *set = (struct charset){0};
}
