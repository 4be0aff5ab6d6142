/* Element types: one row a type, everything else is derived from the list.
 *
 * A type is stored in blocks of `block` elements in `bytes` bytes along the innermost dimension.
 * `x_f32` and `x_bf16` name the form in which a linear step reads its activations when the class
 * has act f32 or act bf16 (docs/numerics.md); XFMT_NONE marks types that are stored, never
 * multiplied. Sources: the GGUF specification and ggml's published block layouts; the safetensors
 * format text. */
#ifndef JL_TENSOR_DTYPE_H
#define JL_TENSOR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Activation forms; tensor/xrow.h lays them out. */
enum xfmt { XFMT_NONE, XFMT_F32, XFMT_BF16, XFMT_Q8_32, XFMT_Q8_256, XFMT_COUNT };

/* id, name, GGUF type or -1, safetensors name or NULL, block elements, block bytes, x_f32, x_bf16
 */
#define DTYPE_LIST(X)                                                                              \
    X(DTYPE_F32, "F32", 0, "F32", 1, 4, XFMT_F32, XFMT_F32)                                        \
    X(DTYPE_F16, "F16", 1, "F16", 1, 2, XFMT_F32, XFMT_F32)                                        \
    X(DTYPE_BF16, "BF16", 30, "BF16", 1, 2, XFMT_F32, XFMT_BF16)                                   \
    X(DTYPE_Q4_0, "Q4_0", 2, NULL, 32, 18, XFMT_Q8_32, XFMT_Q8_32)                                 \
    X(DTYPE_Q4_1, "Q4_1", 3, NULL, 32, 20, XFMT_Q8_32, XFMT_Q8_32)                                 \
    X(DTYPE_Q5_0, "Q5_0", 6, NULL, 32, 22, XFMT_Q8_32, XFMT_Q8_32)                                 \
    X(DTYPE_Q5_1, "Q5_1", 7, NULL, 32, 24, XFMT_Q8_32, XFMT_Q8_32)                                 \
    X(DTYPE_Q8_0, "Q8_0", 8, NULL, 32, 34, XFMT_Q8_32, XFMT_Q8_32)                                 \
    X(DTYPE_Q2_K, "Q2_K", 10, NULL, 256, 84, XFMT_Q8_256, XFMT_Q8_256)                             \
    X(DTYPE_Q3_K, "Q3_K", 11, NULL, 256, 110, XFMT_Q8_256, XFMT_Q8_256)                            \
    X(DTYPE_Q4_K, "Q4_K", 12, NULL, 256, 144, XFMT_Q8_256, XFMT_Q8_256)                            \
    X(DTYPE_Q5_K, "Q5_K", 13, NULL, 256, 176, XFMT_Q8_256, XFMT_Q8_256)                            \
    X(DTYPE_Q6_K, "Q6_K", 14, NULL, 256, 210, XFMT_Q8_256, XFMT_Q8_256)                            \
    X(DTYPE_IQ4_NL, "IQ4_NL", 20, NULL, 32, 18, XFMT_Q8_32, XFMT_Q8_32)                            \
    X(DTYPE_IQ4_XS, "IQ4_XS", 23, NULL, 256, 136, XFMT_Q8_256, XFMT_Q8_256)                        \
    X(DTYPE_MXFP4, "MXFP4", 39, NULL, 32, 17, XFMT_Q8_32, XFMT_Q8_32)                              \
    X(DTYPE_IQ2_XXS, "IQ2_XXS", 16, NULL, 256, 66, XFMT_Q8_256, XFMT_Q8_256)                       \
    X(DTYPE_IQ2_XS, "IQ2_XS", 17, NULL, 256, 74, XFMT_Q8_256, XFMT_Q8_256)                         \
    X(DTYPE_IQ2_S, "IQ2_S", 22, NULL, 256, 82, XFMT_Q8_256, XFMT_Q8_256)                           \
    X(DTYPE_IQ3_XXS, "IQ3_XXS", 18, NULL, 256, 98, XFMT_Q8_256, XFMT_Q8_256)                       \
    X(DTYPE_IQ3_S, "IQ3_S", 21, NULL, 256, 110, XFMT_Q8_256, XFMT_Q8_256)                          \
    X(DTYPE_IQ1_S, "IQ1_S", 19, NULL, 256, 50, XFMT_Q8_256, XFMT_Q8_256)                           \
    X(DTYPE_IQ1_M, "IQ1_M", 29, NULL, 256, 56, XFMT_Q8_256, XFMT_Q8_256)                           \
    X(DTYPE_F8_E4M3, "F8_E4M3", -1, "F8_E4M3", 1, 1, XFMT_F32, XFMT_BF16)                          \
    X(DTYPE_F64, "F64", 28, "F64", 1, 8, XFMT_NONE, XFMT_NONE)                                     \
    X(DTYPE_I64, "I64", 27, "I64", 1, 8, XFMT_NONE, XFMT_NONE)                                     \
    X(DTYPE_I32, "I32", 26, "I32", 1, 4, XFMT_NONE, XFMT_NONE)                                     \
    X(DTYPE_I16, "I16", 25, "I16", 1, 2, XFMT_NONE, XFMT_NONE)                                     \
    X(DTYPE_I8, "I8", 24, "I8", 1, 1, XFMT_NONE, XFMT_NONE)                                        \
    X(DTYPE_U8, "U8", -1, "U8", 1, 1, XFMT_NONE, XFMT_NONE)                                        \
    X(DTYPE_BOOL, "BOOL", -1, "BOOL", 1, 1, XFMT_NONE, XFMT_NONE)

