/* The float exp of the contract, one lane: docs/numerics.md, "Row steps". */
#ifndef JL_KERNEL_REF_EXP_H
#define JL_KERNEL_REF_EXP_H

/* Range: above EXP_HI the result is +inf, below EXP_LO it is +0. */
#define EXP_HI 0x1.62e42ep+6f  /* 88.72283 */
#define EXP_LO -0x1.5d589ep+6f /* -87.33654: exp is just above the smallest normal */
#define EXP_LOG2E 0x1.715476p+0f
#define EXP_LN2_HI 0x1.62e4p-1f /* 15 bits: n * hi is exact for |n| < 256 */
#define EXP_LN2_LO 0x1.7f7d1cp-20f
#define EXP_MAGIC 0x1.8p+23f /* adding it rounds to an integer held in the low bits */

/* exp(r) for |r| <= ln2/2, lowest power first: Taylor to 1/5040, remainder 5e-9. */
#define EXP_C0 0x1p+0f
#define EXP_C1 0x1p+0f
#define EXP_C2 0x1p-1f
#define EXP_C3 0x1.555556p-3f
#define EXP_C4 0x1.555556p-5f
#define EXP_C5 0x1.111112p-7f
#define EXP_C6 0x1.6c16c2p-10f
#define EXP_C7 0x1.a01a02p-13f

#endif
