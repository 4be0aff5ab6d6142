/* Builds and runs the items of `bench ops`: data first, then a table of what each item does. */
#include "cli/bench_items.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/rng.h"
#include "cli/peaks/stream.h"
#include "tensor/kvchunk.h"
#include "tensor/quant.h"
#include "tensor/xrow.h"

#define MOST_ROWS 512   // of a gemm
#define MOST_QUERIES 48 // of an attention chunk
#define HEAD_DIM 128    // of keys and values
#define N_CHUNK 4       // chunks of keys and values an attention item goes through: stays in L2
#define RANDOM_ROWS 64  // different weight rows; further ones repeat them
#define CACHED_BYTES (256 << 10) // of weights that stay in the second cache
#define SLOW_SECONDS 0.05        // a run that would take longer computes fewer outputs

static const struct {
    enum dtype dtype;
    enum xfmt xfmt;
} linear_slots[] = {
#define X(dtype, xfmt, name) {dtype, xfmt},
    LINEAR_LIST(X)
#undef X
};
#define N_LINEAR_SLOT (sizeof linear_slots / sizeof linear_slots[0])

struct bench_weights {
    uint8_t *bytes; // BENCH_WEIGHT_BYTES: matrices one after another; of blocks, a window of theirs
    size_t row_bytes;
    int n_matrix;
};

struct bench_data {
    struct bench_weights weights[DTYPE_COUNT];
    uint8_t *blocks; // BLOCKS_BYTES, for all types of blocks
    int n_window;
    float *scale;           // of F8_E4M3: the same row of scales for all outputs
    uint8_t *x[XFMT_COUNT]; // (MOST_ROWS) rows of BENCH_N
    float *y;               // (MOST_ROWS, BENCH_N)
    uint8_t *scratch;
    uint8_t *stream; // BENCH_STREAM_BYTES
    uint64_t *seen;
    uint8_t *row; // output of a row kernel, the widest form
    uint8_t *keys[ATTN_COUNT], *values[ATTN_COUNT];
    const void *q[ATTN_COUNT][MOST_QUERIES];
    uint8_t *q8; // queries against keys of q8
    int n_key[MOST_QUERIES];
    float *m, *l, *o, *scores;
    float *from, *to; // (N_STATE) heads of a delta-rule state; a convolution's taps and past
};

/* ---- memory ---- */

/* Pages of the size that a mapped model file has, whatever the system gives to large blocks. */
static uint8_t *map_pages(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    madvise(p, bytes, MADV_NOHUGEPAGE);
    return p;
}

static void unmap_pages(uint8_t *p, size_t bytes) {
    if (p) munmap(p, bytes);
}

static void *alloc64(size_t bytes) {
    size_t whole = (bytes + 63) / 64 * 64;
    void *p = aligned_alloc(64, whole);
    if (p) memset(p, 0, whole);
    return p;
}

static void random_row(float *x, int n, uint32_t sequence, uint32_t position) {
    struct rng_key key = {
        .seed = 1, .sequence = sequence, .position = position, .purpose = RNG_TEST};
    for (int i = 0; i < n; i++)
        x[i] = 2 * rng_uniform(&key, (uint64_t)i) - 1;
}

/* ---- linear data ---- */

/* Any bytes are blocks of every type: speed does not depend on them, nor on scales that are no
 * numbers. So the types share them, each from another place on, so that none finds in a cache what
 * the one before it has read. */
#define BLOCKS_BYTES (5 * BENCH_WEIGHT_BYTES)

static bool make_blocks(struct bench_data *data) {
    const size_t pattern = (size_t)64 << 10;
    struct rng_key key = {.seed = 1, .sequence = 4, .purpose = RNG_TEST};
    if (!(data->blocks = map_pages(BLOCKS_BYTES))) return false;
    for (size_t at = 0; at < pattern; at += 16) {
        uint32_t words[4];
        rng_block(&key, at / 16, words);
        memcpy(data->blocks + at, words, sizeof words);
    }
    for (size_t at = pattern; at < BLOCKS_BYTES; at += pattern)
        memcpy(data->blocks + at, data->blocks, pattern);
    return true;
}

