/* One step: the micro-batches' gradients, their sum by a binary tree, and the move of the weights.
 */
#include <math.h>
#include <string.h>

#include "base/fmath.h"
#include "tensor/kvchunk.h"
#include "train/learn/self.h"

/* ---- a micro-batch ---- */

struct loss_call {
    const struct learner_batch *batch;
    const struct train_loss *loss;
    const int32_t *targets; // rows of the micro-batch
    int micro;
    double scale;
    bool mtp; // what follows the target is asked for
};

static double loss_row(void *ctx, const struct backend *backend, int row, float *out, int n) {
    const struct loss_call *call = ctx;
    const struct learner_row *at = &call->batch->rows[call->targets[row]];
    const struct loss_row args = {
        .micro = call->micro,
        .row = call->targets[row],
        .target = call->mtp ? at->after : at->target,
        .weight = (float)((call->mtp ? 1.0 : (double)at->weight) * call->scale),
    };
    if (call->mtp) return backend_cross_entropy(backend, out, n, args.target, args.weight);
    return call->loss->row(call->loss->ctx, backend, &args, out, n);
}

/* Rows and sequences as the backend wants them; how many rows want logits. */
static enum jl_status lay_rows(struct learner *l, const struct learner_batch *batch, int *n_target,
                               struct jl_error *err) {
    int page = 0, n_vocab = l->model->hp.n_vocab;
    *n_target = 0;
    for (int i = 0; i < batch->n_row; i++) {
        const struct learner_row *row = &batch->rows[i];
        bool first = i == 0 || batch->rows[i - 1].seq != row->seq;
        if (row->seq != (i ? batch->rows[i - 1].seq + first : 0) ||
            row->pos != (first ? 0 : batch->rows[i - 1].pos + 1) ||
            (!row->vector && (row->token < 0 || row->token >= n_vocab)))
            return jl_fail(err, JL_ERR_USAGE,
                           "row %d of a micro-batch: sequence %d, position %d, token %d do not "
                           "follow row %d",
                           i, row->seq, row->pos, row->token, i - 1);
        l->rows[i] = (struct batch_row){.token = row->token,
                                        .vector = row->vector,
                                        .pos = {row->pos},
                                        .seq = row->seq,
                                        .want_logits = row->weight != 0};
        if (l->mtp) l->rows[i].give = l->hidden + (size_t)i * (size_t)l->model->hp.n_embd;
        if (row->weight != 0) l->targets[(*n_target)++] = i;
        struct seq_view *seq = &l->seqs[row->seq];
        if (first) *seq = (struct seq_view){.pages = l->page_list + page};
        if (first && l->model->recurrent_bytes) {
            seq->recur = l->recur_zero;
            seq->recur_next = backend_array_at(l->recur, row->seq);
        }
        if (row->pos % KV_CHUNK == 0) {
            seq->n_page++;
            page++;
        }
    }
    return JL_OK;
}

/* The prediction layer's row takes the next token and the hidden state, and predicts the one after.
 */
static int lay_mtp_rows(struct learner *l, const struct learner_batch *batch, int *n_target) {
    *n_target = 0;
    for (int i = 0; i < batch->n_row; i++) {
        const struct learner_row *row = &batch->rows[i];
        l->mtp_rows[i] = l->rows[i];
        l->mtp_rows[i].token = row->target;
        l->mtp_rows[i].hidden = l->rows[i].give;
        l->mtp_rows[i].give = NULL;
        l->mtp_rows[i].want_logits = row->after >= 0;
        if (row->after >= 0) l->mtp_targets[(*n_target)++] = i;
    }
    return batch->n_row;
}

static void add_load(struct learner *l, const struct backend_tape *tape, int layer) {
    const int32_t *load = backend_tape_load(tape, layer);
    int64_t *to = l->loads + (size_t)layer * (size_t)l->model->hp.n_expert;
    for (int e = 0; load && e < l->model->hp.n_expert; e++)
        to[e] += load[e];
}

