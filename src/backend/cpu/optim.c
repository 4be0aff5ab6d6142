/* Optimizers over the threads: blocks of elements, and matrices as a whole. */
#include "backend/optim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/tape.h"
#include "base/arena.h"
#include "kernel/fpenv.h"

#define BLOCK 4096         // elements of a partial sum
#define BLOCKS_PER_ITEM 16 // and of an item of other work

/* ---- elements ---- */

struct element_call {
    const struct backend *backend;
    const float *x;
    float *y;
    void *to;
    enum dtype dtype;
    float a, b;
    const struct adamw_args *adamw;
    size_t n;
    float *partial; // of the next items' blocks
    size_t first;
};

static size_t item_range(const struct element_call *call, int item, size_t *n) {
    size_t most = (size_t)BLOCK * BLOCKS_PER_ITEM, at = (size_t)item * most;
    *n = call->n - at < most ? call->n - at : most;
    return at;
}

static int item_count(size_t n) {
    return (int)((n + (size_t)BLOCK * BLOCKS_PER_ITEM - 1) / ((size_t)BLOCK * BLOCKS_PER_ITEM));
}

static void mix_item(void *ctx, int item, int thread) {
    const struct element_call *call = ctx;
    size_t n, at = item_range(call, item, &n);
    (void)thread;
    call->backend->kernels.mix(call->a, call->x + at, call->b, call->y + at, (int)n);
}

void backend_mix(struct backend *backend, float a, const float *x, float b, float *y, size_t n) {
    struct element_call call = {.backend = backend, .x = x, .y = y, .a = a, .b = b, .n = n};
    pool_run(backend->pool, item_count(n), mix_item, &call);
}

static void round_item(void *ctx, int item, int thread) {
    const struct element_call *call = ctx;
    size_t n, at = item_range(call, item, &n);
    (void)thread;
    if (call->dtype == DTYPE_F32)
        memcpy((float *)call->to + at, call->x + at, n * sizeof(float));
    else
        call->backend->kernels.to_bf16(call->x + at, (uint16_t *)call->to + at, (int)(n & ~1u));
    if (call->dtype == DTYPE_BF16 && n % 2) // a row kernel would write a partner
        ((uint16_t *)call->to)[at + n - 1] = bf16_from_f32(call->x[at + n - 1]);
}

void backend_round(struct backend *backend, const float *x, enum dtype dtype, void *to, size_t n) {
    struct element_call call = {.backend = backend, .x = x, .to = to, .dtype = dtype, .n = n};
    pool_run(backend->pool, item_count(n), round_item, &call);
}

static void adamw_item(void *ctx, int item, int thread) {
    const struct element_call *call = ctx;
    struct adamw_args part = *call->adamw;
    size_t at = item_range(call, item, &part.n);
    (void)thread;
    part.w += at;
    part.m += at;
    part.v += at;
    part.grad += at;
    call->backend->kernels.adamw(&part);
}

void backend_adamw(struct backend *backend, const struct adamw_args *args) {
    struct element_call call = {.backend = backend, .adamw = args, .n = args->n};
    pool_run(backend->pool, item_count(args->n), adamw_item, &call);
}

/* ---- sums ---- */

#define PARTIALS 1024 // blocks whose sums are there at a time

static float block_sum(const struct kernel_table *k, const float *x, size_t n) {
    return k->dot(x, x, (int)n);
}

static void sum_item(void *ctx, int item, int thread) {
    const struct element_call *call = ctx;
    (void)thread;
    for (int i = item * BLOCKS_PER_ITEM; i < (item + 1) * BLOCKS_PER_ITEM && i < PARTIALS; i++) {
        size_t at = (call->first + (size_t)i) * BLOCK;
        if (at >= call->n) return;
        call->partial[i] = block_sum(&call->backend->kernels, call->x + at,
                                     call->n - at < BLOCK ? call->n - at : BLOCK);
    }
}

double backend_square_sum(struct backend *backend, const float *x, size_t n) {
    float partial[PARTIALS];
    struct element_call call = {.backend = backend, .x = x, .n = n, .partial = partial};
    size_t n_block = (n + BLOCK - 1) / BLOCK;
    double sum = 0;
    for (; call.first < n_block; call.first += PARTIALS) {
        size_t left = n_block - call.first < PARTIALS ? n_block - call.first : PARTIALS;
        pool_run(backend->pool, (int)((left + BLOCKS_PER_ITEM - 1) / BLOCKS_PER_ITEM), sum_item,
                 &call);
        for (size_t i = 0; i < left; i++)
            sum += (double)partial[i];
    }
    return sum;
}

