/* Attention backwards, from keys and values as the cache stores them. An item is one sequence and
 * one key/value head: its queries are taken in blocks, each with the whole rows of its scores, and
 * the products go through the linear kernels by the F32 rule. For a block, with p = softmax(s q
 * k'): dp = do v', ds = s p (dp - sum p dp), dq = ds k, dk += ds' q, dv += p' do. */
#include <string.h>

#include "backend/cpu/tape.h"
#include "tensor/kvchunk.h"

#define QUERIES 128 // a block, in whole rows of the heads that share a key

struct attn_work {
    const struct step *step;
    int n_key;                                // of the sequence
    size_t key_line;                          // floats from row to row where a row is a value a key
    float *k, *v, *k_turned;                  // (n_key, d), and (d_k, n_key)
    float *q, *dout, *q_turned, *dout_turned; // (QUERIES, d), and (d, QUERIES)
    float *s, *dp, *s_turned, *dp_turned;     // (QUERIES, n_key), and (n_key, QUERIES)
    float *product;                           // (n_key or QUERIES, d)
    uint8_t *scratch;
};

static float *cut(uint8_t **at, size_t rows, size_t row_floats) {
    float *out = (float *)(void *)*at;
    *at += rows * row_floats * sizeof *out;
    return out;
}

static size_t lay_out(const struct backend *backend, const struct step *step, int n_key,
                      uint8_t *memory, struct attn_work *w) {
    const struct attn_spec *attn = step->attn;
    size_t d_k = cpu_f32_line(attn->d_k), d_v = cpu_f32_line(attn->d_v), n = (size_t)n_key;
    size_t wide = d_k > d_v ? d_k : d_v, keys = cpu_f32_line(n_key),
           queries = cpu_f32_line(QUERIES);
    uint8_t *at = memory;
    *w = (struct attn_work){.step = step, .n_key = n_key, .key_line = keys};
    w->k = cut(&at, n, d_k);
    w->v = cut(&at, n, d_v);
    w->k_turned = cut(&at, d_k, keys);
    w->q = cut(&at, QUERIES, d_k);
    w->dout = cut(&at, QUERIES, d_v);
    w->q_turned = cut(&at, d_k, queries);
    w->dout_turned = cut(&at, d_v, queries);
    w->s = cut(&at, QUERIES, keys);
    w->dp = cut(&at, QUERIES, keys);
    w->s_turned = cut(&at, n, queries);
    w->dp_turned = cut(&at, n, queries);
    w->product = cut(&at, n > QUERIES ? n : QUERIES, wide);
    w->scratch = at;
    size_t most = 0;
    const int n_in[] = {attn->d_k, attn->d_v, n_key, QUERIES};
    for (int i = 0; i < 4; i++) {
        size_t bytes = cpu_product_scratch(backend, DTYPE_F32, XFMT_F32, n_in[i]);
        most = bytes > most ? bytes : most;
    }
    return (size_t)(at - memory) + most;
}

size_t cpu_attn_grad_bytes(const struct backend *backend, const struct step *step, int n_rows) {
    uint8_t none[1]; // only distances from it are looked at
    struct attn_work unused;
    return lay_out(backend, step, n_rows, none, &unused);
}

/* Keys and values of the sequence as numbers. */
static void read_cache(const struct backend *backend, const struct attn_work *w,
                       const struct seq_view *seq, int kv_head) {
    const struct attn_spec *attn = w->step->attn;
    size_t d_k = cpu_f32_line(attn->d_k), d_v = cpu_f32_line(attn->d_v), head = (size_t)kv_head;
    for (int first = 0; first < w->n_key; first += KV_CHUNK) {
        const uint8_t *page = seq->pages[first / KV_CHUNK]->data;
        int n = w->n_key - first < KV_CHUNK ? w->n_key - first : KV_CHUNK;
        float *k = w->k + (size_t)first * d_k, *v = w->v + (size_t)first * d_v;
        kvchunk_keys(attn->kv, page + attn->k_at + head * kvchunk_bytes(attn->kv, attn->d_k),
                     attn->d_k, n, k, d_k);
        if (attn->values_in_keys)
            for (int j = 0; j < n; j++)
                memcpy(v + (size_t)j * d_v, k + (size_t)j * d_k, (size_t)attn->d_v * sizeof *v);
        else
            kvchunk_values(attn->kv, page + attn->v_at + head * kvchunk_bytes(attn->kv, attn->d_v),
                           attn->d_v, n, v, d_v);
    }
    cpu_f32_turn(backend, (struct f32_rows){w->k, d_k, w->n_key}, attn->d_k, w->k_turned,
                 w->key_line);
}

