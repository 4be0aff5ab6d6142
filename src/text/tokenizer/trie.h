/* Byte trie in a double array: texts -> numbers, walked a byte at a time.
 *
 * The child of a node for a byte is the cell at base ^ byte, if that cell's parent is the node. All
 * children of a node lie in one block of 256 cells and the array is whole blocks, so no step leaves
 * it. Const after trie_build. */
#ifndef JL_TEXT_TRIE_H
#define JL_TEXT_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRIE_ROOT 0u
#define TRIE_NO_VALUE (-1)

struct trie_key {
    const char *text; // len bytes, not empty
    size_t len;
    int32_t value; // >= 0; of equal texts the greatest value stays
};

struct trie_cell {
    uint32_t base, parent;
    int32_t value; // TRIE_NO_VALUE where no text ends
};

struct trie {
    struct trie_cell *cells; // heap
    uint32_t n;              // cells; 0 is a trie that was not built
};

/* Sorts `keys`, which may be NULL for n = 0. False: out of memory. */
bool trie_build(struct trie *trie, struct trie_key *keys, size_t n);
void trie_free(struct trie *trie);

/* Only for a trie that was built. */
static inline bool trie_step(const struct trie *trie, uint32_t *node, unsigned char byte) {
    uint32_t child = trie->cells[*node].base ^ byte;
    if (trie->cells[child].parent != *node) return false;
    *node = child;
    return true;
}

static inline int32_t trie_value(const struct trie *trie, uint32_t node) {
    return trie->cells[node].value;
}

/* Length of the longest text of the trie that `text` begins with, 0 when there is none or when the
 * trie was not built; *value is its number. */
size_t trie_longest(const struct trie *trie, const char *text, size_t len, int32_t *value);

#endif
