/* Gathers an importance matrix (format/imatrix.h) while a model runs. */
#ifndef JL_SESSION_IMPORTANCE_H
#define JL_SESSION_IMPORTANCE_H

#include "format/imatrix.h"
#include "model/model.h"

struct importance;

/* Sums for every matrix of the model's plan, under its name in a GGUF file. */
enum jl_status importance_create(const struct model *model, struct importance **out,
                                 struct jl_error *err);
void importance_free(struct importance *importance); // NULL is fine

/* For exec_observe; lives as long as the importance. Sums are in double, vector by vector in their
 * order: the same for any number of threads. */
const struct backend_observer *importance_observer(const struct importance *importance);

/* What was gathered, matrices without any vector left out; lives in `arena`. Experts that saw no
 * vector are there with count 0: *n_unseen is how many, of *n_matrix matrices. */
enum jl_status importance_result(const struct importance *importance, struct arena *arena,
                                 struct imatrix *out, int *n_unseen, int *n_matrix,
                                 struct jl_error *err);

#endif
