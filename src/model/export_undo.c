/* Values that binding transforms, on the way back. */
#include <string.h>

#include "base/fmath.h"
#include "model/export_bound.h"

static float bound(enum role_transform transform, float stored) {
    return transform == ADD_ONE ? stored + 1.0f : (float)-fmath_exp64((double)stored);
}

/* The next float further from zero, or nearer to it. */
static float neighbour(float x, bool further) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (further)
        bits++;
    else if (x != 0)
        bits--;
    memcpy(&x, &bits, sizeof bits);
    return x;
}

/* The inverse rounds, so that a neighbour may be the one that gives x again. */
static bool undo(enum role_transform transform, float x, float *out) {
    if (transform == NEG_EXP && !(x < 0)) return false;
    float far = transform == ADD_ONE ? x - 1.0f : (float)fmath_log64(-(double)x), near = far;
    for (int i = 0; i < 4; i++) {
        *out = far;
        if (bound(transform, far) == x) return true;
        *out = near;
        if (bound(transform, near) == x) return true;
        far = neighbour(far, true);
        near = neighbour(near, false);
    }
    return false;
}

bool export_undo(enum role_transform transform, float *x, int64_t n, int64_t *bad) {
    float to;
    for (int64_t i = 0; transform != AS_STORED && i < n; i++) {
        if (!undo(transform, x[i], &to)) {
            *bad = i;
            return false;
        }
        x[i] = to;
    }
    return true;
}