enum dtype {
#define X(id, ...) id,
    DTYPE_LIST(X)
#undef X
        DTYPE_COUNT
};

struct dtype_row {
    const char *name;
    int gguf;                // ggml_type number in a GGUF file; -1 when GGUF has none
    const char *safetensors; // NULL when safetensors has none
    int block;               // elements a block
    int bytes;               // bytes a block
    enum xfmt x_f32, x_bf16;
};

const struct dtype_row *dtype_row(enum dtype dtype);
const char *dtype_name(enum dtype dtype);
bool dtype_from_gguf(uint32_t type, enum dtype *out);
bool dtype_from_safetensors(const char *name, size_t len, enum dtype *out);
bool dtype_from_name(const char *name, enum dtype *out); // "q8_0" and "Q8_0" alike

/* Bytes of a row of n elements; false when n is not a multiple of the block or it overflows. */
bool dtype_row_bytes(enum dtype dtype, int64_t n, size_t *bytes);

/* Scalar conversions. Rounding is to nearest even whatever the CPU's mode and flush bits are;
 * integer arithmetic only, so that every build gives the same bits. */
float f32_from_f16(uint16_t h);
uint16_t f16_from_f32(float f);
float f32_from_bf16(uint16_t h);
uint16_t bf16_from_f32(float f); // denormals become signed zeros, as VCVTNEPS2BF16 does
/* F8 E4M3 of the OCP 8-bit floating point specification 1.0: no infinity, the largest number is
 * 448, 0x7f and 0xff are NaN; what rounds past 448 becomes NaN. */
#define F8_SCALE_BLOCK 128 // rows, and columns, of a matrix of F8_E4M3 that share a scale
float f32_from_f8_e4m3(uint8_t code);
uint8_t f8_e4m3_from_f32(float f);
/* E8M0 of the OCP Microscaling Formats specification 1.0, halved: 2^(e - 128); 255 is NaN. */
float f32_from_e8m0_half(uint8_t e);

/* Reference dequantise of n elements (a multiple of the block) into y. The value of a K-quant
 * element is (d*scale)*q - dmin*min with every product rounded in that order. F8_E4M3: without the
 * scales that lie beside the matrix. */
void dtype_dequantize(enum dtype dtype, const void *row, float *y, int64_t n);

#endif
