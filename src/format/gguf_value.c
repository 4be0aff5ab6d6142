#include "format/gguf_value.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "model files are read in place and are little endian"
#endif

const char *gguf_value_name(uint32_t type) {
    static const char *const names[] = {
#define X(id, number, name, bytes) [id] = name,
        GGUF_VALUE_LIST(X)
#undef X
    };
    return type < GGUF_VALUE_COUNT ? names[type] : "unknown";
}

size_t gguf_value_bytes(uint32_t type) {
    static const uint8_t sizes[] = {
#define X(id, number, name, bytes) [id] = bytes,
        GGUF_VALUE_LIST(X)
#undef X
    };
    return type < GGUF_VALUE_COUNT ? sizes[type] : 0;
}

void gguf_value_decode(enum gguf_value type, const uint8_t *at, struct meta *out) {
    union {
        uint8_t u8;
        int8_t i8;
        uint16_t u16;
        int16_t i16;
        uint32_t u32;
        int32_t i32;
        uint64_t u64;
        int64_t i64;
        float f32;
        double f64;
    } v = {0};
    memcpy(&v, at, gguf_value_bytes(type));
    out->kind = META_INT;
    out->gguf = (uint8_t)type;
    switch (type) {
    case GGUF_UINT8:
        out->as.i = v.u8;
        break;
    case GGUF_INT8:
        out->as.i = v.i8;
        break;
    case GGUF_UINT16:
        out->as.i = v.u16;
        break;
    case GGUF_INT16:
        out->as.i = v.i16;
        break;
    case GGUF_UINT32:
        out->as.i = v.u32;
        break;
    case GGUF_INT32:
        out->as.i = v.i32;
        break;
    case GGUF_INT64:
        out->as.i = v.i64;
        break;
    case GGUF_UINT64:
        if (v.u64 > INT64_MAX) {
            out->kind = META_UINT;
            out->as.u = v.u64;
        } else {
            out->as.i = (int64_t)v.u64;
        }
        break;
    case GGUF_FLOAT32:
        out->kind = META_FLOAT;
        out->as.f = (double)v.f32;
        break;
    case GGUF_FLOAT64:
        out->kind = META_FLOAT;
        out->as.f = v.f64;
        break;
    case GGUF_BOOL:
        out->kind = META_BOOL;
        out->as.b = v.u8 != 0;
        break;
    case GGUF_STRING:
    case GGUF_ARRAY:
    case GGUF_VALUE_COUNT:
        out->kind = META_NULL;
        break;
    }
}
