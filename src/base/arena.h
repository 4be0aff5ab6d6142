/* Bump allocation with one owner and one release.
 *
 * An arena holds everything of one lifetime (a model, a session, a request). Memory is zeroed.
 * A failed allocation returns NULL and leaves the arena usable. */
#ifndef JL_BASE_ARENA_H
#define JL_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *head; // newest block first
    size_t block_size;        // smallest block to ask the heap for, bytes; 0 = default
    size_t bytes;             // handed out so far
};

#define ARENA_ALIGN 64 // every allocation; a cache line and a full AVX-512 vector

void *arena_alloc(struct arena *arena, size_t bytes);
void *arena_calloc(struct arena *arena, size_t count, size_t size); // NULL on overflow too
char *arena_strndup(struct arena *arena, const char *text, size_t len);
char *arena_strdup(struct arena *arena, const char *text);
void arena_reset(struct arena *arena); // keeps one block for reuse
void arena_free(struct arena *arena);

/* Checked arithmetic for sizes that come from outside. True when the result fits. */
bool size_mul(size_t a, size_t b, size_t *out);
bool size_add(size_t a, size_t b, size_t *out);

#endif