/* p and ds of the block's queries, whose rows see their own position and those before; what they do
 * not see is zero. */
static void scores(const struct backend *backend, const struct attn_work *w, int first_row,
                   int n_head, int n_q, int n_key) {
    const struct kernel_table *k = &backend->kernels;
    float scale = w->step->attn->scale;
    for (int i = 0; i < n_q; i++) {
        int seen = first_row + i / n_head + 1;
        float *p = w->s + (size_t)i * w->key_line, *dp = w->dp + (size_t)i * w->key_line;
        struct softmax_args softmax = {.x = p, .p = p, .n = seen, .scale = scale};
        const struct softmax_grad_args back = {
            .p = p, .dp = dp, .dx = dp, .n = seen, .scale = scale};
        k->softmax(&softmax);
        k->softmax_grad(&back);
        memset(p + seen, 0, (size_t)(n_key - seen) * sizeof *p);
        memset(dp + seen, 0, (size_t)(n_key - seen) * sizeof *dp);
    }
}

/* The block's part of the gradients of keys, or of values: product into rows of `to`. */
static void add_rows(const struct backend *backend, const float *from, size_t from_line, float *to,
                     size_t to_line, int n_row, int n) {
    for (int r = 0; r < n_row; r++)
        backend->kernels.add(from + (size_t)r * from_line, to + (size_t)r * to_line, n);
}

struct item {
    int row0, n_row;            // the sequence's rows
    int kv_head, head0, n_head; // heads head0 .. head0 + n_head-1 share the key/value head
};

static void block(struct backend_tape *tape, const struct attn_work *w, const struct item *item,
                  int first, int n_row) {
    const struct backend *backend = tape->backend;
    const struct step *step = w->step;
    const struct attn_spec *attn = step->attn;
    size_t d_k = cpu_f32_line(attn->d_k), d_v = cpu_f32_line(attn->d_v),
           queries = cpu_f32_line(QUERIES);
    int n_q = n_row * item->n_head, n_key = first + n_row;
    enum reg_id in = tape_grad_reg(tape, step, 0);
    int in_slots = tape->values[step->from[0]].slots;
    for (int i = 0; i < n_q; i++) {
        int row = item->row0 + first + i / item->n_head, head = item->head0 + i % item->n_head;
        tape_read_head(tape, step, row, head, attn->d_k, w->q + (size_t)i * d_k);
        memcpy(w->dout + (size_t)i * d_v,
               tape_grad_head(tape, step->out, step->out_slots, row, head, attn->d_v),
               (size_t)attn->d_v * sizeof(float));
    }
    cpu_f32_product(backend, (struct f32_rows){w->k, d_k, n_key}, attn->d_k,
                    (struct f32_rows){w->q, d_k, n_q}, w->s, w->key_line, w->scratch);
    cpu_f32_product(backend, (struct f32_rows){w->v, d_v, n_key}, attn->d_v,
                    (struct f32_rows){w->dout, d_v, n_q}, w->dp, w->key_line, w->scratch);
    scores(backend, w, first, item->n_head, n_q, n_key);

    cpu_f32_product(backend, (struct f32_rows){w->k_turned, w->key_line, attn->d_k}, n_key,
                    (struct f32_rows){w->dp, w->key_line, n_q}, w->product, d_k, w->scratch);
    for (int i = 0; i < n_q; i++)
        tape_put(tape, tape->has[in], w->product + (size_t)i * d_k,
                 tape_grad_head(tape, in, in_slots, item->row0 + first + i / item->n_head,
                                item->head0 + i % item->n_head, attn->d_k),
                 attn->d_k);

    size_t key_line = (size_t)attn->n_head_kv * (size_t)attn->d_k;
    size_t value_line = (size_t)attn->n_head_kv * (size_t)attn->d_v;
    float *dkeys =
        tape->dkeys + (size_t)item->row0 * key_line + (size_t)(item->kv_head * attn->d_k);
    float *dvalues = dkeys;
    cpu_f32_turn(backend, (struct f32_rows){w->q, d_k, n_q}, attn->d_k, w->q_turned, queries);
    cpu_f32_turn(backend, (struct f32_rows){w->dp, w->key_line, n_q}, n_key, w->dp_turned, queries);
    cpu_f32_product(backend, (struct f32_rows){w->q_turned, queries, attn->d_k}, n_q,
                    (struct f32_rows){w->dp_turned, queries, n_key}, w->product, d_k, w->scratch);
    add_rows(backend, w->product, d_k, dkeys, key_line, n_key, attn->d_k);
    cpu_f32_turn(backend, (struct f32_rows){w->dout, d_v, n_q}, attn->d_v, w->dout_turned, queries);
    cpu_f32_turn(backend, (struct f32_rows){w->s, w->key_line, n_q}, n_key, w->s_turned, queries);
    cpu_f32_product(backend, (struct f32_rows){w->dout_turned, queries, attn->d_v}, n_q,
                    (struct f32_rows){w->s_turned, queries, n_key}, w->product, d_v, w->scratch);
    if (attn->values_in_keys) {
        value_line = key_line;
    } else {
        dvalues =
            tape->dvalues + (size_t)item->row0 * value_line + (size_t)(item->kv_head * attn->d_v);
    }
    add_rows(backend, w->product, d_v, dvalues, value_line, n_key, attn->d_v);
}

