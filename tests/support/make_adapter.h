/* Adapters for tests: what a new one holds, with a B that is not zero. */
#ifndef JL_TESTS_SUPPORT_MAKE_ADAPTER_H
#define JL_TESTS_SUPPORT_MAKE_ADAPTER_H

#include "model/adapter.h"

/* On every matrix called `role` ("all": on all). Fails the test on any error. */
struct adapter *make_adapter(const struct model *base, const char *role, int rank, double alpha,
                             uint64_t seed);
/* The same on matrices of several names. */
struct adapter *make_adapter_on(const struct model *base, const char *const *roles, int n_role,
                                int rank, double alpha, uint64_t seed);
/* All that an adapter may stand on. */
#define MAKE_ADAPTER_EVERY 3
extern const char *const make_adapter_every[MAKE_ADAPTER_EVERY];
/* Fails the test where the two differ in anything but their names. */
void same_adapters(const struct adapter *a, const struct adapter *b);

#endif
