/* How much memory this process could still use. */
#ifndef JL_BASE_MEMORY_H
#define JL_BASE_MEMORY_H

#include <stddef.h>

/* The least of what the system has available (cached files count as available), what the process's
 * control groups leave it, and what its address space may grow by. `mapped`: bytes of files that it
 * has mapped and that shall not count against it. SIZE_MAX where nothing is known. */
size_t memory_available(size_t mapped);

#endif
