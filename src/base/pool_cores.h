/* How many threads are worth starting: the part of pool_default_threads that reads the system's
 * files, with their root as an argument so that a test can bring its own.
 *
 * A file that is absent or that does not read as expected limits nothing. */
#ifndef JL_BASE_POOL_CORES_H
#define JL_BASE_POOL_CORES_H

#include <stdbool.h>

/* Cores among the allowed CPUs (one per group of SMT siblings), not above the cgroup quota rounded
 * up. `root` is "" on a real system. At least 1. */
int pool_cores_at(const char *root, const bool *allowed, int n_cpu);

#endif