static bool make_floats(struct bench_weights *weights, enum dtype dtype) {
    float x[BENCH_N];
    if (!(weights->bytes = map_pages(BENCH_WEIGHT_BYTES))) return false;
    size_t pattern = RANDOM_ROWS * weights->row_bytes;
    for (uint32_t r = 0; r < RANDOM_ROWS; r++) {
        random_row(x, BENCH_N, 1, r);
        for (int i = 0; i < BENCH_N && dtype == DTYPE_F8_E4M3; i++)
            x[i] *= 448; // the range that scaled weights use
        if (!dtype_quantize(dtype, x, NULL, weights->bytes + r * weights->row_bytes, BENCH_N))
            return false;
    }
    size_t n_row = (size_t)weights->n_matrix * BENCH_N;
    for (size_t r = RANDOM_ROWS; r < n_row; r += RANDOM_ROWS)
        memcpy(weights->bytes + r * weights->row_bytes, weights->bytes, pattern);
    return true;
}

static bool make_weights(struct bench_data *data, enum dtype dtype) {
    struct bench_weights *weights = &data->weights[dtype];
    if (weights->bytes) return true;
    if (!dtype_row_bytes(dtype, BENCH_N, &weights->row_bytes)) return false;
    weights->n_matrix = (int)(BENCH_WEIGHT_BYTES / (BENCH_N * weights->row_bytes));
    if (dtype_row(dtype)->block == 1) return make_floats(weights, dtype);
    if (!data->blocks && !make_blocks(data)) return false;
    weights->bytes = data->blocks + (size_t)(data->n_window++) * BENCH_WEIGHT_BYTES % BLOCKS_BYTES;
    return true;
}

static void convert_row(const struct kernel_table *ref, enum xfmt fmt, const float *x, void *row) {
    switch (fmt) {
    case XFMT_BF16: ref->to_bf16(x, row, BENCH_N); break;
    case XFMT_Q8_32: ref->to_q8_32(x, row, BENCH_N); break;
    case XFMT_Q8_256: ref->to_q8_256(x, row, BENCH_N); break;
    default: memcpy(row, x, BENCH_N * sizeof *x); break;
    }
}

static bool make_x(uint8_t **rows, enum xfmt fmt, const struct kernel_table *ref) {
    if (*rows) return true;
    size_t stride = xrow_layout(fmt, BENCH_N).bytes;
    if (!(*rows = alloc64(MOST_ROWS * stride))) return false;
    float x[BENCH_N];
    for (uint32_t r = 0; r < MOST_ROWS; r++) {
        random_row(x, BENCH_N, 2, r);
        convert_row(ref, fmt, x, *rows + r * stride);
    }
    return true;
}

/* ---- attention data ---- */

static const enum dtype attn_dtype[ATTN_COUNT] = {
    [ATTN_F32] = DTYPE_F32,   [ATTN_F16] = DTYPE_F16, [ATTN_BF16_F32] = DTYPE_BF16,
    [ATTN_BF16] = DTYPE_BF16, [ATTN_Q8] = KV_Q8,
};

/* Queries of q8 are quantised head by head: rows of their own. */
static bool make_q8_queries(struct bench_data *data, const struct kernel_table *ref) {
    size_t bytes = xrow_layout(XFMT_Q8_32, HEAD_DIM).bytes;
    if (!(data->q8 = alloc64(MOST_QUERIES * bytes))) return false;
    for (size_t i = 0; i < MOST_QUERIES; i++) {
        const uint8_t *x = data->x[XFMT_F32] + i * xrow_layout(XFMT_F32, BENCH_N).bytes;
        ref->to_q8_32((const float *)(const void *)x, data->q8 + i * bytes, HEAD_DIM);
        data->q[ATTN_Q8][i] = data->q8 + i * bytes;
    }
    return true;
}

static bool make_attention(struct bench_data *data, const struct kernel_table *ref,
                           enum attn_kind kind) {
    size_t bytes = kvchunk_bytes(attn_dtype[kind], HEAD_DIM);
    uint8_t *keys = data->keys[kind] = alloc64(N_CHUNK * bytes);
    uint8_t *values = data->values[kind] = alloc64(N_CHUNK * bytes);
    if (!keys || !values) return false;
    float x[HEAD_DIM];
    for (uint32_t i = 0; i < N_CHUNK * KV_CHUNK; i++) {
        size_t chunk = i / KV_CHUNK * bytes;
        random_row(x, HEAD_DIM, 3, i);
        kvchunk_put_key(attn_dtype[kind], keys + chunk, HEAD_DIM, (int)(i % KV_CHUNK), x);
        kvchunk_put_value(attn_dtype[kind], values + chunk, HEAD_DIM, (int)(i % KV_CHUNK), x);
    }
    if (kind == ATTN_Q8) return make_q8_queries(data, ref);
    enum xfmt form = kind == ATTN_BF16 ? XFMT_BF16 : XFMT_F32;
    for (size_t i = 0; i < MOST_QUERIES; i++)
        data->q[kind][i] = data->x[form] + i * xrow_layout(form, BENCH_N).bytes;
    return true;
}

