/* A learner: one model whose weights are learned. It owns the working copy that the forward pass
 * reads, the f32 masters it is rounded from, the optimizer's moments and the memory of the way
 * back.
 *
 * A step is a fixed number of micro-batches; their gradients are added by a binary tree over their
 * numbers, then the weights move once. The same start and the same batches give the same bits
 * whatever the threads, the kernel level and the way of keeping values. One owner. */
#ifndef JL_TRAIN_LEARN_LEARNER_H
#define JL_TRAIN_LEARN_LEARNER_H

#include "backend/tape.h"
#include "model/adapter.h"
#include "model/own.h"
#include "train/learn/loss.h"

struct learner;

enum optimizer_kind { OPTIMIZER_ADAMW, OPTIMIZER_MUON }; // MUON: matrices; the rest by AdamW

/* What an optimizer keeps for a whole run. */
struct optimizer {
    enum optimizer_kind kind;
    float beta1, beta2, eps; // AdamW's
    float momentum;          // Muon's
    float decay;             // of matrices, routers and experts: a share of the rate
    float decay_embed;       // of embeddings and heads; vectors have none
    float max_norm;          // gradients longer than this are shortened to it; 0: never
};

struct learner_options {
    const char *model; // a folder or file, of float weights
    const struct class_request *cls;
    const struct adapter_request *adapter; // NULL, or what alone is learned, beside a base of any
                                           // types; dtype means nothing then
    enum dtype dtype;                      // of matrices in the working copy: F32 or BF16
    int rows;                              // most rows of a micro-batch
    int n_micro;                           // micro-batches of a step; of more, as it comes,
                                           // more memory is taken then
    enum tape_keep keep;
    struct optimizer optimizer;
    float mtp_weight;   // the most that learner_set_mtp will ask for, and what it is before
    float balance_rate; // what an expert's bias moves by in a step, where routers have one
};

enum jl_status learner_create(struct backend *backend, const struct learner_options *options,
                              struct learner **out, struct jl_error *err);
void learner_free(struct learner *learner); // NULL is fine

const struct model *learner_model(const struct learner *learner);
/* Of memory, besides the model's mapped file; of batches of many short sequences some more, as each
 * takes a page of the cache. */
size_t learner_bytes(const struct learner *learner);
/* Numbers that are learned, and those of a row's products: 6 of these a token are the operations of
 * a step. */
int64_t learner_n_param(const struct learner *learner);
int64_t learner_n_active(const struct learner *learner);

/* ---- steps ---- */

struct learner_row {
    int32_t token;
    const float *vector; // (n_embd) instead of a token, or NULL
    int32_t target;      // what the loss is told
    int32_t after;       // the token after the target where that is to be predicted too, else -1
    int32_t seq, pos;    // rows of a sequence stand together, positions from 0
    float weight;        // 0: not in the loss
};
struct learner_batch {
    const struct learner_row *rows;
    int n_row, n_seq;
};

struct step_result {
    double loss, mtp_loss; // means over the weights
    double norm;           // of the gradient, before it is shortened
    double weight;         // sum of the rows' weights
    int64_t n_row, n_loss;
};

/* One step at `rate`. A loss or a gradient that is not finite is an error, and nothing has moved.
 * cancel: NULL, or looked at between layers. */
enum jl_status learner_step(struct learner *learner, const struct learner_batch *micro, int n_micro,
                            const struct train_loss *loss, float rate, const atomic_bool *cancel,
                            struct step_result *out, struct jl_error *err);
/* The losses of a batch, without learning: their sum and that of the weights are added. */
enum jl_status learner_eval(struct learner *learner, const struct learner_batch *batch,
                            const struct train_loss *loss, double *sum, double *weight,
                            struct jl_error *err);
int64_t learner_steps(const struct learner *learner); // taken since the first

/* How many rows of the last step chose each expert: (n_expert); NULL where the layer has none. */
const int64_t *learner_load(const struct learner *learner, int layer);

/* ---- what a checkpoint holds ---- */

/* Arrays of f32 by name, in a fixed order; the number of steps goes beside them. */
struct learner_array {
    char name[192];
    float *data;
    size_t n;
};
int learner_n_array(const struct learner *learner);
struct learner_array learner_array(struct learner *learner, int i);
/* After arrays have been written over: the working copy is made of them again. */
void learner_restore(struct learner *learner, int64_t steps);
/* Moments to zero, steps to none: the weights stay. */
void learner_forget(struct learner *learner);
/* That, and the masters are what the working copy says: as a learner of the written weights. */
void learner_begin_again(struct learner *learner);
/* Of the prediction layer's loss beside the main one, from the next step on; at 0 that layer stands
 * still and is not computed. */
void learner_set_mtp(struct learner *learner, float weight);

#endif
