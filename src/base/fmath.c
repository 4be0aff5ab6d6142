/* Own elementary functions: written orders of IEEE operations, so that every build agrees.
 *
 * Double: argument reduction by constants split so that the leading products are exact, then a
 * Taylor series in Horner form whose remainder is below 2^-57; the rounding error of the reduced
 * argument is carried along. Only a result or argument that is itself denormal looks at the flush
 * bits. Error-free sums and products: Dekker, Numerische Mathematik 18 (1971). */
#include "base/fmath.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LN2_HI 0x1.62e42feep-1 // 32 bits: times an exponent is exact
#define LN2_LO 0x1.a39ef35793c76p-33
#define LOG2E 0x1.71547652b82fep+0
#define ROUND_MAGIC 0x1.8p52 // adding and subtracting it rounds to an integer, nearest even

static uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double from_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double pow2(int n) { // -1022 <= n <= 1023
    return from_bits((uint64_t)(n + 1023) << 52);
}

static double horner(const double *c, int n, double x) { // c[0] + c[1] x + ...
    double sum = c[n - 1];
    for (int i = n - 2; i >= 0; i--)
        sum = sum * x + c[i];
    return sum;
}

/* ---- unevaluated sums of two doubles ---- */

struct dd {
    double hi, lo;
};

static struct dd two_sum(double a, double b) { // a + b exactly
    double hi = a + b;
    double b_seen = hi - a;
    return (struct dd){hi, (a - (hi - b_seen)) + (b - b_seen)};
}

static struct dd two_prod(double a, double b) { // a * b exactly, |a|, |b| < 2^500
    double sa = 0x1.0000002p27 * a, sb = 0x1.0000002p27 * b;
    double ah = sa - (sa - a), bh = sb - (sb - b);
    double al = a - ah, bl = b - bh;
    double hi = a * b;
    return (struct dd){hi, ((ah * bh - hi) + ah * bl + al * bh) + al * bl};
}

static struct dd dd_add(struct dd a, struct dd b) {
    struct dd sum = two_sum(a.hi, b.hi);
    return two_sum(sum.hi, sum.lo + (a.lo + b.lo));
}

static struct dd dd_mul(struct dd a, struct dd b) {
    struct dd product = two_prod(a.hi, b.hi);
    return two_sum(product.hi, product.lo + (a.hi * b.lo + a.lo * b.hi));
}

/* ---- exp ---- */

