/* Attention: an item is one block of rows of one sequence for some heads that share a key/value
 * head. It walks the cached chunks from the first and folds them left to right, so nothing depends
 * on who shares the batch or on how rows and heads are grouped. */
#include <string.h>

#include "backend/cpu/cpu.h"
#include "tensor/kvchunk.h"
#include "tensor/xrow.h"

/* An item has fewer queries than this only where there are no more: they share what it loads. */
#define MIN_QUERIES 6

struct attn_call {
    struct backend_frame *frame;
    const struct step *step;
    int n_part, part; // a group of heads is shared out as n_part parts of `part` heads
};

/* A thread's scratch, cut from one piece. */
struct attn_scratch {
    float *scores; // (queries, KV_CHUNK)
    float *part_o; // (queries, d_v)
    float *part_m, *part_l, *m, *l;
    const void **q;
    float **o;
    int *n_key;
    uint8_t *values;  // a chunk of values made of keys
    uint8_t *queries; // kv q8: those of the item as int8
    float *padded;    // a query with zeros up to a whole block
};

/* Bytes of a query as int8; 0 where queries stay as they are. */
static size_t query_bytes(const struct attn_spec *attn) {
    return attn->kv == KV_Q8 ? xrow_layout(XFMT_Q8_32, kv_q8_query(attn->d_k)).bytes : 0;
}

static size_t up64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static size_t cut_scratch(const struct attn_spec *attn, uint8_t *base, struct attn_scratch *out) {
    size_t n = CPU_ATTN_QUERIES, at = 0;
    struct attn_scratch unused;
    struct attn_scratch *s = out ? out : &unused;
#define CUT(field, type, count)                                                                    \
    s->field = base ? (type *)(void *)(base + at) : NULL;                                          \
    at += up64((count) * sizeof(type))
    CUT(scores, float, n *KV_CHUNK);
    CUT(part_o, float, n *(size_t)attn->d_v);
    CUT(part_m, float, n);
    CUT(part_l, float, n);
    CUT(m, float, n);
    CUT(l, float, n);
    CUT(q, const void *, n);
    CUT(o, float *, n);
    CUT(n_key, int, n);
    CUT(values, uint8_t, attn->values_in_keys ? kvchunk_bytes(attn->kv, attn->d_v) : 0);
    CUT(queries, uint8_t, n * query_bytes(attn));
    CUT(padded, float, query_bytes(attn) ? (size_t)kv_q8_query(attn->d_k) : 0);
#undef CUT
    return at;
}

size_t cpu_attn_scratch(const struct step *step) { return cut_scratch(step->attn, NULL, NULL); }

static int visible(int pos, int chunk) {
    int n = pos - chunk * KV_CHUNK + 1;
    return n < 0 ? 0 : n > KV_CHUNK ? KV_CHUNK : n;
}

/* The chunk's values: stored beside the keys, or made of them. */
static const void *chunk_values(const struct attn_call *call, const uint8_t *page, int kv_head,
                                int n_key, struct attn_scratch *s) {
    const struct attn_spec *attn = call->step->attn;
    if (!attn->values_in_keys)
        return page + attn->v_at + (size_t)kv_head * kvchunk_bytes(attn->kv, attn->d_v);
    struct attn_values_args args = {
        .kv = attn->kv,
        .d_k = attn->d_k,
        .d_v = attn->d_v,
        .n_key = n_key,
        .k = page + attn->k_at + (size_t)kv_head * kvchunk_bytes(attn->kv, attn->d_k),
        .v = s->values,
    };
    call->frame->backend->kernels.attn_values(&args);
    return s->values;
}

/* n_q queries against one chunk, folded into what the chunks before it gave. */
static void attend_chunk(const struct attn_call *call, const uint8_t *page, int kv_head, int n_q,
                         bool fresh, struct attn_scratch *s) {
    const struct attn_spec *attn = call->step->attn;
    const struct kernel_table *k = &call->frame->backend->kernels;
    struct attn_chunk_args args = {
        .n_q = n_q,
        .d_k = attn->d_k,
        .d_v = attn->d_v,
        .q = s->q,
        .n_key = s->n_key,
        .k = page + attn->k_at + (size_t)kv_head * kvchunk_bytes(attn->kv, attn->d_k),
        .v = chunk_values(call, page, kv_head, s->n_key[n_q - 1], s), // the last row sees most
        .scale = attn->scale,
        .m = s->part_m,
        .l = s->part_l,
        .o = s->part_o,
        .o_stride = (size_t)attn->d_v,
        .scratch = s->scores,
    };
    k->attn_chunk[kernel_attn_kind(attn->kv, attn->act_bf16)](&args);
    for (int i = 0; i < n_q; i++) {
        if (s->n_key[i] == 0) continue;
        struct attn_fold_args fold = {
            .d_v = attn->d_v,
            .m = &s->m[i],
            .l = &s->l[i],
            .o = s->o[i],
            .part_m = &s->part_m[i],
            .part_l = &s->part_l[i],
            .part_o = s->part_o + (size_t)i * (size_t)attn->d_v,
            .fresh = fresh,
        };
        k->attn_fold(&fold);
    }
}

