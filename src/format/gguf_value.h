/* The value types of GGUF metadata, one row a type. Source: the GGUF specification, "File
 * structure", gguf_metadata_value_type. */
#ifndef JL_FORMAT_GGUF_VALUE_H
#define JL_FORMAT_GGUF_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "format/meta.h"

/* id, number in the file, name, bytes (0: not of a fixed size) */
#define GGUF_VALUE_LIST(X)                                                                         \
    X(GGUF_UINT8, 0, "uint8", 1)                                                                   \
    X(GGUF_INT8, 1, "int8", 1)                                                                     \
    X(GGUF_UINT16, 2, "uint16", 2)                                                                 \
    X(GGUF_INT16, 3, "int16", 2)                                                                   \
    X(GGUF_UINT32, 4, "uint32", 4)                                                                 \
    X(GGUF_INT32, 5, "int32", 4)                                                                   \
    X(GGUF_FLOAT32, 6, "float32", 4)                                                               \
    X(GGUF_BOOL, 7, "bool", 1)                                                                     \
    X(GGUF_STRING, 8, "string", 0)                                                                 \
    X(GGUF_ARRAY, 9, "array", 0)                                                                   \
    X(GGUF_UINT64, 10, "uint64", 8)                                                                \
    X(GGUF_INT64, 11, "int64", 8)                                                                  \
    X(GGUF_FLOAT64, 12, "float64", 8)

enum gguf_value {
#define X(id, number, name, bytes) id = number,
    GGUF_VALUE_LIST(X)
#undef X
        GGUF_VALUE_COUNT
};

const char *gguf_value_name(uint32_t type); // "unknown" above the list
size_t gguf_value_bytes(uint32_t type);     // 0 for strings, arrays and unknown numbers

/* Decodes one little-endian value of a fixed-size type at `at` (any alignment) into kind and as. */
void gguf_value_decode(enum gguf_value type, const uint8_t *at, struct meta *out);

#endif
