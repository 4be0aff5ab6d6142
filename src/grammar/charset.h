/* Sets of code points, as ascending disjoint ranges. */
#ifndef JL_GRAMMAR_CHARSET_H
#define JL_GRAMMAR_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHARSET_END 0x110000u // code points are below

struct charset {
    uint32_t (*ranges)[2]; // heap; (n), first and last
    size_t n, cap;
};

/* Zero is the empty set. False: out of memory, the set is then as before. */
bool charset_add(struct charset *set, uint32_t first, uint32_t last);
bool charset_remove(struct charset *set, uint32_t first, uint32_t last);
bool charset_invert(struct charset *set);
bool charset_add_all(struct charset *set, const struct charset *other);
bool charset_has(const struct charset *set, uint32_t code);
void charset_free(struct charset *set);

#endif