/* As many heads of state as a layer has: in no first cache. */
#define N_STATE 32
#define STATE_FLOATS ((size_t)HEAD_DIM * HEAD_DIM)
#define N_TAP 4

static bool make_states(struct bench_data *data) {
    data->from = alloc64(N_STATE * STATE_FLOATS * sizeof *data->from);
    data->to = alloc64(N_STATE * STATE_FLOATS * sizeof *data->to);
    if (!data->from || !data->to) return false;
    for (uint32_t i = 0; i < N_STATE * HEAD_DIM; i++)
        random_row(data->from + (size_t)i * HEAD_DIM, HEAD_DIM, 4, i);
    return true;
}

/* ---- all data ---- */

static size_t most_scratch(const struct kernel_table *tables, int n_table) {
    size_t most = 64;
    for (int t = 0; t < n_table; t++)
        for (size_t i = 0; i < N_LINEAR_SLOT; i++) {
            size_t bytes = kernel_linear_scratch(&tables[t], linear_slots[i].dtype,
                                                 linear_slots[i].xfmt, BENCH_N);
            most = bytes > most ? bytes : most;
        }
    return most;
}

static bool make_data(struct bench_data *data, const struct kernel_table *ref, size_t scratch) {
    bool ok = true;
    for (size_t i = 0; i < N_LINEAR_SLOT; i++) {
        enum dtype dtype = linear_slots[i].dtype;
        enum xfmt xfmt = linear_slots[i].xfmt;
        ok = ok && make_weights(data, dtype) && make_x(&data->x[xfmt], xfmt, ref);
    }
    data->y = alloc64((size_t)MOST_ROWS * BENCH_N * sizeof *data->y);
    data->scratch = alloc64(scratch);
    data->scale = alloc64(BENCH_N / F8_SCALE_BLOCK * sizeof *data->scale);
    for (int i = 0; data->scale && i < BENCH_N / F8_SCALE_BLOCK; i++)
        data->scale[i] = 1.0f / 448;
    data->row = alloc64(BENCH_N * sizeof(float));
    data->seen = alloc64(sizeof *data->seen);
    data->m = alloc64(MOST_QUERIES * sizeof *data->m);
    data->l = alloc64(MOST_QUERIES * sizeof *data->l);
    data->o = alloc64((size_t)MOST_QUERIES * HEAD_DIM * sizeof *data->o);
    data->scores = alloc64((size_t)MOST_QUERIES * KV_CHUNK * sizeof *data->scores);
    ok = ok && data->y && data->scratch && data->scale && data->row && data->seen && data->m &&
         data->l && data->o && data->scores;
    for (int kind = 0; ok && kind < ATTN_COUNT; kind++)
        ok = make_attention(data, ref, (enum attn_kind)kind);
    ok = ok && make_states(data);
    for (int i = 0; i < MOST_QUERIES; i++)
        data->n_key[i] = KV_CHUNK;
    if (!ok || !(data->stream = map_pages(BENCH_STREAM_BYTES))) return false;
    for (size_t at = 0; at < BENCH_STREAM_BYTES; at += sizeof(float) * BENCH_N)
        memcpy(data->stream + at, data->x[XFMT_F32], sizeof(float) * BENCH_N);
    return true;
}

static void free_data(struct bench_data *data) {
    if (!data) return;
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (dtype_row((enum dtype)i)->block == 1)
            unmap_pages(data->weights[i].bytes, BENCH_WEIGHT_BYTES);
    unmap_pages(data->blocks, BLOCKS_BYTES);
    unmap_pages(data->stream, BENCH_STREAM_BYTES);
    for (int i = 0; i < XFMT_COUNT; i++)
        free(data->x[i]);
    for (int i = 0; i < ATTN_COUNT; i++) {
        free(data->keys[i]);
        free(data->values[i]);
    }
    free(data->q8);
    free(data->y);
    free(data->scratch);
    free(data->scale);
    free(data->row);
    free(data->seen);
    free(data->m);
    free(data->l);
    free(data->o);
    free(data->scores);
    free(data->from);
    free(data->to);
    free(data);
}

