/* The factor of RMS and L2 norms, one body for every level. */
#ifndef JL_KERNEL_NORM_H
#define JL_KERNEL_NORM_H

#include <float.h>
#include <math.h>

/* 1 / sqrt(square). A sum of squares that overflowed would make zeros of the row, which nobody
 * would notice: NaN makes it an error. */
static inline float norm_scale(float square) {
    return square <= FLT_MAX ? 1.0f / __builtin_sqrtf(square) : NAN;
}

#endif
