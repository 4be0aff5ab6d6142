/* Inside the learner. */
#ifndef JL_TRAIN_LEARN_SELF_H
#define JL_TRAIN_LEARN_SELF_H

#include "backend/optim.h"
#include "train/learn/learner.h"

struct param {
    int id;
    struct own_tensor tensor;
    float *master; // (tensor.n): what is learned; of f32 tensors that are not transformed, the
                   // working copy itself; or the model's own, tensor.master
    float *m, *v;  // moments; v NULL with Muon
    bool muon;
    bool log_of_minus; // the master is log(-w): a decay stays below zero
    float decay;
};

#define MOST_LEVELS 32

struct learner {
    struct backend *backend;
    struct model *model;
    struct learner_options options;
    struct backend_turned *turned;
    struct backend_tape *tape, *mtp; // mtp NULL: the prediction layer is not learned
    struct backend_muon *muon;
    struct param *params;
    int n_param;
    int n_weight; // ids
    int64_t steps;
    size_t grad_floats;                     // of all params
    struct weight_grad *grads[MOST_LEVELS]; // (n_weight): sums of 2^level micro-batches, and [0],
                                            // what a micro-batch makes
    float *grad_data[MOST_LEVELS];
    size_t bytes;

    struct backend_array *pages, *recur; // of the sequences of a micro-batch
    struct backend_buffer *recur_zero;
    int n_page;
    struct backend_buffer **page_list; // (n_page)
    struct batch_row *rows, *mtp_rows; // (options.rows)
    struct seq_view *seqs;             // (options.rows)
    float *hidden, *dhidden, *dgive;   // (options.rows, n_embd) with the prediction layer
    int32_t *targets, *mtp_targets;    // rows with logits: their row in the micro-batch
    double *losses;
    int64_t *loads; // (n_layer + 1, n_expert)
};

/* The prediction layer's tensors stand still while its loss is not asked for: those for which it
 * never is are no parameters. */
bool learner_moves(const struct learner *l, const struct own_tensor *t);
/* Gradients for the sums of so many micro-batches, where they are not there yet. */
enum jl_status learner_make_levels(struct learner *l, int n_micro, struct jl_error *err);
enum jl_status learner_pass(struct learner *l, const struct learner_batch *batch, int micro,
                            const struct train_loss *loss, const double scale[2],
                            const atomic_bool *cancel, double sums[2], struct jl_error *err);
void learner_publish(struct learner *l, const struct param *p); // master to working copy

#endif
