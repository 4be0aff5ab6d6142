/* Adapters for tests: what a new one holds, with a B that is not zero. */
#ifndef JL_TESTS_SUPPORT_MAKE_ADAPTER_H
#define JL_TESTS_SUPPORT_MAKE_ADAPTER_H

#include "model/adapter.h"

/* On every matrix called `role` ("all": on all). Fails the test on any error. */
struct adapter *make_adapter(const struct model *base, const char *role, int rank, double alpha,
                             uint64_t seed);
/* Fails the test where the two differ in anything but their names. */
void same_adapters(const struct adapter *a, const struct adapter *b);

#endif