/* ---- runs ---- */

static void run_peak(struct bench_item *item) { item->u.peak.loop->run(item->u.peak.iterations); }

static void run_stream(struct bench_item *item) {
    const uint8_t *p = item->u.stream.bytes;
    size_t ahead = item->u.stream.ahead;
    *item->u.stream.seen +=
        ahead ? stream_read(p, BENCH_STREAM_BYTES, ahead) : stream_read(p, BENCH_STREAM_BYTES, 0);
}

static void run_linear(struct bench_item *item) {
    struct linear_args args = item->u.linear.args;
    args.w += (size_t)item->u.linear.next * item->u.linear.matrix_bytes;
    item->u.linear.body->run(&args);
    item->u.linear.next = (item->u.linear.next + 1) % item->u.linear.n_matrix;
}

static void run_attn(struct bench_item *item) {
    struct attn_chunk_args args = item->u.attn.args;
    for (size_t i = 0; i < N_CHUNK; i++) {
        args.k = (const uint8_t *)item->u.attn.args.k + i * item->u.attn.chunk_bytes;
        args.v = (const uint8_t *)item->u.attn.args.v + i * item->u.attn.chunk_bytes;
        item->u.attn.run(&args);
    }
}

static void run_delta(struct bench_item *item) {
    struct delta_args args = item->u.delta.args;
    size_t at = (size_t)item->u.delta.next * item->u.delta.head_floats;
    args.from += at;
    args.to += at;
    item->u.delta.run(&args);
    item->u.delta.next = (item->u.delta.next + 1) % item->u.delta.n_head;
}

static void run_conv(struct bench_item *item) { item->u.conv.run(&item->u.conv.args); }

static void run_row(struct bench_item *item) {
    const struct kernel_table *table = item->u.row.table;
    const float *a = item->u.row.a, *b = item->u.row.b;
    void *y = item->u.row.y;
    struct kv_put_args put = {.kv = DTYPE_F16,
                              .d = HEAD_DIM,
                              .n = BENCH_N / HEAD_DIM, // a group
                              .x = a,
                              .x_stride = HEAD_DIM,
                              .chunk = y};
    switch (item->u.row.slot) {
    case KSLOT_rms_norm:
        table->rms_norm(
            &(struct rms_norm_args){.x = a, .w = b, .y = y, .n = BENCH_N, .eps = 1e-6f});
        break;
    case KSLOT_silu_mul: table->silu_mul(a, b, y, BENCH_N); break;
    case KSLOT_to_bf16: table->to_bf16(a, y, BENCH_N); break;
    case KSLOT_to_q8_32: table->to_q8_32(a, y, BENCH_N); break;
    case KSLOT_to_q8_256: table->to_q8_256(a, y, BENCH_N); break;
    case KSLOT_put_keys: table->put_keys(&put); break;
    case KSLOT_put_values: table->put_values(&put); break;
    default: break;
    }
}

/* ---- items ---- */

static struct bench_item *add_item(struct bench_items *items, const struct bench_item *item) {
    struct bench_item *slot = &items->items[items->n_item++];
    *slot = *item;
    slot->times = 1;
    return slot;
}

static const struct peak_loop *level_peaks(enum kernel_level level) {
#ifdef JINLIN_X86_LEVELS
    if (level == LEVEL_AVX2) return peaks_avx2();
    if (level == LEVEL_AVX512) return peaks_avx512();
    if (level == LEVEL_AMX) return peaks_amx();
#endif
    (void)level;
    return NULL;
}

static void add_peaks(struct bench_items *items, enum kernel_level level) {
    static const char *const names[] = {
#define X(id, name, ...) name,
        PEAK_LIST(X)
#undef X
    };
    static const char *const units[] = {
#define X(id, name, unit, ...) unit,
        PEAK_LIST(X)
#undef X
    };
    const struct peak_loop *loops = level_peaks(level);
    for (int i = 0; loops && i < PEAK_COUNT; i++) {
        if (!loops[i].run) continue;
        struct bench_item item = {.level = level, .op = "ceiling", .body = names[i]};
        item.unit = units[i];
        item.ceiling = i;
        item.run = run_peak;
        item.u.peak.loop = &loops[i];
        item.u.peak.iterations = (long)(1e8 / loops[i].ops);
        item.work = loops[i].ops * (double)item.u.peak.iterations;
        add_item(items, &item);
    }
}

