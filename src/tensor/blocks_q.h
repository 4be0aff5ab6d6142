/* Layouts of the types with blocks of 32 elements: see blocks.h. */
#ifndef JL_TENSOR_BLOCKS_Q_H
#define JL_TENSOR_BLOCKS_Q_H

/* Q4_0: f16 d. Q4_1: f16 d, m. Then 16 bytes, elements 0 .. 15 in the low nibbles and 16 .. 31 in
 * the high ones. */
#define Q4_0_Q 2
#define Q4_1_M 2
#define Q4_1_Q 4

/* Q5_0: f16 d. Q5_1: f16 d, m. Then 32 bits, bit i being the fifth of element i; nibbles as Q4_0.
 */
#define Q5_0_HIGH 2
#define Q5_0_Q 6
#define Q5_1_M 2
#define Q5_1_HIGH 4
#define Q5_1_Q 8

/* Q8_0: f16 d; int8 q[32]. */
#define Q8_0_Q 2

#endif