/* ---- muon ---- */

/* A thread's part. Matrices lie so that they have no more rows than columns. */
struct muon_work {
    float *x, *bx;         // (small, large) the matrix, and what is added to it
    float *a, *aa;         // (small, small)
    uint16_t *xh, *turned; // (small, large) rounded, and (large, small)
    uint16_t *ah;          // (small, small) rounded
    uint8_t *scratch;
};

struct backend_muon {
    struct backend *backend;
    int small, large;
    uint8_t *memory;
    size_t thread_bytes;
};

static size_t half_line(int n) { return ((size_t)n + 1 + 31) / 32 * 32; }
static size_t float_line(int n) { return ((size_t)n + 15) / 16 * 16; }

static size_t lay_out(const struct backend *backend, int small, int large, uint8_t *memory,
                      struct muon_work *w) {
    uint8_t *at = memory;
#define CUT(field, rows, line)                                                                     \
    w->field = (void *)at;                                                                         \
    at += ((size_t)(rows) * (line) * sizeof *w->field + 63) / 64 * 64
    CUT(x, small, float_line(large));
    CUT(bx, small, float_line(large));
    CUT(a, small, float_line(small));
    CUT(aa, small, float_line(small));
    CUT(xh, small, half_line(large));
    CUT(turned, large, half_line(small));
    CUT(ah, small, half_line(small));
#undef CUT
    w->scratch = at;
    size_t wide = cpu_product_scratch(backend, DTYPE_BF16, XFMT_BF16, large);
    size_t narrow = cpu_product_scratch(backend, DTYPE_BF16, XFMT_BF16, small);
    return (size_t)(at - memory) + (wide > narrow ? wide : narrow);
}

enum jl_status backend_muon_create(struct backend *backend, int max_rows, int max_cols,
                                   struct backend_muon **out, struct jl_error *err) {
    struct backend_muon *muon = calloc(1, sizeof *muon);
    uint8_t none[1]; // only distances from it are looked at
    struct muon_work unused;
    size_t bytes;
    *out = NULL;
    if (!muon) return jl_fail(err, JL_ERR_MEMORY, "out of memory for an optimizer");
    muon->backend = backend;
    muon->small = max_rows < max_cols ? max_rows : max_cols;
    muon->large = max_rows < max_cols ? max_cols : max_rows;
    muon->thread_bytes = (lay_out(backend, muon->small, muon->large, none, &unused) + 63) / 64 * 64;
    if (size_mul(muon->thread_bytes, (size_t)backend_threads(backend), &bytes))
        muon->memory = cpu_alloc_zeroed(bytes);
    if (!muon->memory) {
        size_t wanted = muon->thread_bytes;
        free(muon);
        return jl_fail(err, JL_ERR_MEMORY,
                       "out of memory: the optimizer needs %zu bytes for each thread", wanted);
    }
    *out = muon;
    return JL_OK;
}

void backend_muon_free(struct backend_muon *muon) {
    if (!muon) return;
    free(muon->memory);
    free(muon);
}

size_t backend_muon_bytes(const struct backend_muon *muon) {
    return muon->thread_bytes * (size_t)backend_threads(muon->backend);
}

/* y = x w' in bf16, rows of n_in. */
static void product(const struct backend *backend, const struct muon_work *w, const uint16_t *m,
                    size_t m_line, int n_out, int n_in, const uint16_t *x, size_t x_line,
                    int n_rows, float *y, size_t y_line) {
    const struct cpu_product p = {
        .w = (const uint8_t *)m,
        .w_stride = m_line * sizeof *m,
        .dtype = DTYPE_BF16,
        .n_out = n_out,
        .n_in = n_in,
        .x = (const uint8_t *)x,
        .x_stride = x_line * sizeof *x,
        .xfmt = XFMT_BF16,
        .n_rows = n_rows,
        .y = y,
        .y_stride = y_line,
    };
    cpu_product_here(backend, &p, w->scratch);
}

static void round_rows(const struct backend *backend, const float *x, size_t x_line, uint16_t *to,
                       size_t to_line, int rows, int n) {
    for (int r = 0; r < rows; r++)
        backend->kernels.to_bf16(x + (size_t)r * x_line, to + (size_t)r * to_line, n);
}