struct attn_call {
    struct backend_tape *tape;
    const struct step *step;
};

static void run_item(void *ctx, int index, int thread) {
    const struct attn_call *call = ctx;
    struct backend_tape *tape = call->tape;
    const struct attn_spec *attn = call->step->attn;
    const struct row_block *rows = &tape->frame->blocks[index / attn->n_head_kv];
    int group = attn->n_head / attn->n_head_kv, kv_head = index % attn->n_head_kv;
    struct item item = {rows->row, rows->n_row, kv_head, kv_head * group, 0};
    struct attn_work w;
    lay_out(tape->backend, call->step, rows->n_row, (uint8_t *)tape_thread_temp(tape, thread), &w);
    read_cache(tape->backend, &w, &tape->batch->seqs[tape->batch->rows[rows->row].seq], kv_head);
    for (int done = 0; done < group; done += item.n_head) {
        item.head0 = kv_head * group + done;
        item.n_head = group - done < QUERIES ? group - done : QUERIES;
        int step_rows = QUERIES / item.n_head;
        for (int first = 0; first < rows->n_row; first += step_rows)
            block(tape, &w, &item, first,
                  rows->n_row - first < step_rows ? rows->n_row - first : step_rows);
    }
}

enum jl_status cpu_grad_attn(struct backend_tape *tape, const struct step *step,
                             struct jl_error *err) {
    const struct attn_spec *attn = step->attn;
    struct attn_call call = {tape, step};
    size_t rows = (size_t)tape->batch->n_row * (size_t)attn->n_head_kv;
    (void)err;
    memset(tape->dkeys, 0, rows * (size_t)attn->d_k * sizeof *tape->dkeys);
    if (!attn->values_in_keys)
        memset(tape->dvalues, 0, rows * (size_t)attn->d_v * sizeof *tape->dvalues);
    int n_seq = cpu_cut_blocks(tape->frame, tape->batch->n_row);
    pool_run(tape->backend->pool, n_seq * attn->n_head_kv, run_item, &call);
    tape->has[tape_grad_reg(tape, step, 0)] = tape->has_cache = true;
    return JL_OK;
}

/* ---- the cache ---- */

static void put_back(struct backend_tape *tape, enum reg_id reg, const float *from, int width,
                     int first, int end) {
    for (int row = first; row < end; row++)
        tape_put(tape, tape->has[reg], from + (size_t)row * (size_t)width,
                 tape_grad(tape, reg, row), width);
}

static void kv_block(struct backend_tape *tape, const struct step *step, int first, int end,
                     float *sums, int thread) {
    const struct attn_spec *attn = step->attn;
    (void)sums;
    (void)thread;
    put_back(tape, step->in, tape->dkeys, attn->n_head_kv * attn->d_k, first, end);
    if (!attn->values_in_keys)
        put_back(tape, step->in2, tape->dvalues, attn->n_head_kv * attn->d_v, first, end);
}

/* Rounding to the cache's type lets gradients through. */
enum jl_status cpu_grad_kv_put(struct backend_tape *tape, const struct step *step,
                               struct jl_error *err) {
    (void)err;
    if (!tape->has_cache) return JL_OK;
    tape->has_cache = false;
    tape_blocks(tape, step, tape_rows(tape, step), 0, kv_block);
    tape->has[step->in] = true;
    if (!step->attn->values_in_keys) tape->has[step->in2] = true;
    return JL_OK;
}
