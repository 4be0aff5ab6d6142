/* What a block of an integer type means: small integers and two factors.
 *
 * Element i is worth (d*scale[i/16])*q[i] - dmin*min[i/16]. Dequantisation and the linear rules of
 * docs/numerics.md are both read off this form, so a type is defined once, by how its bytes unpack.
 * A type without sub-scales has scale 1 throughout. */
#ifndef JL_TENSOR_QBLOCK_H
#define JL_TENSOR_QBLOCK_H

#include "tensor/dtype.h"

#define QBLOCK_MOST 256 // elements
#define QBLOCK_RUN 16   // elements that share a scale and a minimum

struct qblock {
    float d, dmin; // exact: no product has been rounded
    int16_t scale[QBLOCK_MOST / QBLOCK_RUN], min[QBLOCK_MOST / QBLOCK_RUN];
    int8_t q[QBLOCK_MOST];
};

typedef void qblock_fn(const uint8_t *block, struct qblock *out);

/* How a type unpacks, and whether it has minima: where not, dmin and min are 0 and the linear rule
 * has no step for them. `unpack` is NULL for types that are not made of integer blocks. */
struct qblock_form {
    qblock_fn *unpack;
    bool has_min;
};
struct qblock_form qblock_form(enum dtype dtype);

qblock_fn qblock_q4_0, qblock_q4_1, qblock_q5_0, qblock_q5_1, qblock_q8_0;
qblock_fn qblock_q2_k, qblock_q3_k, qblock_q4_k, qblock_q5_k, qblock_q6_k;
qblock_fn qblock_iq4_nl, qblock_iq4_xs, qblock_mxfp4, qblock_iq2_xxs, qblock_iq2_xs, qblock_iq2_s;
qblock_fn qblock_iq3_xxs, qblock_iq3_s, qblock_iq1_s, qblock_iq1_m;

#endif
