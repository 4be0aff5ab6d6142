/* exec: one owner's way to run a model over batches. The batch's rows are checked here; the plan
 * runs in the backend. Bits do not depend on how rows are grouped into calls. */
#ifndef JL_MODEL_EXEC_H
#define JL_MODEL_EXEC_H

#include "model/model.h"

struct exec;

enum jl_status exec_create(const struct model *model, struct backend *backend, int max_rows,
                           struct exec **out, struct jl_error *err);
/* The same for the prediction layer behind the model (model->mtp): the row of position t takes the
 * token of t + 1 and in `hidden` what a pass of the model gave for t. Its keys stand in the
 * sequence's pages beside those of the layers; its caller counts their positions. */
enum jl_status exec_create_mtp(const struct model *model, struct backend *backend, int max_rows,
                               struct exec **out, struct jl_error *err);
void exec_free(struct exec *exec); // NULL is fine

/* logits: (rows that want logits, n_vocab). Pages must reach past each sequence's last row; the
 * caller advances its sequences when this returns JL_OK. */
enum jl_status exec_forward(struct exec *exec, const struct batch *batch, float *logits,
                            struct jl_error *err);

/* Who sees the inputs of the matrices (backend.h); NULL: nobody. Not copied. */
void exec_observe(struct exec *exec, const struct backend_observer *observer);

/* Room for one batch, exec_max_rows() of each: decoding a token then needs no heap. */
struct exec_batch_memory {
    struct batch_row *rows;
    struct seq_view *seqs;
};
struct exec_batch_memory exec_batch_memory(const struct exec *exec);

int exec_max_rows(const struct exec *exec);
const struct model *exec_model(const struct exec *exec);
struct backend *exec_backend(const struct exec *exec);
const struct backend_frame *exec_frame(const struct exec *exec);

#endif
