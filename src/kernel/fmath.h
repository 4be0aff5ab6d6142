/* The float functions of the contract; vector bodies repeat their steps lane by lane. The double
 * functions are in base/fmath.h. */
#ifndef JL_KERNEL_FMATH_H
#define JL_KERNEL_FMATH_H

#include "base/fmath.h"

float fmath_exp(float x);
float fmath_softplus(float x); // log(1 + exp(x))

#endif
