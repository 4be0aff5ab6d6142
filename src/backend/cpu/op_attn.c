/* Attention: an item is one block of rows of one sequence for one key/value head. It walks the
 * cached chunks from the first and folds them left to right, so nothing depends on who shares the
 * batch or on how rows are grouped. */
#include "backend/cpu/cpu.h"
#include "tensor/kvchunk.h"

struct attn_call {
    struct backend_frame *frame;
    const struct step *step;
};

/* A thread's scratch, cut from one piece. */
struct attn_scratch {
    float *scores; // (queries, KV_CHUNK)
    float *part_o; // (queries, d_v)
    float *part_m, *part_l, *m, *l;
    const void **q;
    int *n_key;
};

static size_t up64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static int queries_per_block(const struct attn_spec *attn) {
    int group = attn->n_head / attn->n_head_kv;
    return group > CPU_ATTN_QUERIES ? group : CPU_ATTN_QUERIES / group * group;
}

static size_t cut_scratch(const struct attn_spec *attn, uint8_t *base, struct attn_scratch *out) {
    size_t n = (size_t)queries_per_block(attn), at = 0;
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
    CUT(n_key, int, n);
#undef CUT
    return at;
}

size_t cpu_attn_scratch(const struct step *step) { return cut_scratch(step->attn, NULL, NULL); }

static int visible(int pos, int chunk) {
    int n = pos - chunk * KV_CHUNK + 1;
    return n < 0 ? 0 : n > KV_CHUNK ? KV_CHUNK : n;
}

static void attend_block(const struct attn_call *call, const struct row_block *block, int kv_head,
                         uint8_t *memory) {
    struct backend_frame *frame = call->frame;
    const struct step *step = call->step;
    const struct attn_spec *attn = step->attn;
    const struct kernel_table *k = &frame->backend->kernels;
    const struct batch_row *rows = &frame->batch->rows[block->row];
    const struct seq_view *seq = &frame->batch->seqs[rows[0].seq];
    int group = attn->n_head / attn->n_head_kv, n_q = block->n_row * group;
    size_t q_elem = step->xfmt == XFMT_BF16 ? 2 : 4;
    size_t k_bytes = kvchunk_bytes(attn->kv, attn->d_k),
           v_bytes = kvchunk_bytes(attn->kv, attn->d_v);
    struct attn_scratch s;
    cut_scratch(attn, memory, &s);
    for (int i = 0; i < n_q; i++)
        s.q[i] = frame->reg[step->in] + (size_t)(block->row + i / group) * frame->stride[step->in] +
                 (size_t)(kv_head * group + i % group) * (size_t)attn->d_k * q_elem;
    int last_chunk = rows[block->n_row - 1].pos[0] / KV_CHUNK;
    for (int chunk = 0; chunk <= last_chunk; chunk++) {
        const uint8_t *page = seq->pages[chunk]->data;
        for (int i = 0; i < n_q; i++)
            s.n_key[i] = visible(rows[i / group].pos[0], chunk);
        struct attn_chunk_args args = {
            .n_q = n_q,
            .d_k = attn->d_k,
            .d_v = attn->d_v,
            .q = s.q,
            .n_key = s.n_key,
            .k = page + attn->k_at + (size_t)kv_head * k_bytes,
            .v = page + attn->v_at + (size_t)kv_head * v_bytes,
            .scale = attn->scale,
            .m = s.part_m,
            .l = s.part_l,
            .o = s.part_o,
            .o_stride = (size_t)attn->d_v,
            .scratch = s.scores,
        };
        k->attn_chunk[kernel_attn_kind(attn->kv, attn->act_bf16)](&args);
        for (int i = 0; i < n_q; i++) {
            if (s.n_key[i] == 0) continue;
            float *o = cpu_row_f32(frame, step->out, block->row + i / group) +
                       (size_t)(kv_head * group + i % group) * (size_t)attn->d_v;
            struct attn_fold_args fold = {
                .d_v = attn->d_v,
                .m = &s.m[i],
                .l = &s.l[i],
                .o = o,
                .part_m = &s.part_m[i],
                .part_l = &s.part_l[i],
                .part_o = s.part_o + (size_t)i * (size_t)attn->d_v,
                .fresh = chunk == 0,
            };
            k->attn_fold(&fold);
        }
    }
    for (int i = 0; i < n_q; i++)
        k->attn_finish(cpu_row_f32(frame, step->out, block->row + i / group) +
                           (size_t)(kv_head * group + i % group) * (size_t)attn->d_v,
                       s.l[i], attn->d_v);
}

static void run_item(void *ctx, int item, int thread) {
    const struct attn_call *call = ctx;
    int n_head_kv = call->step->attn->n_head_kv;
    attend_block(call, &call->frame->blocks[item / n_head_kv], item % n_head_kv,
                 cpu_scratch(call->frame, thread));
}

enum jl_status cpu_op_attn(struct backend_frame *frame, const struct step *step,
                           struct jl_error *err) {
    (void)err;
    const struct attn_spec *attn = step->attn;
    const struct batch_row *rows = frame->batch->rows;
    int most = queries_per_block(attn) / (attn->n_head / attn->n_head_kv), n_block = 0;
    for (int row = 0; row < frame->n_row;) {
        int n = 1;
        while (n < most && row + n < frame->n_row && rows[row + n].seq == rows[row].seq)
            n++;
        frame->blocks[n_block++] = (struct row_block){row, n};
        row += n;
    }
    frame->ran.attn[kernel_attn_kind(attn->kv, attn->act_bf16)] = true;
    frame->ran.row[KSLOT_attn_fold] = frame->ran.row[KSLOT_attn_finish] = true;
    struct attn_call call = {frame, step};
    pool_run(frame->backend->pool, n_block * attn->n_head_kv, run_item, &call);
    return JL_OK;
}
