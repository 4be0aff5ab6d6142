/* The float functions of the contract (docs/numerics.md), one lane. */
#include "kernel/fmath.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel/ref/exp.h"
#include "kernel/ref/softplus.h"

float fmath_exp(float x) {
    if (x > EXP_HI) return HUGE_VALF;
    if (x < EXP_LO) return 0.0f;
    float t = fmaf(x, EXP_LOG2E, EXP_MAGIC);
    float n = t - EXP_MAGIC;
    float r = fmaf(n, -EXP_LN2_HI, x);
    r = fmaf(n, -EXP_LN2_LO, r);
    float p = EXP_C7;
    p = fmaf(p, r, EXP_C6);
    p = fmaf(p, r, EXP_C5);
    p = fmaf(p, r, EXP_C4);
    p = fmaf(p, r, EXP_C3);
    p = fmaf(p, r, EXP_C2);
    p = fmaf(p, r, EXP_C1);
    p = fmaf(p, r, EXP_C0);
    if (n != n) return n;
    int e = (int)n, half = e >> 1;
    uint32_t first_bits = (uint32_t)(half + 127) << 23;
    uint32_t second_bits = (uint32_t)(e - half + 127) << 23;
    float first, second;
    memcpy(&first, &first_bits, sizeof first);
    memcpy(&second, &second_bits, sizeof second);
    return p * first * second;
}

float fmath_softplus(float x) {
    float u = fmath_exp(-fabsf(x));
    float s = u / (2.0f + u);
    float z = s * s;
    float p = ATANH_C7;
    p = fmaf(p, z, ATANH_C6);
    p = fmaf(p, z, ATANH_C5);
    p = fmaf(p, z, ATANH_C4);
    p = fmaf(p, z, ATANH_C3);
    p = fmaf(p, z, ATANH_C2);
    p = fmaf(p, z, ATANH_C1);
    p = fmaf(p, z, ATANH_C0);
    return fmaf(s + s, p, x > 0.0f || isnan(x) ? x : 0.0f);
}
