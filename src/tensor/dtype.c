/* The type table and the scalar conversions. */
#include "tensor/dtype.h"

#include <string.h>
#include <strings.h>

static const struct dtype_row rows[] = {
#define X(id, name, gguf, safetensors, block, bytes, x_f32, x_bf16)                                \
    {name, gguf, safetensors, block, bytes, x_f32, x_bf16},
    DTYPE_LIST(X)
#undef X
};

const struct dtype_row *dtype_row(enum dtype dtype) { return &rows[dtype]; }

const char *dtype_name(enum dtype dtype) { return rows[dtype].name; }

bool dtype_from_gguf(uint32_t type, enum dtype *out) {
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (rows[i].gguf >= 0 && (uint32_t)rows[i].gguf == type) {
            *out = (enum dtype)i;
            return true;
        }
    return false;
}

bool dtype_from_safetensors(const char *name, size_t len, enum dtype *out) {
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (rows[i].safetensors && strlen(rows[i].safetensors) == len &&
            !memcmp(rows[i].safetensors, name, len)) {
            *out = (enum dtype)i;
            return true;
        }
    return false;
}

bool dtype_from_name(const char *name, enum dtype *out) {
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (!strcasecmp(rows[i].name, name)) {
            *out = (enum dtype)i;
            return true;
        }
    return false;
}

bool dtype_row_bytes(enum dtype dtype, int64_t n, size_t *bytes) {
    if (n < 0 || n % rows[dtype].block) return false;
    return !__builtin_mul_overflow((size_t)(n / rows[dtype].block), (size_t)rows[dtype].bytes,
                                   bytes);
}

/* ---- scalars ---- */

static float from_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint32_t bits_of(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

#define F32_INF 0x7f800000u
#define F32_ABS 0x7fffffffu

float f32_from_f16(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 31u, mantissa = h & 1023u;
    if (exponent == 31) return from_bits(sign | F32_INF | mantissa << 13);
    if (exponent == 0) {
        if (mantissa == 0) return from_bits(sign);
        int shift = __builtin_clz(mantissa) - 21; // moves the leading bit to bit 10
        exponent = 1u - (uint32_t)shift;
        mantissa = mantissa << shift & 1023u;
    }
    return from_bits(sign | (exponent + 112u) << 23 | mantissa << 13);
}

uint16_t f16_from_f32(float f) {
    uint32_t bits = bits_of(f), magnitude = bits & F32_ABS, sign = bits >> 16 & 0x8000u;
    if (magnitude > F32_INF) return (uint16_t)(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); // rounds past 65504
    uint32_t significand, shift;
    if (magnitude >= 0x38800000u) { // a normal f16: rebias, then drop 13 bits
        significand = magnitude - 0x38000000u;
        shift = 13;
    } else {
        if (magnitude < 0x33000000u) return (uint16_t)sign; // below half the smallest denormal
        significand = (magnitude & 0x7fffffu) | 0x800000u;
        shift = 126u - (magnitude >> 23);
    }
    uint32_t half = 1u << (shift - 1), kept = significand >> shift,
             rest = significand & (2 * half - 1);
    if (rest > half || (rest == half && (kept & 1u))) kept++;
    return (uint16_t)(sign | kept);
}

float f32_from_bf16(uint16_t h) { return from_bits((uint32_t)h << 16); }

uint16_t bf16_from_f32(float f) {
    uint32_t bits = bits_of(f), magnitude = bits & F32_ABS;
    if (magnitude > F32_INF) return (uint16_t)(bits >> 16 | 0x40u); // NaN stays one, made quiet
    if (magnitude < 0x00800000u) return (uint16_t)(bits >> 16 & 0x8000u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
