/* Keys and values into the cache: an item is a run of rows, neighbours within one group of keys
 * (tensor/kvchunk.h), and one head, so that whole lines of a group are written where a prompt has
 * them, and no two threads write into one. */
#include "backend/cpu/cpu.h"
#include "tensor/kvchunk.h"

/* Fewer elements than this in all, and fewer items, each of which comes to other lines, and waking
 * the threads costs more than the work. */
#define MIN_PARALLEL 65536
#define MIN_ITEMS 64

/* Runs of rows that stand behind one another in one group of one sequence: frame->blocks. */
static int cut_runs(struct backend_frame *frame) {
    const struct batch_row *rows = frame->batch->rows;
    int n_run = 0;
    for (int row = 0; row < frame->n_row;) {
        int pos = rows[row].pos[0], n = 1;
        while (row + n < frame->n_row && rows[row + n].seq == rows[row].seq &&
               rows[row + n].pos[0] == pos + n && (pos + n) % KV_GROUP != 0)
            n++;
        frame->blocks[n_run++] = (struct row_block){row, n};
        row += n;
    }
    return n_run;
}

struct put_call {
    struct backend_frame *frame;
    const struct step *step;
};

static void put_item(void *ctx, int item, int thread) {
    (void)thread;
    const struct put_call *call = ctx;
    struct backend_frame *frame = call->frame;
    const struct step *step = call->step;
    const struct attn_spec *attn = step->attn;
    const struct row_block *run = &frame->blocks[item / attn->n_head_kv];
    const struct batch_row *at = &frame->batch->rows[run->row];
    size_t head = (size_t)(item % attn->n_head_kv);
    uint8_t *page = frame->batch->seqs[at->seq].pages[at->pos[0] / KV_CHUNK]->data;
    struct kv_put_args args = {
        .kv = attn->kv,
        .d = attn->d_k,
        .slot = at->pos[0] % KV_CHUNK,
        .n = run->n_row,
        .x = cpu_row_f32(frame, step->in, run->row) + head * (size_t)attn->d_k,
        .x_stride = frame->stride[step->in] / sizeof(float),
        .chunk = page + attn->k_at + head * kvchunk_bytes(attn->kv, attn->d_k),
    };
    frame->backend->kernels.put_keys(&args);
    if (attn->values_in_keys) return;
    args.d = attn->d_v;
    args.x = cpu_row_f32(frame, step->in2, run->row) + head * (size_t)attn->d_v;
    args.x_stride = frame->stride[step->in2] / sizeof(float);
    args.chunk = page + attn->v_at + head * kvchunk_bytes(attn->kv, attn->d_v);
    frame->backend->kernels.put_values(&args);
}

enum jl_status cpu_op_kv_put(struct backend_frame *frame, const struct step *step,
                             struct jl_error *err) {
    (void)err;
    const struct attn_spec *attn = step->attn;
    struct put_call call = {frame, step};
    int n = cut_runs(frame) * attn->n_head_kv;
    frame->ran.row[KSLOT_put_keys] = true;
    if (!attn->values_in_keys) frame->ran.row[KSLOT_put_values] = true;
    if (n >= MIN_ITEMS ||
        (int64_t)frame->n_row * attn->n_head_kv * (attn->d_k + attn->d_v) >= MIN_PARALLEL) {
        pool_run(frame->backend->pool, n, put_item, &call);
        return JL_OK;
    }
    for (int item = 0; item < n; item++)
        put_item(&call, item, 0);
    return JL_OK;
}
