/* The floating-point environment of the contract: round to nearest even, flush-to-zero and
 * denormals-are-zero on, exceptions masked. Set on every thread that computes, restored after. */
#ifndef JL_KERNEL_FPENV_H
#define JL_KERNEL_FPENV_H

#include <stdint.h>

struct fpenv {
    uint64_t control;
};

void fpenv_enter(struct fpenv *saved);
void fpenv_leave(const struct fpenv *saved);

#endif
