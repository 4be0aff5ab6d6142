/* Writes keys and values into a chunk in the layout that tensor/kvchunk.h states. Types other than
 * F32, F16 and BF16 are no cache types: such a chunk has no bytes and nothing is written. */
#include "tensor/kvchunk.h"

#include <string.h>

#define GROUP 16 // positions that share one vector of scores

size_t kvchunk_bytes(enum dtype kv, int d) {
    if (kv != DTYPE_F32 && kv != DTYPE_F16 && kv != DTYPE_BF16) return 0;
    return (size_t)KV_CHUNK * (size_t)d * (size_t)dtype_row(kv)->bytes;
}

static void put(enum dtype kv, void *chunk, size_t at, float x) {
    if (kv == DTYPE_F32)
        ((float *)chunk)[at] = x;
    else if (kv == DTYPE_F16)
        ((uint16_t *)chunk)[at] = f16_from_f32(x);
    else if (kv == DTYPE_BF16)
        ((uint16_t *)chunk)[at] = bf16_from_f32(x);
}

void kvchunk_put_key(enum dtype kv, void *chunk, int d, int slot, const float *x) {
    size_t group = (size_t)(slot / GROUP), lane = (size_t)(slot % GROUP), width = (size_t)d;
    for (size_t i = 0; i < width; i++) {
        size_t at = kv == DTYPE_BF16 ? (group * (width / 2) + i / 2) * 2 * GROUP + lane * 2 + i % 2
                                     : (group * width + i) * GROUP + lane;
        put(kv, chunk, at, x[i]);
    }
}

void kvchunk_put_value(enum dtype kv, void *chunk, int d, int slot, const float *x) {
    size_t j = (size_t)slot, width = (size_t)d;
    for (size_t i = 0; i < width; i++) {
        size_t at = kv == DTYPE_BF16 ? j / 2 * 2 * width + 2 * i + j % 2 : j * width + i;
        put(kv, chunk, at, x[i]);
    }
}

void kvchunk_clear_keys(enum dtype kv, void *chunk, int d, int from) {
    // Vectors of a group: one a dim, or a pair of dims.
    size_t vectors = kv == DTYPE_BF16 ? (size_t)d / 2 : (size_t)d;
    size_t group = kvchunk_bytes(kv, d) / (KV_CHUNK / GROUP),
           vector = vectors ? group / vectors : 0;
    size_t kept = vector / GROUP * (size_t)(from % GROUP);
    uint8_t *at = (uint8_t *)chunk + group * (size_t)(from / GROUP);
    for (size_t i = 0; from % GROUP && i < vectors; i++)
        memset(at + i * vector + kept, 0, vector - kept);
    for (int first = (from + GROUP - 1) / GROUP; first < KV_CHUNK / GROUP; first++)
        memset((uint8_t *)chunk + group * (size_t)first, 0, group);
}

void kvchunk_clear_values(enum dtype kv, void *chunk, int d, int from) {
    size_t position = kvchunk_bytes(kv, d) / KV_CHUNK;
    if (kv == DTYPE_BF16 && from % 2) {
        uint16_t *pair = (uint16_t *)chunk + (size_t)(from - 1) * (size_t)d;
        for (int i = 0; i < d; i++)
            pair[2 * i + 1] = 0;
        from++;
    }
    memset((uint8_t *)chunk + position * (size_t)from, 0, position * (size_t)(KV_CHUNK - from));
}
