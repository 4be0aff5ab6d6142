/* The integer types: which function unpacks each. */
#include "tensor/qblock.h"

struct qblock_form qblock_form(enum dtype dtype) {
    static const struct qblock_form forms[DTYPE_COUNT] = {
        [DTYPE_Q4_0] = {qblock_q4_0, false},       [DTYPE_Q4_1] = {qblock_q4_1, true},
        [DTYPE_Q5_0] = {qblock_q5_0, false},       [DTYPE_Q5_1] = {qblock_q5_1, true},
        [DTYPE_Q8_0] = {qblock_q8_0, false},       [DTYPE_Q2_K] = {qblock_q2_k, true},
        [DTYPE_Q3_K] = {qblock_q3_k, false},       [DTYPE_Q4_K] = {qblock_q4_k, true},
        [DTYPE_Q5_K] = {qblock_q5_k, true},        [DTYPE_Q6_K] = {qblock_q6_k, false},
        [DTYPE_IQ4_NL] = {qblock_iq4_nl, false},   [DTYPE_IQ4_XS] = {qblock_iq4_xs, false},
        [DTYPE_MXFP4] = {qblock_mxfp4, false},     [DTYPE_IQ2_XXS] = {qblock_iq2_xxs, false},
        [DTYPE_IQ2_XS] = {qblock_iq2_xs, false},   [DTYPE_IQ2_S] = {qblock_iq2_s, false},
        [DTYPE_IQ3_XXS] = {qblock_iq3_xxs, false}, [DTYPE_IQ3_S] = {qblock_iq3_s, false},
        [DTYPE_IQ1_S] = {qblock_iq1_s, false},     [DTYPE_IQ1_M] = {qblock_iq1_m, false},
    };
    return forms[dtype];
}
