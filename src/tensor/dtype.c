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

/* Without the last `shift` bits, to nearest even. */
static uint32_t round_off(uint32_t significand, uint32_t shift) {
    uint32_t half = 1u << (shift - 1), kept = significand >> shift,
             rest = significand & (2 * half - 1);
    return kept + (rest > half || (rest == half && (kept & 1u)) ? 1u : 0u);
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
    return (uint16_t)(sign | round_off(significand, shift));
}

float f32_from_bf16(uint16_t h) { return from_bits((uint32_t)h << 16); }

uint16_t bf16_from_f32(float f) {
    uint32_t bits = bits_of(f), magnitude = bits & F32_ABS;
    if (magnitude > F32_INF) return (uint16_t)(bits >> 16 | 0x40u); // NaN stays one, made quiet
    if (magnitude < 0x00800000u) return (uint16_t)(bits >> 16 & 0x8000u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

float f32_from_f8_e4m3(uint8_t code) {
    uint32_t sign = (uint32_t)(code & 0x80u) << 24, exponent = code >> 3 & 15u,
             mantissa = code & 7u;
    if ((code & 0x7fu) == 0x7fu) return from_bits(sign | 0x7fc00000u);
    if (exponent > 0) return from_bits(sign | (exponent + 120u) << 23 | mantissa << 20);
    if (mantissa == 0) return from_bits(sign);
    int shift = __builtin_clz(mantissa) - 28; // moves the leading bit to bit 3
    return from_bits(sign | (121u - (uint32_t)shift) << 23 | (mantissa << shift & 7u) << 20);
}

uint8_t f8_e4m3_from_f32(float f) {
    uint32_t bits = bits_of(f), magnitude = bits & F32_ABS, sign = bits >> 24 & 0x80u;
    if (magnitude > 0x43e80000u) return (uint8_t)(sign | 0x7fu); // past 464: no number left
    uint32_t significand, shift;
    if (magnitude >= 0x3c800000u) { // a normal f8: rebias, then drop 20 bits
        significand = magnitude - 0x3c000000u;
        shift = 20;
    } else {
        if (magnitude < 0x3a800000u) return (uint8_t)sign; // below half the smallest denormal
        significand = (magnitude & 0x7fffffu) | 0x800000u;
        shift = 141u - (magnitude >> 23);
    }
    return (uint8_t)(sign | round_off(significand, shift));
}

float f32_from_e8m0_half(uint8_t e) {
    if (e == 255) return from_bits(0x7fc00000u);
    return from_bits(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23);
}
