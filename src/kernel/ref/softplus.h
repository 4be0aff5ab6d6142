/* The float softplus of the contract: docs/numerics.md, "Recurrent mixers".
 *
 * log(1 + exp(x)) = max(x, 0) + log1p(u) with u = exp(-|x|) in (0, 1], and log1p(u) = 2 atanh(s),
 * s = u / (2 + u) <= 1/3: an odd series in s that needs no reduction and no logarithm. */
#ifndef JL_KERNEL_REF_SOFTPLUS_H
#define JL_KERNEL_REF_SOFTPLUS_H

/* atanh(s) / s in powers of s*s, lowest first: 1 / (2i + 1). Remainder below 2e-9 at s = 1/3. */
#define ATANH_C0 0x1p+0f
#define ATANH_C1 0x1.555556p-2f
#define ATANH_C2 0x1.99999ap-3f
#define ATANH_C3 0x1.24924ap-3f
#define ATANH_C4 0x1.c71c72p-4f
#define ATANH_C5 0x1.745d18p-4f
#define ATANH_C6 0x1.3b13b2p-4f
#define ATANH_C7 0x1.111112p-4f

#endif
