/* The float exp of the contract; vector bodies repeat its steps lane by lane. The double functions
 * are in base/fmath.h. */
#ifndef JL_KERNEL_FMATH_H
#define JL_KERNEL_FMATH_H

#include "base/fmath.h"

float fmath_exp(float x);

#endif
