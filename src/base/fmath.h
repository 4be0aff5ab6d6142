/* Own elementary functions in double: the same bits with every compiler, C library and CPU.
 *
 * Only +, -, *, / and comparisons in a written order; about 1 ulp. They are for set-up (rotary
 * tables), not for inner loops. */
#ifndef JL_BASE_FMATH_H
#define JL_BASE_FMATH_H

double fmath_exp64(double x);
double fmath_log64(double x);           // x > 0
double fmath_pow64(double x, double y); // x > 0
void fmath_sincos64(double x, double *sin_out, double *cos_out); // |x| <= 2^31

#endif