static void add_stream(struct bench_items *items, size_t ahead) {
    struct bench_item item = {.level = LEVEL_REF, .op = "ceiling", .unit = "GB/s"};
    item.body = ahead ? "DRAM read, prefetched" : "DRAM read";
    item.ceiling = BENCH_DRAM;
    item.run = run_stream;
    item.work = (double)BENCH_STREAM_BYTES;
    item.u.stream.bytes = items->data->stream;
    item.u.stream.seen = items->data->seen;
    item.u.stream.ahead = ahead;
    add_item(items, &item);
}

/* The arithmetic that bounds a product of blocks: that of a type with as many bits and scales. */
static const struct {
    enum dtype dtype;
    int peak;
} block_peaks[] = {
    {DTYPE_Q4_0, PEAK_Q4_0},    {DTYPE_Q4_1, PEAK_Q4_0},  {DTYPE_Q5_0, PEAK_Q4_0},
    {DTYPE_Q5_1, PEAK_Q4_0},    {DTYPE_MXFP4, PEAK_Q4_0}, {DTYPE_Q8_0, PEAK_Q8_0},
    {DTYPE_IQ4_NL, PEAK_Q8_0},  {DTYPE_Q2_K, PEAK_Q2_K},  {DTYPE_Q3_K, PEAK_Q2_K},
    {DTYPE_Q4_K, PEAK_Q4_K},    {DTYPE_Q5_K, PEAK_Q4_K},  {DTYPE_IQ4_XS, PEAK_Q4_K},
    {DTYPE_IQ3_XXS, PEAK_Q4_K}, {DTYPE_IQ3_S, PEAK_Q4_K}, {DTYPE_IQ2_XXS, PEAK_Q4_K},
    {DTYPE_IQ1_S, PEAK_Q4_K},   {DTYPE_Q6_K, PEAK_Q6_K},  {DTYPE_IQ2_XS, PEAK_Q6_K},
    {DTYPE_IQ2_S, PEAK_Q6_K},   {DTYPE_IQ1_M, PEAK_Q6_K},
};

/* Of floats: bf16 pairs cost what two f32 fma do where there is no VDPBF16PS. */
static int linear_ceiling(enum kernel_level level, enum dtype dtype, enum xfmt xfmt) {
    if (!level_peaks(level)) return BENCH_NO_CEILING;
    for (size_t i = 0; i < sizeof block_peaks / sizeof block_peaks[0]; i++)
        if (block_peaks[i].dtype == dtype) return block_peaks[i].peak;
    if (dtype_row(dtype)->block > 1) return BENCH_NO_CEILING;
    return xfmt == XFMT_BF16 && level_peaks(level)[PEAK_BF16].run ? PEAK_BF16 : PEAK_F32;
}

static void add_linear(struct bench_items *items, enum kernel_level level,
                       const struct linear_body *body, enum dtype dtype, enum xfmt xfmt, int rows) {
    struct bench_data *data = items->data;
    const struct bench_weights *weights = &data->weights[dtype];
    bool integer = dtype_row(dtype)->block > 1, streams = rows == 1;
    struct bench_item item = {.level = level, .op = streams ? "gemv" : "gemm", .rows = rows};
    item.body = body->name;
    item.unit = streams ? "GB/s" : integer ? "GOP/s" : "GFLOP/s";
    item.ceiling = streams ? BENCH_DRAM : linear_ceiling(level, dtype, xfmt);
    item.run = run_linear;
    item.work = streams ? (double)weights->row_bytes * BENCH_N : 2.0 * rows * BENCH_N * BENCH_N;
    item.u.linear.body = body;
    item.u.linear.matrix_bytes = weights->row_bytes * BENCH_N;
    item.u.linear.n_matrix = weights->n_matrix;
    item.u.linear.args = (struct linear_args){
        .w = weights->bytes,
        .w_stride = weights->row_bytes,
        .n_in = BENCH_N,
        .scale = data->scale,
        .x = data->x[xfmt],
        .x_stride = xrow_layout(xfmt, BENCH_N).bytes,
        .n_rows = rows,
        .out1 = BENCH_N,
        .y = data->y,
        .y_stride = BENCH_N,
        .scratch = data->scratch,
    };
    item.u.linear.n_out = BENCH_N;
    add_item(items, &item);
}

