/* The books of single numbers: that of IQ4 as ggml publishes it (kvalues_iq4nl), and FP4 E2M1 times
 * two, whose top bit is the sign. */
#include "tensor/codebook.h"

const int8_t codebook_iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                 1,    13,   25,  38,  53,  69,  89,  113};
const int8_t codebook_fp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
