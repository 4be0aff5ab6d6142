/* Room for one more item in a growing array. */
#ifndef JL_TEXT_BPE_TRAIN_GROW_H
#define JL_TEXT_BPE_TRAIN_GROW_H

#include <stddef.h>
#include <stdlib.h>

/* `items`, heap, n of *cap items of `size` bytes used; perhaps elsewhere now. NULL: out of memory,
 * and `items` is as before. */
static inline void *bpe_grow(void *items, size_t n, size_t *cap, size_t size) {
    if (n < *cap) return items;
    size_t more = *cap ? 2 * *cap : 256;
    void *grown = reallocarray(items, more, size);
    if (grown) *cap = more;
    return grown;
}

#endif