/* The last item once more, with as many outputs as the second cache holds: what decoding would
 * reach with memory that is fast enough. */
static void add_cached(struct bench_items *items) {
    struct bench_item item = items->items[items->n_item - 1];
    size_t row_bytes = item.u.linear.args.w_stride;
    int tile = item.u.linear.body->tile, n = (int)(CACHED_BYTES / row_bytes) / tile * tile;
    item.op = "gemv L2";
    item.ceiling = BENCH_NO_CEILING;
    item.u.linear.n_matrix = 1;
    item.u.linear.n_out = n < tile ? tile : n;
    item.work = (double)row_bytes * item.u.linear.n_out;
    add_item(items, &item);
}

static void add_attn(struct bench_items *items, const struct kernel_table *table,
                     enum attn_kind kind, int n_q) {
    struct bench_data *data = items->data;
    struct bench_item item = {.level = table->level, .op = "attn", .unit = "GFLOP/s", .rows = n_q};
    item.body = table->attn_chunk_name[kind];
    item.ceiling =
        linear_ceiling(table->level, attn_dtype[kind], kind == ATTN_BF16 ? XFMT_BF16 : XFMT_F32);
    item.run = run_attn;
    item.work = 2.0 * N_CHUNK * n_q * KV_CHUNK * (HEAD_DIM + HEAD_DIM);
    item.u.attn.run = table->attn_chunk[kind];
    item.u.attn.chunk_bytes = kvchunk_bytes(attn_dtype[kind], HEAD_DIM);
    item.u.attn.args = (struct attn_chunk_args){
        .n_q = n_q,
        .d_k = HEAD_DIM,
        .d_v = HEAD_DIM,
        .q = data->q[kind],
        .n_key = data->n_key,
        .k = data->keys[kind],
        .v = data->values[kind],
        .scale = 0.088388348f, // 1/sqrt(128)
        .m = data->m,
        .l = data->l,
        .o = data->o,
        .o_stride = HEAD_DIM,
        .scratch = data->scores,
    };
    add_item(items, &item);
}

/* A multiplication for the decay, two operations each to ask, to learn and to answer. */
static void add_delta(struct bench_items *items, const struct kernel_table *table, int n_token) {
    static const float decay = 0.95f, beta = 0.01f; // with keys that are not normed: stays small
    struct bench_data *data = items->data;
    struct bench_item item = {.level = table->level, .op = "recur", .unit = "GFLOP/s"};
    const float *x = (const float *)(const void *)data->x[XFMT_F32];
    item.rows = n_token;
    item.body = table->row_name[KSLOT_delta];
    item.ceiling = linear_ceiling(table->level, DTYPE_F32, XFMT_F32);
    item.run = run_delta;
    item.work = 7.0 * n_token * HEAD_DIM * HEAD_DIM;
    item.u.delta.run = table->delta;
    item.u.delta.head_floats = STATE_FLOATS;
    item.u.delta.n_head = N_STATE;
    item.u.delta.args = (struct delta_args){
        .n_token = n_token,
        .d_k = HEAD_DIM,
        .d_v = HEAD_DIM,
        .n_decay = 1,
        .q = {x, BENCH_N},
        .k = {x + HEAD_DIM, BENCH_N},
        .v = {x + 2 * HEAD_DIM, BENCH_N},
        .decay = {&decay, 0},
        .beta = {&beta, 0},
        .from = data->from,
        .to = data->to,
        .o = data->y,
        .o_stride = HEAD_DIM,
    };
    add_item(items, &item);
}

static void add_conv(struct bench_items *items, const struct kernel_table *table, int n_token) {
    struct bench_data *data = items->data;
    struct bench_item item = {.level = table->level, .op = "recur", .unit = "GB/s"};
    item.rows = n_token;
    item.body = table->row_name[KSLOT_conv_silu];
    item.ceiling = BENCH_NO_CEILING;
    item.run = run_conv;
    item.work = 2.0 * sizeof(float) * n_token * BENCH_N;
    item.u.conv.run = table->conv_silu;
    item.u.conv.args = (struct conv_silu_args){
        .n_token = n_token,
        .n_channel = BENCH_N,
        .n_tap = N_TAP,
        .channel1 = BENCH_N,
        .w = data->from,
        .from = data->from + N_TAP * BENCH_N,
        .to = data->to,
        .x = (const float *)(const void *)data->x[XFMT_F32],
        .y = data->y,
        .x_stride = BENCH_N,
        .y_stride = BENCH_N,
    };
    add_item(items, &item);
}

