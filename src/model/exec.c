#include "model/exec.h"

#include <stdlib.h>

#include "tensor/kvchunk.h"

struct exec {
    const struct model *model;
    struct backend *backend;
    struct backend_frame *frame;
    bool mtp; // the plan is that of the prediction layer
    int max_rows;
    struct exec_batch_memory memory;
};

static enum jl_status create(const struct model *model, struct backend *backend, int max_rows,
                             bool mtp, struct exec **out, struct jl_error *err) {
    struct exec *exec = calloc(1, sizeof *exec);
    *out = NULL;
    if (!exec) return jl_fail(err, JL_ERR_MEMORY, "out of memory for an executor");
    *exec = (struct exec){.model = model, .backend = backend, .max_rows = max_rows, .mtp = mtp};
    enum jl_status status = backend_frame_create(backend, mtp ? &model->mtp : &model->plan,
                                                 max_rows, &exec->frame, err);
    if (status == JL_OK) {
        exec->memory.rows = calloc((size_t)max_rows, sizeof *exec->memory.rows);
        exec->memory.seqs = calloc((size_t)max_rows, sizeof *exec->memory.seqs);
        if (!exec->memory.rows || !exec->memory.seqs)
            status = jl_fail(err, JL_ERR_MEMORY, "out of memory for a batch of %d rows", max_rows);
    }
    if (status != JL_OK) {
        exec_free(exec);
        return status;
    }
    *out = exec;
    return JL_OK;
}

enum jl_status exec_create(const struct model *model, struct backend *backend, int max_rows,
                           struct exec **out, struct jl_error *err) {
    return create(model, backend, max_rows, false, out, err);
}

enum jl_status exec_create_mtp(const struct model *model, struct backend *backend, int max_rows,
                               struct exec **out, struct jl_error *err) {
    *out = NULL;
    if (model->mtp.n_step == 0)
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "%s has no layer that predicts further tokens (num_nextn_predict_layers)",
                       model->file->path);
    return create(model, backend, max_rows, true, out, err);
}

void exec_free(struct exec *exec) {
    if (!exec) return;
    backend_frame_free(exec->frame);
    free(exec->memory.rows);
    free(exec->memory.seqs);
    free(exec);
}

static enum jl_status check_row(const struct exec *exec, const struct batch *batch, int i,
                                struct jl_error *err) {
    const struct batch_row *row = &batch->rows[i];
    if (!row->vector && (row->token < 0 || row->token >= exec->model->hp.n_vocab))
        return jl_fail(err, JL_ERR_USAGE, "token id %d (row %d) is outside the vocabulary 0 .. %d",
                       row->token, i, exec->model->hp.n_vocab - 1);
    if (exec->mtp && (row->vector || !row->hidden))
        return jl_fail(err, JL_ERR_USAGE,
                       "row %d: the prediction layer takes a token and a hidden state", i);
    if (row->seq < 0 || row->seq >= batch->n_seq)
        return jl_fail(err, JL_ERR_USAGE, "row %d names sequence %d of %d", i, row->seq,
                       batch->n_seq);
    const struct seq_view *seq = &batch->seqs[row->seq];
    bool continues = i > 0 && batch->rows[i - 1].seq == row->seq;
    int expected = continues ? batch->rows[i - 1].pos[0] + 1 : seq->n_pos;
    if (row->pos[0] != expected)
        return jl_fail(err, JL_ERR_USAGE, "row %d: sequence %d goes on at position %d, not %d", i,
                       row->seq, expected, row->pos[0]);
    if (row->pos[0] / KV_CHUNK >= seq->n_page)
        return jl_fail(err, JL_ERR_LIMIT, "row %d: position %d is past the %d pages of sequence %d",
                       i, row->pos[0], seq->n_page, row->seq);
    if (!exec->mtp && exec->model->recurrent_bytes && (!seq->recur || !seq->recur_next))
        return jl_fail(err, JL_ERR_USAGE, "row %d: sequence %d has no recurrent state", i,
                       row->seq);
    if (!continues)
        for (int k = 0; k + 1 < i; k++)
            if (batch->rows[k].seq == row->seq)
                return jl_fail(err, JL_ERR_USAGE, "rows of sequence %d do not stand together",
                               row->seq);
    return JL_OK;
}

enum jl_status exec_forward(struct exec *exec, const struct batch *batch, float *logits,
                            struct jl_error *err) {
    if (batch->n_row < 1 || batch->n_row > exec->max_rows)
        return jl_fail(err, JL_ERR_LIMIT, "a batch of %d rows; this executor takes 1 .. %d",
                       batch->n_row, exec->max_rows);
    for (int i = 0; i < batch->n_row; i++)
        JL_TRY(check_row(exec, batch, i, err));
    return backend_frame_run(exec->frame, batch, logits, err);
}

void exec_observe(struct exec *exec, const struct backend_observer *observer) {
    backend_frame_observe(exec->frame, observer);
}

struct exec_batch_memory exec_batch_memory(const struct exec *exec) {
    return exec->memory;
}

int exec_max_rows(const struct exec *exec) { return exec->max_rows; }

const struct model *exec_model(const struct exec *exec) { return exec->model; }

struct backend *exec_backend(const struct exec *exec) {
    return exec->backend;
}

const struct backend_frame *exec_frame(const struct exec *exec) { return exec->frame; }
