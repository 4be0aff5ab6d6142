/* Layouts of the types with blocks of 32 elements: see blocks.h. */
#ifndef JL_TENSOR_BLOCKS_Q_H
#define JL_TENSOR_BLOCKS_Q_H

/* Q8_0: f16 d; int8 q[32]. */
#define Q8_0_Q 2

#endif
