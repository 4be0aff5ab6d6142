/* Writes keys and values into a chunk in the layout that tensor/kvchunk.h states. Types other than
 * F32, F16, BF16 and KV_Q8 are no cache types: such a chunk has no bytes and nothing is written. */
#include "tensor/kvchunk.h"

#include <string.h>

#include "tensor/xrow.h"

size_t kvchunk_bytes(enum dtype kv, int d) {
    if (kv == KV_Q8) return (size_t)KV_CHUNK * kv_q8_bytes(d);
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

/* ---- q8 ---- */

struct q8_block {
    int8_t q[KV_Q8_BLOCK]; // zeros past the dims
    float d;
};

static void q8_quantize(const float *x, int d, int b, struct q8_block *out) {
    int at = b * KV_Q8_BLOCK, n = d - at < KV_Q8_BLOCK ? d - at : KV_Q8_BLOCK;
    memset(out->q, 0, sizeof out->q);
    xrow_quantize(x + at, n, out->q, &out->d);
}

/* Bytes of the block's dims up to the width. */
static size_t q8_stored(int d, int b) {
    size_t left = kv_q8_width(d) - (size_t)b * KV_Q8_BLOCK;
    return left < KV_Q8_BLOCK ? left : KV_Q8_BLOCK;
}

static void q8_put_key(uint8_t *chunk, int d, int slot, const float *x) {
    uint8_t *group = chunk + (size_t)(slot / KV_GROUP) * KV_GROUP * kv_q8_bytes(d);
    uint8_t *scales = group + KV_GROUP * kv_q8_width(d);
    size_t lane = 4 * (size_t)(slot % KV_GROUP); // both int8 by fours and scales
    for (int b = 0; b < (int)kv_q8_blocks(d); b++) {
        struct q8_block block;
        q8_quantize(x, d, b, &block);
        uint8_t *q = group + (size_t)b * KV_Q8_BLOCK * KV_GROUP + lane;
        for (size_t i = 0; i < q8_stored(d, b); i += 4)
            memcpy(q + i * KV_GROUP, block.q + i, 4);
        memcpy(scales + (size_t)b * KV_GROUP * sizeof(float) + lane, &block.d, sizeof block.d);
    }
}

static void q8_put_value(uint8_t *chunk, int d, int slot, const float *x) {
    uint8_t *row = chunk + (size_t)slot * kv_q8_bytes(d);
    for (int b = 0; b < (int)kv_q8_blocks(d); b++) {
        struct q8_block block;
        q8_quantize(x, d, b, &block);
        memcpy(row + (size_t)b * KV_Q8_BLOCK, block.q, q8_stored(d, b));
        memcpy(row + kv_q8_width(d) + (size_t)b * sizeof(float), &block.d, sizeof block.d);
    }
}

/* ---- any type ---- */

void kvchunk_put_key(enum dtype kv, void *chunk, int d, int slot, const float *x) {
    if (kv == KV_Q8) {
        q8_put_key(chunk, d, slot, x);
        return;
    }
    size_t group = (size_t)(slot / KV_GROUP), lane = (size_t)(slot % KV_GROUP), width = (size_t)d;
    for (size_t i = 0; i < width; i++) {
        size_t at = kv == DTYPE_BF16
                        ? (group * (width / 2) + i / 2) * 2 * KV_GROUP + lane * 2 + i % 2
                        : (group * width + i) * KV_GROUP + lane;
        put(kv, chunk, at, x[i]);
    }
}

void kvchunk_put_value(enum dtype kv, void *chunk, int d, int slot, const float *x) {
    if (kv == KV_Q8) {
        q8_put_value(chunk, d, slot, x);
        return;
    }
    size_t j = (size_t)slot, width = (size_t)d;
    for (size_t i = 0; i < width; i++) {
        size_t at = kv == DTYPE_BF16 ? j / 2 * 2 * width + 2 * i + j % 2 : j * width + i;
        put(kv, chunk, at, x[i]);
    }
}

/* ---- reading ---- */

static float get(enum dtype kv, const void *chunk, size_t at) {
    if (kv == DTYPE_F32) return ((const float *)chunk)[at];
    uint16_t h = ((const uint16_t *)chunk)[at];
    return kv == DTYPE_F16 ? f32_from_f16(h) : f32_from_bf16(h);
}

static float q8_at(const uint8_t *q, const uint8_t *d) {
    float scale;
    memcpy(&scale, d, sizeof scale);
    return (float)(int8_t)*q * scale;
}

static float key_at(enum dtype kv, const void *chunk, int d, int slot, size_t i) {
    size_t group = (size_t)(slot / KV_GROUP), lane = (size_t)(slot % KV_GROUP), width = (size_t)d;
    if (kv == KV_Q8) {
        const uint8_t *q = (const uint8_t *)chunk + group * KV_GROUP * kv_q8_bytes(d);
        const uint8_t *scales = q + KV_GROUP * kv_q8_width(d) + 4 * lane;
        return q8_at(q + i / 4 * 4 * KV_GROUP + 4 * lane + i % 4,
                     scales + i / KV_Q8_BLOCK * KV_GROUP * sizeof(float));
    }
    return get(kv, chunk,
               kv == DTYPE_BF16 ? (group * (width / 2) + i / 2) * 2 * KV_GROUP + lane * 2 + i % 2
                                : (group * width + i) * KV_GROUP + lane);
}

static float value_at(enum dtype kv, const void *chunk, int d, int slot, size_t i) {
    size_t j = (size_t)slot, width = (size_t)d;
    if (kv == KV_Q8) {
        const uint8_t *row = (const uint8_t *)chunk + j * kv_q8_bytes(d);
        return q8_at(row + i, row + kv_q8_width(d) + i / KV_Q8_BLOCK * sizeof(float));
    }
    return get(kv, chunk, kv == DTYPE_BF16 ? j / 2 * 2 * width + 2 * i + j % 2 : j * width + i);
}

void kvchunk_keys(enum dtype kv, const void *chunk, int d, int n, float *x, size_t stride) {
    for (int j = 0; j < n; j++)
        for (size_t i = 0; i < (size_t)d; i++)
            x[(size_t)j * stride + i] = key_at(kv, chunk, d, j, i);
}

void kvchunk_values(enum dtype kv, const void *chunk, int d, int n, float *x, size_t stride) {
    for (int j = 0; j < n; j++)
        for (size_t i = 0; i < (size_t)d; i++)
            x[(size_t)j * stride + i] = value_at(kv, chunk, d, j, i);
}

/* ---- clearing ---- */

void kvchunk_clear_keys(enum dtype kv, void *chunk, int d, int from) {
    // Vectors of a group: one a dim, or a pair of dims; of q8 one four dims, then one a block.
    size_t vectors = kv == DTYPE_BF16 ? (size_t)d / 2
                     : kv == KV_Q8    ? kv_q8_width(d) / 4 + kv_q8_blocks(d)
                                      : (size_t)d;
    size_t group = kvchunk_bytes(kv, d) / (KV_CHUNK / KV_GROUP),
           vector = vectors ? group / vectors : 0;
    size_t kept = vector / KV_GROUP * (size_t)(from % KV_GROUP);
    uint8_t *at = (uint8_t *)chunk + group * (size_t)(from / KV_GROUP);
    for (size_t i = 0; from % KV_GROUP && i < vectors; i++)
        memset(at + i * vector + kept, 0, vector - kept);
    for (int first = (from + KV_GROUP - 1) / KV_GROUP; first < KV_CHUNK / KV_GROUP; first++)
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