static void add_row(struct bench_items *items, const struct kernel_table *table,
                    enum kernel_slot slot, double bytes) {
    struct bench_item item = {.level = table->level, .op = "row", .unit = "GB/s", .rows = 1};
    item.body = table->row_name[slot];
    item.ceiling = BENCH_NO_CEILING;
    item.run = run_row;
    item.work = bytes * BENCH_N;
    item.u.row.table = table;
    item.u.row.slot = slot;
    item.u.row.a = (const float *)items->data->x[XFMT_F32];
    item.u.row.b = item.u.row.a + BENCH_N;
    item.u.row.y = items->data->row;
    add_item(items, &item);
}

/* The row kernels that are timed, with the bytes they read and write an element. */
static const struct {
    enum kernel_slot slot;
    double bytes;
} timed_rows[] = {
    {KSLOT_rms_norm, 4 + 4 + 4}, {KSLOT_silu_mul, 4 + 4 + 4}, {KSLOT_to_bf16, 4 + 2},
    {KSLOT_to_q8_32, 4 + 1},     {KSLOT_to_q8_256, 4 + 1},    {KSLOT_put_keys, 4 + 2},
    {KSLOT_put_values, 4 + 2},
};
#define N_TIMED_ROW (sizeof timed_rows / sizeof timed_rows[0])

static const int gemm_rows[] = {16, 64, MOST_ROWS};
#define N_GEMM (sizeof gemm_rows / sizeof gemm_rows[0])
static const int tokens[] = {1, 64};
#define N_TOKENS (sizeof tokens / sizeof tokens[0])
static const int queries[] = {6, MOST_QUERIES}; // decode: one head group; prefill: eight rows of it

/* Whether a level brings a body of its own, `name`: one that the reference's still serves is noted,
 * one that a lower level brought is timed there. `below`: the name there, or NULL. */
static bool is_own(struct bench_items *items, const struct kernel_table *table, const char *op,
                   const char *name, const char *of_ref, const char *below) {
    if (table->level != LEVEL_REF && name == of_ref)
        items->skips[items->n_skip++] = (struct bench_skip){table->level, op, name};
    else if (name != below)
        return true;
    return false;
}

static void add_gemms(struct bench_items *items, enum kernel_level level,
                      const struct linear_body *body, enum dtype dtype, enum xfmt xfmt) {
    for (size_t r = 0; r < N_GEMM; r++)
        add_linear(items, level, body, dtype, xfmt, gemm_rows[r]);
}

static void add_linears(struct bench_items *items, const struct kernel_table *table,
                        const struct kernel_table *ref, const struct kernel_table *below) {
    for (size_t i = 0; i < N_LINEAR_SLOT; i++) {
        enum dtype w = linear_slots[i].dtype;
        enum xfmt x = linear_slots[i].xfmt;
        const struct linear_body *body = table->gemm[w][x], *wide = table->wide[w][x];
        if (is_own(items, table, "gemm", body->name, ref->gemm[w][x]->name,
                   below ? below->gemm[w][x]->name : NULL))
            add_gemms(items, table->level, body, w, x);
        if (wide) add_gemms(items, table->level, wide, w, x);
    }
    for (size_t i = 0; i < N_LINEAR_SLOT; i++) {
        enum dtype w = linear_slots[i].dtype;
        enum xfmt x = linear_slots[i].xfmt;
        const struct linear_body *body = table->gemv[w][x];
        if (!is_own(items, table, "gemv", body->name, ref->gemv[w][x]->name,
                    below ? below->gemv[w][x]->name : NULL))
            continue;
        add_linear(items, table->level, body, w, x, 1);
        add_cached(items);
    }
}

