/* Rows of floats into the types: the inverse of dtype_dequantize. */
#ifndef JL_TENSOR_QUANT_H
#define JL_TENSOR_QUANT_H

#include "tensor/dtype.h"

/* Quantises n elements (a multiple of the block) so that sum_i importance[i] * (x[i] - y[i])^2 over
 * each block is small, y being what dtype_dequantize gives back. `importance` (n, >= 0): what an
 * error in a column costs, as an importance matrix records it; NULL: all the same. A block with an
 * element that is not finite gets NaN scales. The same bits under every compiler. False when the
 * type has no quantiser. */
bool dtype_quantize(enum dtype dtype, const float *x, const float *importance, void *row,
                    int64_t n);
bool dtype_can_quantize(enum dtype dtype);

/* Without a search, many times faster: for values that only have to look like weights. */
bool dtype_quantize_plain(enum dtype dtype, const float *x, void *row, int64_t n);

#endif
