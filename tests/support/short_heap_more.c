/* What short_heap_all_dep adds: the allocations of arenas, pools and copied texts. */
#include <stddef.h>

#include "support/short_heap.h"

void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return short_heap_fails() ? NULL : __real_aligned_alloc(alignment, size);
}
char *__wrap_strdup(const char *text) { return short_heap_fails() ? NULL : __real_strdup(text); }