/* exp(hi + lo), |lo| far below hi's last place times 2^10. */
static double exp_of_sum(double hi, double lo) {
    static const double c[] = {1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                               1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                               1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
    if (hi != hi) return hi;
    if (hi > 709.79) return HUGE_VAL;
    if (hi < -745.14) return 0.0;
    double n = (hi * LOG2E + ROUND_MAGIC) - ROUND_MAGIC;
    double head = hi - n * LN2_HI;
    double tail = n * LN2_LO - lo;
    double r = head - tail;
    double r_error = (head - r) - tail;
    double y = 1.0 + (r + (r * r * horner(c, sizeof c / sizeof c[0], r) + r_error));
    int e = (int)n, half = e >> 1;
    return y * pow2(half) * pow2(e - half);
}

double fmath_exp64(double x) { return exp_of_sum(x, 0.0); }

/* ---- log and pow ---- */

/* x = 2^e * m with m in [sqrt(1/2), sqrt(2)), for finite x > 0. */
static double split(double x, int *e) {
    uint64_t bits = bits_of(x);
    *e = (int)(bits >> 52) - 1023;
    if (bits >> 52 == 0) { // denormal: move its leading bit to where a normal number's is implied
        int shift = __builtin_clzll(bits) - 11;
        bits <<= shift;
        *e = -1022 - shift;
    }
    uint64_t m = (bits & (UINT64_MAX >> 12)) | (UINT64_C(1023) << 52);
    if (from_bits(m) >= 0x1.6a09e667f3bcdp+0) {
        m -= UINT64_C(1) << 52;
        *e += 1;
    }
    return from_bits(m);
}

/* 1/3, 1/5, ...: atanh(s) = s + s^3/3 + s^5/5 + ... */
static const double atanh_c[] = {1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11, 1.0 / 13,
                                 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23};
enum { ATANH_N = sizeof atanh_c / sizeof atanh_c[0] };

static bool log_special(double x, double *out) {
    if (x > 0 && x < HUGE_VAL) return false;
    if (bits_of(x) >> 52 == 0 && bits_of(x) != 0) return false; // a denormal read as zero
    *out = x == 0 ? -HUGE_VAL : x > 0 ? x : (double)NAN;
    return true;
}

double fmath_log64(double x) {
    double special;
    if (log_special(x, &special)) return special;
    int e;
    double f = split(x, &e) - 1.0;
    /* log(1+f) = 2 atanh(s), s = f/(2+f); 2s = f - s*f keeps f, which is exact, in front. */
    double s = f / (2.0 + f), z = s * s;
    double rest = 2.0 * z * horner(atanh_c, ATANH_N, z);
    double half_square = 0.5 * f * f;
    double n = e;
    return n * LN2_HI - ((half_square - (s * (half_square + rest) + n * LN2_LO)) - f);
}

/* log(x) to about 2^-64 of itself. */
static struct dd log_dd(double x) {
    int e;
    double m = split(x, &e);
    double f = m - 1.0;
    struct dd den = two_sum(m, 1.0);
    double q = f / den.hi;
    struct dd back = two_prod(q, den.hi);
    struct dd s = two_sum(q, (((f - back.hi) - back.lo) - q * den.lo) / den.hi);
    struct dd z = dd_mul(s, s);
    double small = z.hi * z.hi * horner(atanh_c + 1, ATANH_N - 1, z.hi);
    struct dd third = {0x1.5555555555555p-2, 0x1.5555555555555p-56};
    struct dd series = dd_add(dd_mul(z, third), (struct dd){small, 0.0});
    struct dd atanh_s = dd_add(s, dd_mul(s, series));
    double n = e;
    return dd_add(two_sum(n * LN2_HI, n * LN2_LO), (struct dd){2.0 * atanh_s.hi, 2.0 * atanh_s.lo});
}

double fmath_pow64(double x, double y) {
    double log_x;
    if (x != x || y != y) return (double)NAN;
    if (x == 1.0 || y == 0.0) return 1.0;
    if (log_special(x, &log_x)) return exp_of_sum(y * log_x, 0.0); // 0, infinity, NaN below 0
    /* |log x| is in [2^-53, 745], so that beyond these bounds y alone decides. */
    if (fabs(y) < 0x1p-70) return 1.0;
    if (fabs(y) > 0x1p70) return (y > 0) == (x > 1.0) ? HUGE_VAL : 0.0;
    struct dd log2 = log_dd(x);
    struct dd product = two_prod(y, log2.hi);
    return exp_of_sum(product.hi, product.lo + y * log2.lo);
}

/* ---- sin and cos ---- */

/* pi/2 in parts of 22 bits, so that a multiple below 2^31 of each but the last is exact. */
static const double half_pi[] = {0x1.921fbp+0,  0x1.5110bp-22, 0x1.184698p-44,
                                 0x1.3198ap-69, 0x1.701b8p-92, 0x1.cd129024e088ap-115};

void fmath_sincos64(double x, double *sin_out, double *cos_out) {
    /* (-1)^i / (2i+3)! and (-1)^i / (2i+4)! */
    static const double sin_c[] = {
        -1.0 / 6,        1.0 / 120,        -1.0 / 5040,         1.0 / 362880,
        -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368e3, 1.0 / 355687428096e3};
    static const double cos_c[] = {
        1.0 / 24,        -1.0 / 720,         1.0 / 40320,         -1.0 / 3628800,
        1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888e3, -1.0 / 6402373705728e3};
    if (!(fabs(x) <= 0x1p31)) {
        *sin_out = *cos_out = (double)NAN;
        return;
    }
    if (fabs(x) < 0x1p-27) {
        *sin_out = x;
        *cos_out = 1.0;
        return;
    }
    double n = (x * 0x1.45f306dc9c883p-1 + ROUND_MAGIC) - ROUND_MAGIC;
    struct dd r = two_sum(x, -n * half_pi[0]);
    for (size_t i = 1; i < sizeof half_pi / sizeof half_pi[0]; i++) {
        struct dd next = two_sum(r.hi, -n * half_pi[i]);
        r = (struct dd){next.hi, r.lo + next.lo};
    }
    r = two_sum(r.hi, r.lo);

    double z = r.hi * r.hi, half_z = 0.5 * z;
    double sine = z * r.hi * horner(sin_c, sizeof sin_c / sizeof sin_c[0], z);
    double s = r.hi + (sine + r.lo * (1.0 - half_z));
    double w = 1.0 - half_z;
    double cosine = z * z * horner(cos_c, sizeof cos_c / sizeof cos_c[0], z);
    double c = w + (((1.0 - w) - half_z) + (cosine - r.hi * r.lo));
    int quadrant = (int)((int64_t)n & 3);
    double s_turned = quadrant & 1 ? c : s, c_turned = quadrant & 1 ? s : c;
    *sin_out = quadrant & 2 ? -s_turned : s_turned;
    *cos_out = quadrant == 1 || quadrant == 2 ? -c_turned : c_turned;
}
