/* What this machine can do at most in the form that a training's products have. */
#ifndef JL_CLI_PEAK_RATE_H
#define JL_CLI_PEAK_RATE_H

#include "backend/backend.h"

struct peak_rate {
    double rate;      // operations a second of all threads; 0: the level has no such loop
    const char *form; // "bf16" or "f32"
};
/* Takes a fraction of a second. bf16: products of pairs where the level has an instruction. */
struct peak_rate peak_rate_measure(struct backend *backend, bool bf16);

#endif
