/* What recurrent layers keep of a sequence: sizes and layouts.
 *
 * The delta rule's state is a (d_k, d_v) matrix. Its columns never meet, so they are the lanes of
 * vector bodies: they stand in groups of 16, each group (d_k, 16), one after the other. What is past
 * d_v in the last group is neither read nor written. */
#ifndef JL_TENSOR_RECUR_H
#define JL_TENSOR_RECUR_H

#include <stddef.h>

#define CONV_MAX_TAP 16 // inputs that one output of a convolution sees

static inline size_t delta_state_at(int d_k, int row, int column) {
    return ((size_t)(column / 16) * (size_t)d_k + (size_t)row) * 16 + (size_t)(column % 16);
}
static inline size_t delta_state_floats(int d_k, int d_v) {
    return (size_t)((d_v + 15) / 16) * (size_t)d_k * 16; // whole groups
}

#endif