static enum jl_status mtp_pass(struct learner *l, const struct learner_batch *batch,
                               const atomic_bool *cancel, double scale, double *sum,
                               struct jl_error *err) {
    int n_target, n_row = lay_mtp_rows(l, batch, &n_target);
    struct loss_call call = {
        .batch = batch, .targets = l->mtp_targets, .scale = scale, .mtp = true};
    const struct tape_loss loss = {loss_row, &call};
    const struct batch rows = {l->mtp_rows, n_row, l->seqs, batch->n_seq, cancel};
    JL_TRY(backend_tape_forward(l->mtp, &rows, &loss, l->grads[0], l->losses, err));
    for (int i = 0; i < n_target; i++)
        *sum += l->losses[i];
    memset(l->dhidden, 0, (size_t)n_row * (size_t)l->model->hp.n_embd * sizeof *l->dhidden);
    add_load(l, l->mtp, l->model->hp.n_layer);
    return backend_tape_backward(l->mtp, &(struct tape_ends){.dhidden = l->dhidden}, l->grads[0],
                                 err);
}

enum jl_status learner_pass(struct learner *l, const struct learner_batch *batch, int micro,
                            const struct train_loss *loss, const double scale[2],
                            const atomic_bool *cancel, double sums[2], struct jl_error *err) {
    int n_target;
    if (batch->n_row < 1 || batch->n_row > l->options.rows)
        return jl_fail(err, JL_ERR_LIMIT, "a micro-batch of %d rows; this learner takes 1 .. %d",
                       batch->n_row, l->options.rows);
    JL_TRY(lay_rows(l, batch, &n_target, err));
    struct loss_call call = {
        .batch = batch, .loss = loss, .targets = l->targets, .micro = micro, .scale = scale[0]};
    const struct tape_loss rows_loss = {loss_row, &call};
    const struct batch rows = {l->rows, batch->n_row, l->seqs, batch->n_seq, cancel};
    for (int id = 0; id < l->n_weight; id++)
        l->grads[0][id].fresh = true;
    JL_TRY(backend_tape_forward(l->tape, &rows, &rows_loss, l->grads[0], l->losses, err));
    for (int i = 0; i < n_target; i++)
        sums[0] += l->losses[i] * (double)batch->rows[l->targets[i]].weight;
    for (int layer = 0; layer < l->model->hp.n_layer; layer++)
        add_load(l, l->tape, layer);
    if (l->mtp && scale[1] > 0) JL_TRY(mtp_pass(l, batch, cancel, scale[1], &sums[1], err));
    const struct tape_ends ends = {.dgive = l->mtp && scale[1] > 0 ? l->dhidden : NULL};
    JL_TRY(backend_tape_backward(l->tape, &ends, l->grads[0], err));
    for (int i = 0; i < l->n_param; i++) {
        struct weight_grad *grad = &l->grads[0][l->params[i].id];
        if (grad->fresh) memset(grad->data, 0, l->params[i].tensor.n * sizeof(float));
        grad->fresh = false;
    }
    return JL_OK;
}

enum jl_status learner_eval(struct learner *l, const struct learner_batch *batch,
                            const struct train_loss *loss, double *sum, double *weight,
                            struct jl_error *err) {
    int n_target;
    if (batch->n_row < 1 || batch->n_row > l->options.rows)
        return jl_fail(err, JL_ERR_LIMIT, "a batch of %d rows; this learner takes 1 .. %d",
                       batch->n_row, l->options.rows);
    JL_TRY(lay_rows(l, batch, &n_target, err));
    struct loss_call call = {.batch = batch, .loss = loss, .targets = l->targets, .scale = 1};
    const struct tape_loss rows_loss = {loss_row, &call};
    const struct batch rows = {l->rows, batch->n_row, l->seqs, batch->n_seq, NULL};
    JL_TRY(backend_tape_forward(l->tape, &rows, &rows_loss, NULL, l->losses, err));
    for (int i = 0; i < n_target; i++) {
        double w = (double)batch->rows[l->targets[i]].weight;
        *sum += l->losses[i] * w;
        *weight += w;
    }
    return JL_OK;
}

