/* The backward pass. A tape runs a plan forward over a batch, with the same bodies and so the same
 * bits as any frame, keeps what the ops save (ops.h), and walks the steps back.
 *
 * Sequences of a batch begin at position 0. Gradients are f32 and depend on nothing but the batch:
 * not on threads, and not on the level of the kernels. Where the plan's activations are bf16 the
 * products of the backward pass are, too. docs/numerics.md, "Training". */
#ifndef JL_BACKEND_TAPE_H
#define JL_BACKEND_TAPE_H

#include "backend/backend.h"

struct backend_tape;

/* The gradient of a weight: (n_out, n_in) without gaps, of experts one after the other. */
struct weight_grad {
    float *data; // NULL: not wanted, the weight is frozen
    bool fresh;  // nothing is in data yet: what comes first is written, not added
};

/* Transposed copies of the weights that a backward pass multiplies with, for all tapes of a model.
 * Weights without one are read from where they are: frozen ones, which may be quantised. */
struct backend_turned;
enum jl_status backend_turned_create(struct backend *backend, const struct step_list *const *plans,
                                     int n_plan, int n_weight, const struct weight_grad *grads,
                                     struct backend_turned **out, struct jl_error *err);
void backend_turned_free(struct backend_turned *turned); // NULL is fine
size_t backend_turned_bytes(const struct backend_turned *turned);
void backend_turned_refresh(struct backend_turned *turned); // after the weights have changed

/* How much of what the ops save stays in memory until it is needed: all of it; only what costs a
 * matrix (value_fate); or only what goes from layer to layer, each of which then runs again. */
enum tape_keep { TAPE_KEEP_ALL, TAPE_KEEP_COSTLY, TAPE_KEEP_LAYERS };

struct tape_options {
    int max_rows;
    enum tape_keep keep;
    const struct backend_turned *turned;
    const struct weight_grad *grads; // by weight.id: which are wanted
};

enum jl_status backend_tape_create(struct backend *backend, const struct step_list *plan,
                                   const struct tape_options *options, struct backend_tape **out,
                                   struct jl_error *err);
void backend_tape_free(struct backend_tape *tape); // NULL is fine
size_t backend_tape_bytes(const struct backend_tape *tape);

/* What becomes of the outputs. `row` counts the batch's rows that want logits; out (n) holds the
 * row's outputs and leaves as their gradient; returns the row's loss. Called on any thread. */
struct tape_loss {
    double (*row)(void *ctx, const struct backend *backend, int row, float *out, int n);
    void *ctx;
};

/* -log softmax(out)[target], and `weight` times its gradient in place. */
double backend_cross_entropy(const struct backend *backend, float *out, int n, int target,
                             float weight);

/* Forward, and back through the output layer, a few rows at a time, so that the outputs of a large
 * batch are never all there. losses: one a row that wants logits. grads NULL: only the losses are
 * wanted, and there is no way back. */
enum jl_status backend_tape_forward(struct backend_tape *tape, const struct batch *batch,
                                    const struct tape_loss *loss, struct weight_grad *grads,
                                    double *losses, struct jl_error *err);

/* What enters and leaves besides: (rows, n_embd) each, or NULL. */
struct tape_ends {
    const float *dgive; // gradient of what OP_GIVE gave
    float *dhidden;     // gradient of what OP_HIDDEN read; overwritten
    float *dvector;     // gradient of rows' vectors, of rows with tokens zeros; overwritten
};

/* The rest of the way back, once, after a forward pass; the batch still is as it was. */
enum jl_status backend_tape_backward(struct backend_tape *tape, const struct tape_ends *ends,
                                     struct weight_grad *grads, struct jl_error *err);

/* How many rows chose each expert of a layer in the last forward pass: (n_expert), NULL where the
 * layer has none. */
const int32_t *backend_tape_load(const struct backend_tape *tape, int layer);

#endif
