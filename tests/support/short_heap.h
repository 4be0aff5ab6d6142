/* A heap that runs out. The allocations of programs that use short_heap_dep pass through it
 * (malloc, calloc, realloc), with short_heap_all_dep also aligned_alloc and strdup. */
#ifndef JL_TESTS_SUPPORT_SHORT_HEAP_H
#define JL_TESTS_SUPPORT_SHORT_HEAP_H

#include <stdbool.h>

extern long short_heap_left;  // allocations that still work, then none does; negative: all
extern long short_heap_calls; // so far

bool short_heap_fails(void); // counts one more

#endif
