#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t used, size; // of data[], bytes
    _Alignas(ARENA_ALIGN) unsigned char data[];
};

#define DEFAULT_BLOCK ((size_t)64 << 10)

bool size_mul(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }

bool size_add(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }

static struct arena_block *new_block(size_t size) {
    size_t total;
    if (!size_add(sizeof(struct arena_block), size, &total)) return NULL;
    if (!size_add(total, ARENA_ALIGN - 1, &total)) return NULL;
    struct arena_block *block = aligned_alloc(ARENA_ALIGN, total & ~(size_t)(ARENA_ALIGN - 1));
    if (!block) return NULL;
    block->next = NULL;
    block->used = 0;
    block->size = size;
    return block;
}

void *arena_alloc(struct arena *arena, size_t bytes) {
    size_t rounded;
    if (!size_add(bytes, ARENA_ALIGN - 1, &rounded)) return NULL;
    rounded &= ~(size_t)(ARENA_ALIGN - 1);
    if (rounded == 0) rounded = ARENA_ALIGN;
    struct arena_block *block = arena->head;
    if (!block || block->size - block->used < rounded) {
        size_t size = arena->block_size ? arena->block_size : DEFAULT_BLOCK;
        block = new_block(rounded > size ? rounded : size);
        if (!block) return NULL;
        block->next = arena->head;
        arena->head = block;
    }
    void *at = block->data + block->used;
    block->used += rounded;
    arena->bytes += rounded;
    memset(at, 0, rounded);
    return at;
}

void *arena_calloc(struct arena *arena, size_t count, size_t size) {
    size_t bytes;
    return size_mul(count, size, &bytes) ? arena_alloc(arena, bytes) : NULL;
}

char *arena_strndup(struct arena *arena, const char *text, size_t len) {
    if (len == SIZE_MAX) return NULL;
    char *copy = arena_alloc(arena, len + 1);
    if (copy) memcpy(copy, text, len);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text) {
    return arena_strndup(arena, text, strlen(text));
}

void arena_reset(struct arena *arena) {
    struct arena_block *keep = arena->head;
    if (!keep) return;
    for (struct arena_block *block = keep->next, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    keep->next = NULL;
    keep->used = 0;
    arena->bytes = 0;
}

void arena_free(struct arena *arena) {
    for (struct arena_block *block = arena->head, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    arena->head = NULL;
    arena->bytes = 0;
}