/* ---- the tree ---- */

static void swap_grads(struct learner *l, int a, int b) {
    struct weight_grad *grads = l->grads[a];
    float *data = l->grad_data[a];
    l->grads[a] = l->grads[b];
    l->grad_data[a] = l->grad_data[b];
    l->grads[b] = grads;
    l->grad_data[b] = data;
}

static void add_level(struct learner *l, int level) {
    backend_mix(l->backend, 1.0f, l->grad_data[0], 1.0f, l->grad_data[level], l->grad_floats);
    swap_grads(l, 0, level);
}

/* waiting: bit k: level k + 1 holds the sum of 2^k micro-batches. What level 0 holds joins those of
 * its size; then it waits, or as the last is added to all that do, from the newest on. */
static void merge(struct learner *l, unsigned *waiting, bool last) {
    int level = 0;
    for (; *waiting >> level & 1; level++)
        add_level(l, level + 1);
    *waiting &= ~0u << level;
    if (!last) {
        swap_grads(l, 0, level + 1);
        *waiting |= 1u << level;
        return;
    }
    for (; *waiting >> level; level++)
        if (*waiting >> level & 1) add_level(l, level + 1);
}

/* ---- the move ---- */

/* From the gradients of the working copy to those of the masters. */
static void chain_rule(struct learner *l) {
    for (int i = 0; i < l->n_param; i++) {
        const struct param *p = &l->params[i];
        float *grad = l->grads[0][p->id].data;
        if (p->tensor.master) backend_mix(l->backend, p->tensor.factor, grad, 0, grad, p->tensor.n);
        const float *w = (const float *)(const void *)p->tensor.w->data;
        for (size_t k = 0; p->log_of_minus && k < p->tensor.n; k++)
            grad[k] = grad[k] * w[k];
    }
}

static double grad_norm(struct learner *l) {
    double sum = 0;
    for (int i = 0; i < l->n_param; i++)
        sum += backend_square_sum(l->backend, l->grads[0][l->params[i].id].data,
                                  l->params[i].tensor.n);
    return sqrt(sum);
}

static void move_adamw(struct learner *l, const struct param *p, float rate, float clip) {
    const struct optimizer *o = &l->options.optimizer;
    double t = (double)l->steps + 1;
    struct adamw_args args = {
        .w = p->master,
        .m = p->m,
        .v = p->v,
        .grad = l->grads[0][p->id].data,
        .n = p->tensor.n,
        .rate = rate,
        .beta1 = o->beta1,
        .beta2 = o->beta2,
        .eps = o->eps,
        .decay = p->decay,
        .clip = clip,
        .fix1 = (float)(1 / (1 - fmath_pow64((double)o->beta1, t))),
        .fix2 = (float)(1 / (1 - fmath_pow64((double)o->beta2, t))),
    };
    backend_adamw(l->backend, &args);
}

#define MUON_AT_ONCE 256

static void move_muon(struct learner *l, float rate, float clip) {
    struct muon_args list[MUON_AT_ONCE];
    int n = 0;
    for (int i = 0; i < l->n_param; i++) {
        const struct param *p = &l->params[i];
        const struct weight *w = p->tensor.w;
        size_t size = (size_t)w->n_out * (size_t)w->n_in;
        for (size_t e = 0; p->muon && learner_moves(l, &p->tensor) && e < p->tensor.n / size; e++) {
            list[n++] = (struct muon_args){
                .w = p->master + e * size,
                .m = p->m + e * size,
                .grad = l->grads[0][p->id].data + e * size,
                .rows = w->n_out,
                .cols = w->n_in,
                .rate = rate,
                .beta = l->options.optimizer.momentum,
                .decay = p->decay,
                .clip = clip,
            };
            if (n == MUON_AT_ONCE) backend_muon_run(l->muon, list, n), n = 0;
        }
    }
    if (n) backend_muon_run(l->muon, list, n);
}