/* One step of x to a x + (b A + c A A) x, A = x x'. */
static void newton_schulz(const struct backend *backend, const struct muon_work *w, int small,
                          int large) {
    const float a = 3.4445f, b = -4.7750f, c = 2.0315f; // Jordan's, for five steps in bf16
    size_t fs = float_line(small), fl = float_line(large), hs = half_line(small);
    size_t hl = half_line(large);
    round_rows(backend, w->x, fl, w->xh, hl, small, large);
    product(backend, w, w->xh, hl, small, large, w->xh, hl, small, w->a, fs);
    round_rows(backend, w->a, fs, w->ah, hs, small, small);
    product(backend, w, w->ah, hs, small, small, w->ah, hs, small, w->aa, fs);
    for (int r = 0; r < small; r++)
        backend->kernels.mix(b, w->a + (size_t)r * fs, c, w->aa + (size_t)r * fs, small);
    round_rows(backend, w->aa, fs, w->ah, hs, small, small);
    const struct transpose_args turn = {w->xh, w->turned, hl, hs, small, large};
    cpu_turn_here(backend, &turn, XFMT_BF16);
    product(backend, w, w->turned, hs, large, small, w->ah, hs, small, w->bx, fl);
    for (int r = 0; r < small; r++)
        backend->kernels.mix(1.0f, w->bx + (size_t)r * fl, a, w->x + (size_t)r * fl, large);
}

static double norm_of(const struct backend *backend, const float *x, size_t n) {
    double sum = 0;
    for (size_t at = 0; at < n; at += BLOCK)
        sum += (double)block_sum(&backend->kernels, x + at, n - at < BLOCK ? n - at : BLOCK);
    return sqrt(sum);
}

struct muon_call {
    const struct backend_muon *muon;
    const struct muon_args *matrices;
};

static void muon_item(void *ctx, int item, int thread) {
    const struct muon_call *call = ctx;
    const struct backend *backend = call->muon->backend;
    const struct kernel_table *k = &backend->kernels;
    const struct muon_args *args = &call->matrices[item];
    bool turned = args->rows > args->cols;
    int small = turned ? args->cols : args->rows, large = turned ? args->rows : args->cols;
    size_t n = (size_t)args->rows * (size_t)args->cols, fl = float_line(large);
    struct muon_work w;
    lay_out(backend, small, large, call->muon->memory + (size_t)thread * call->muon->thread_bytes,
            &w);
    float *u = w.bx; // as many as it holds
    for (size_t at = 0; at < n; at += BLOCK) {
        int part = n - at < BLOCK ? (int)(n - at) : BLOCK;
        k->mix(args->clip, args->grad + at, args->beta, args->m + at, part);
        memcpy(u + at, args->m + at, (size_t)part * sizeof *u);
        k->mix(args->clip, args->grad + at, args->beta, u + at, part);
    }
    double norm = norm_of(backend, u, n);
    if (norm > 0) k->scale((float)(1 / norm), u, (int)n);
    struct transpose_args copy = {u, w.x, (size_t)args->cols, fl, args->rows, args->cols};
    if (turned)
        k->transpose_f32(&copy);
    else
        for (int r = 0; r < small; r++)
            memcpy(w.x + (size_t)r * fl, u + (size_t)r * (size_t)large, (size_t)large * sizeof *u);
    for (int i = 0; i < 5 && norm > 0; i++)
        newton_schulz(backend, &w, small, large);
    copy = (struct transpose_args){w.x, u, fl, (size_t)args->cols, small, large};
    if (turned)
        k->transpose_f32(&copy);
    else
        for (int r = 0; r < small; r++)
            memcpy(u + (size_t)r * (size_t)large, w.x + (size_t)r * fl, (size_t)large * sizeof *u);
    float size = 0.2f * __builtin_sqrtf((float)large);
    for (size_t at = 0; at < n; at += BLOCK)
        k->mix(-args->rate * size, u + at, 1.0f - args->rate * args->decay, args->w + at,
               n - at < BLOCK ? (int)(n - at) : BLOCK);
}

void backend_muon_run(struct backend_muon *muon, const struct muon_args *matrices, int n) {
    struct muon_call call = {muon, matrices};
    pool_run(muon->backend->pool, n, muon_item, &call);
}
