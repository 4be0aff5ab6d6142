#include "train/rl/advantage.h"

#include <math.h>

bool advantage_of(const double *rewards, int n, enum advantage_scale scale, double *out) {
    double mean = 0, square = 0;
    bool alike = true;
    for (int i = 0; i < n; i++) {
        mean += rewards[i] / n;
        alike = alike && rewards[i] == rewards[0];
    }
    for (int i = 0; i < n; i++) {
        out[i] = alike ? 0 : rewards[i] - mean;
        square += out[i] * out[i] / n;
    }
    if (alike || scale == ADVANTAGE_PLAIN) return !alike;
    for (int i = 0; i < n; i++)
        out[i] /= sqrt(square);
    return true;
}