/* Experts chosen more often than the mean become a little harder to choose, the others easier
 * (arXiv 2408.15664): no loss is added for it. */
static void balance(struct learner *l) {
    int n = l->model->hp.n_expert;
    if (l->model->base) return; // it stands still
    for (int id = 0; id < l->n_weight && l->options.balance_rate > 0; id++) {
        struct own_tensor t = own_tensor(l->model, id);
        if (!t.w || t.role != ROLE_ROUTER_B) continue;
        const int64_t *load = l->loads + (size_t)t.layer * (size_t)n;
        float *bias = (float *)(uintptr_t)t.w->data; // an owned model's vectors are its own
        int64_t sum = 0;
        for (int e = 0; e < n; e++)
            sum += load[e];
        for (int e = 0; e < n && sum; e++) {
            int64_t over = load[e] * n - sum;
            if (over) bias[e] += over > 0 ? -l->options.balance_rate : l->options.balance_rate;
        }
    }
}

static void move(struct learner *l, float rate, double norm) {
    float most = l->options.optimizer.max_norm;
    float clip = most > 0 && norm > (double)most ? (float)((double)most / norm) : 1.0f;
    for (int i = 0; i < l->n_param; i++)
        if (!l->params[i].muon && learner_moves(l, &l->params[i].tensor))
            move_adamw(l, &l->params[i], rate, clip);
    if (l->muon) move_muon(l, rate, clip);
    balance(l);
    learner_restore(l, l->steps + 1);
}

enum jl_status learner_step(struct learner *l, const struct learner_batch *micro, int n_micro,
                            const struct train_loss *loss, float rate, const atomic_bool *cancel,
                            struct step_result *out, struct jl_error *err) {
    double weight = 0, sums[2] = {0}, n_after = 0;
    unsigned waiting = 0;
    *out = (struct step_result){0};
    if (n_micro < 1) return jl_fail(err, JL_ERR_USAGE, "a step of %d micro-batches", n_micro);
    JL_TRY(learner_make_levels(l, n_micro, err));
    for (int k = 0; k < n_micro; k++)
        for (int i = 0; i < micro[k].n_row; i++) {
            weight += (double)micro[k].rows[i].weight;
            out->n_loss += micro[k].rows[i].weight != 0;
            n_after += micro[k].rows[i].after >= 0;
            out->n_row++;
        }
    if (!(weight > 0))
        return jl_fail(err, JL_ERR_USAGE, "step %lld: no row of it is in the loss",
                       (long long)l->steps + 1);
    const double scale[2] = {1 / weight, n_after > 0 ? (double)l->options.mtp_weight / n_after : 0};
    memset(l->loads, 0,
           (size_t)(l->model->hp.n_layer + 1) * (size_t)(l->model->hp.n_expert + 1) *
               sizeof *l->loads);
    for (int k = 0; k < n_micro; k++) {
        JL_TRY(learner_pass(l, &micro[k], k, loss, scale, cancel, sums, err));
        merge(l, &waiting, k == n_micro - 1);
    }
    chain_rule(l);
    out->loss = sums[0] / weight;
    out->mtp_loss = l->mtp && n_after > 0 ? sums[1] / n_after : 0;
    out->norm = grad_norm(l);
    out->weight = weight;
    if (!isfinite(out->loss) || !isfinite(out->mtp_loss) || !isfinite(out->norm))
        return jl_fail(err, JL_ERR_NONFINITE,
                       "step %lld: loss %g, gradient norm %g: training has diverged. Weights are "
                       "those of step %lld; a lower rate, a longer warm-up or a smaller max_norm "
                       "helps",
                       (long long)l->steps + 1, out->loss, out->norm, (long long)l->steps);
    if (loss->accept) JL_TRY(loss->accept(loss->ctx, err));
    move(l, rate, out->norm);
    return JL_OK;
}
