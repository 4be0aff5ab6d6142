#include "tensor/xrow.h"

#include <math.h>
#include <string.h>

static size_t up64(size_t n) { return (n + 63) & ~(size_t)63; }

struct xrow_layout xrow_layout(enum xfmt fmt, int64_t n) {
    struct xrow_layout layout = {0};
    size_t count = (size_t)n;
    switch (fmt) {
    case XFMT_F32: layout.bytes = up64(count * sizeof(float)); break;
    case XFMT_BF16: layout.bytes = up64((count + count % 2) * sizeof(uint16_t)); break;
    case XFMT_Q8_32:
    case XFMT_Q8_256:
        layout.d_at = up64(count);
        layout.sum_at = layout.d_at + up64(count / (size_t)xfmt_block(fmt) * sizeof(float));
        layout.bytes = layout.sum_at + up64(count / 16 * sizeof(int16_t));
        break;
    case XFMT_NONE:
    case XFMT_COUNT: break;
    }
    return layout;
}

int xfmt_block(enum xfmt fmt) {
    switch (fmt) {
    case XFMT_BF16: return 2;
    case XFMT_Q8_32: return 32;
    case XFMT_Q8_256: return 256;
    default: return 1;
    }
}

/* Nearest even of |x| < 2^22: the sum has no bits behind the point. */
static float round_even(float x) {
    const float magic = 12582912.0f;
    return (x + magic) - magic;
}

void xrow_quantize(const float *x, int n, int8_t *q, float *d) {
    uint32_t most = 0; // largest |x| as bits: their order is that of the values, NaN above all
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffffu;
        if (bits > most) most = bits;
    }
    float amax;
    memcpy(&amax, &most, sizeof amax);
    bool finite = most < 0x7f800000u;
    *d = finite ? amax / 127.0f : (float)NAN;
    if (!finite || *d == 0) {
        memset(q, 0, (size_t)n);
        return;
    }
    float inverse = 127.0f / amax;
    for (int i = 0; i < n; i++) {
        float scaled = round_even(x[i] * inverse);
        scaled = scaled > 127 ? 127 : scaled < -127 ? -127 : scaled;
        q[i] = (int8_t)scaled;
    }
}

const char *xfmt_name(enum xfmt fmt) {
    static const char *const names[] = {"none", "f32", "bf16", "q8_32", "q8_256"};
    return names[fmt];
}