static void add_level(struct bench_items *items, const struct kernel_table *table,
                      const struct kernel_table *ref, const struct kernel_table *below) {
    add_peaks(items, table->level);
    add_linears(items, table, ref, below);
    for (int kind = 0; kind < ATTN_COUNT; kind++) {
        if (!is_own(items, table, "attn", table->attn_chunk_name[kind], ref->attn_chunk_name[kind],
                    below ? below->attn_chunk_name[kind] : NULL))
            continue;
        for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
            add_attn(items, table, (enum attn_kind)kind, queries[i]);
    }
    const char *const *names = table->row_name, *const *ref_names = ref->row_name;
    const char *const *below_names = below ? below->row_name : NULL;
    for (size_t i = 0; i < N_TOKENS; i++) {
        if (below && below_names[KSLOT_delta] == names[KSLOT_delta]) break;
        add_delta(items, table, tokens[i]);
        add_conv(items, table, tokens[i]);
    }
    for (size_t i = 0; i < N_TIMED_ROW; i++) {
        enum kernel_slot slot = timed_rows[i].slot;
        if (is_own(items, table, "row", names[slot], ref_names[slot],
                   below ? below_names[slot] : NULL))
            add_row(items, table, slot, timed_rows[i].bytes);
    }
}

/* ---- the list ---- */

/* No level adds more: its ceilings, two gemms and two gemvs of each linear slot, two of each
 * attention slot, recurrences, rows. */
#define MOST_A_LEVEL                                                                               \
    (PEAK_COUNT + (2 * N_GEMM + 2) * N_LINEAR_SLOT + 2 * ATTN_COUNT + 2 * N_TOKENS + N_TIMED_ROW)

enum jl_status bench_items_create(const struct kernel_table *tables, int n_table, int rounds,
                                  struct bench_items *out, struct jl_error *err) {
    struct kernel_table ref;
    *out = (struct bench_items){0};
    JL_TRY(kernel_table_init(&ref, kernel_level_name(LEVEL_REF), err));
    size_t most = (size_t)n_table * MOST_A_LEVEL + 2;
    out->items = calloc(most, sizeof *out->items);
    out->skips = calloc(most, sizeof *out->skips);
    out->data = calloc(1, sizeof *out->data);
    if (!out->items || !out->skips || !out->data) goto fail;
    if (!make_data(out->data, &ref, most_scratch(tables, n_table))) goto fail;
    add_stream(out, 0);
    add_stream(out, 4096);
    for (int t = 0; t < n_table; t++)
        add_level(out, &tables[t], &ref, t > 0 ? &tables[t - 1] : NULL);
    out->samples = calloc((size_t)out->n_item * (size_t)rounds, sizeof *out->samples);
    if (!out->samples) goto fail;
    for (int i = 0; i < out->n_item; i++)
        out->items[i].samples = out->samples + (size_t)i * (size_t)rounds;
    return JL_OK;
fail:
    bench_items_free(out);
    return jl_fail(
        err, JL_ERR_MEMORY,
        "out of memory: `bench ops` works on %zu MiB of weights, so that they do not fit "
        "a cache; free some memory and run it again",
        (4 * BENCH_WEIGHT_BYTES + BLOCKS_BYTES + BENCH_STREAM_BYTES) >> 20);
}

void bench_items_free(struct bench_items *items) {
    free(items->items);
    free(items->skips);
    free(items->samples);
    free_data(items->data);
    *items = (struct bench_items){0};
}

/* ---- timing ---- */

double bench_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double time_run(struct bench_item *item) {
    double start = bench_seconds();
    item->run(item);
    double seconds = bench_seconds() - start;
    return seconds > 1e-9 ? seconds : 1e-9;
}

void bench_item_calibrate(struct bench_item *item, double seconds) {
    item->times = 1;
    if (item->run == run_linear) {
        struct linear_args *args = &item->u.linear.args;
        double whole = item->work;
        int tile = item->u.linear.body->tile > 0 ? item->u.linear.body->tile : 1;
        args->out1 = tile > 64 ? tile : 64 / tile * tile;
        double each = time_run(item) / args->out1;
        int fit = (int)(SLOW_SECONDS / each) / tile * tile, n = item->u.linear.n_out;
        fit = fit < args->out1 ? args->out1 : fit;
        args->out1 = fit < n ? fit : n;
        item->work = whole * args->out1 / n;
    }
    double once = time_run(item);
    item->times = once < seconds ? (int)(seconds / once) : 1;
    // A cache far smaller than the weights still keeps some from one pass to the next: one pass a
    // sample.
    bool streams = item->run == run_linear && item->ceiling == BENCH_DRAM;
    if (streams && item->times > item->u.linear.n_matrix) item->times = item->u.linear.n_matrix;
}

double bench_item_sample(struct bench_item *item) {
    double start = bench_seconds();
    for (int i = 0; i < item->times; i++)
        item->run(item);
    return item->work * item->times / (bench_seconds() - start);
}
