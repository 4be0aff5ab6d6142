/* The integer types: which function unpacks each. */
#include "tensor/qblock.h"

struct qblock_form qblock_form(enum dtype dtype) {
    static const struct qblock_form forms[DTYPE_COUNT] = {
        [DTYPE_Q8_0] = {qblock_q8_0, false},
        [DTYPE_Q4_K] = {qblock_q4_k, true},
        [DTYPE_Q6_K] = {qblock_q6_k, false},
    };
    return forms[dtype];
}