static const void *query_at(const struct backend_frame *frame, const struct step *step, int row,
                            int head) {
    int width = step->attn->d_k;
    if (step->xfmt != XFMT_BF16) return cpu_head_f32(frame, step->in, row, head, width);
    int slots = frame->slots[step->in];
    size_t vector = (size_t)(slots > 1 ? row * slots + head : row);
    const uint8_t *q = frame->reg[step->in] + vector * frame->stride[step->in];
    return slots > 1 ? q : q + 2 * (size_t)head * (size_t)width;
}

/* Query i of the item in the form that keys of the class are compared with. */
static const void *query_form(const struct attn_call *call, struct attn_scratch *s, int i,
                              const void *query) {
    const struct attn_spec *attn = call->step->attn;
    if (attn->kv != KV_Q8) return query;
    size_t d = (size_t)attn->d_k, whole = (size_t)kv_q8_query(attn->d_k);
    uint8_t *row = s->queries + (size_t)i * query_bytes(attn);
    memcpy(s->padded, query, d * sizeof *s->padded);
    memset(s->padded + d, 0, (whole - d) * sizeof *s->padded);
    call->frame->backend->kernels.to_q8_32(s->padded, row, (int)whole);
    return row;
}

/* Heads head0 .. head0+n_head-1, which share kv_head, of the block's rows. */
static void attend_block(const struct attn_call *call, const struct row_block *block, int kv_head,
                         int head0, int n_head, struct attn_scratch *s) {
    struct backend_frame *frame = call->frame;
    const struct step *step = call->step;
    const struct attn_spec *attn = step->attn;
    const struct batch_row *rows = &frame->batch->rows[block->row];
    const struct seq_view *seq = &frame->batch->seqs[rows[0].seq];
    int n_q = block->n_row * n_head;
    for (int i = 0; i < n_q; i++) {
        int row = block->row + i / n_head, head = head0 + i % n_head;
        s->q[i] = query_form(call, s, i, query_at(frame, step, row, head));
        s->o[i] = cpu_head_f32(frame, step->out, row, head, attn->d_v);
    }
    int last_chunk = rows[block->n_row - 1].pos[0] / KV_CHUNK;
    for (int chunk = 0; chunk <= last_chunk; chunk++) {
        for (int i = 0; i < n_q; i++)
            s->n_key[i] = visible(rows[i / n_head].pos[0], chunk);
        attend_chunk(call, seq->pages[chunk]->data, kv_head, n_q, chunk == 0, s);
    }
    for (int i = 0; i < n_q; i++)
        frame->backend->kernels.attn_finish(s->o[i], s->l[i], attn->d_v);
}

static void run_item(void *ctx, int item, int thread) {
    const struct attn_call *call = ctx;
    const struct attn_spec *attn = call->step->attn;
    int group = attn->n_head / attn->n_head_kv, per_block = attn->n_head_kv * call->n_part;
    int kv_head = item % per_block / call->n_part, first = item % call->n_part * call->part;
    int n_head = group - first < call->part ? group - first : call->part;
    struct attn_scratch s;
    cut_scratch(attn, cpu_scratch(call->frame, thread), &s);
    attend_block(call, &call->frame->blocks[item / per_block], kv_head, kv_head * group + first,
                 n_head, &s);
}

/* Parts of a group: what an item can hold; smaller ones where that leaves threads without work. */
static int part_heads(const struct attn_spec *attn, int n_block, int n_threads) {
    int group = attn->n_head / attn->n_head_kv, whole = n_block * attn->n_head_kv;
    int n_part = (group + CPU_ATTN_QUERIES - 1) / CPU_ATTN_QUERIES;
    int wanted = (n_threads + whole - 1) / whole, most = group / MIN_QUERIES;
    if (wanted > most) wanted = most;
    if (wanted > n_part) n_part = wanted;
    return (group + n_part - 1) / n_part;
}

enum jl_status cpu_op_attn(struct backend_frame *frame, const struct step *step,
                           struct jl_error *err) {
    (void)err;
    const struct attn_spec *attn = step->attn;
    // Rows of one sequence together, as many as fit beside a whole group of heads, if one does.
    int group = attn->n_head / attn->n_head_kv;
    int n_block = cpu_cut_blocks(frame, group < CPU_ATTN_QUERIES ? CPU_ATTN_QUERIES / group : 1);
    struct attn_call call = {.frame = frame, .step = step};
    call.part = part_heads(attn, n_block, backend_threads(frame->backend));
    call.n_part = (group + call.part - 1) / call.part;
    frame->ran.attn[kernel_attn_kind(attn->kv, attn->act_bf16)] = true;
    frame->ran.row[KSLOT_attn_fold] = frame->ran.row[KSLOT_attn_finish] = true;
    if (attn->kv == KV_Q8) frame->ran.row[KSLOT_to_q8_32] = true;
    if (attn->values_in_keys) frame->ran.row[KSLOT_attn_values] = true;
    pool_run(frame->backend->pool, n_block * attn->n_head_kv * call.n_part, run_item, &call);
    return JL_OK;
}
