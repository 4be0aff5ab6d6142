#include "support/short_heap.h"

#include <errno.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);

long short_heap_left = -1, short_heap_calls;

bool short_heap_fails(void) {
    short_heap_calls++;
    if (short_heap_left < 0) return false;
    if (short_heap_left-- > 0) return false;
    short_heap_left = 0; // and all after it
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size) { return short_heap_fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t n, size_t size) {
    return short_heap_fails() ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *old, size_t size) {
    return short_heap_fails() ? NULL : __real_realloc(old, size);
}
