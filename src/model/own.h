/* A model whose float weights are its own: the working copy that a trainer writes and that every
 * forward pass reads.
 *
 * Matrices of float types (F32, F16, BF16) are copied out of the file in the type they are to be
 * exported in; vectors, routers and convolutions are f32 copies in any case. Quantised and F8
 * matrices stay in the file's mapping: they can be read, not learned. A model with adapters
 * (adapter.h) owns their matrices, and nothing of its base. */
#ifndef JL_MODEL_OWN_H
#define JL_MODEL_OWN_H

#include "model/model.h"

/* As model_load. dtype: F32 or BF16, of the matrices. */
enum jl_status model_load_owned(const char *path, const struct class_request *request,
                                enum dtype dtype, struct model **out, struct jl_error *err);

bool own_can(enum dtype dtype); // numbers of this type can be read and written one by one

/* One tensor of an owned model. Roles that share one are one. */
struct own_tensor {
    enum role_id role; // the first that uses it
    int layer;         // -1: the model's own
    const struct weight *w;
    size_t n;      // numbers in it, of all experts
    bool learned;  // may be written: it is no part of the file, and no constant; of a model with
                   // adapters those only, for its base is shared
    float *master; // NULL, or what is learned in its place, (n): the weight is adapter_scale()
    float factor;  // of that by this; else 1
};

int own_count(const struct model *model); // weight ids are below it; some name no tensor
/* The tensor with this id; w is NULL where there is none. */
struct own_tensor own_tensor(const struct model *model, int id);

/* x (n) into the tensor, rounded to its type: elements first .. first+n-1 of the (experts, n_out,
 * n_in) numbers, on a row's boundary for bf16 as for f32. A master stays as it is. */
void own_write(struct model *model, int id, size_t first, const float *x, size_t n);
void own_read(const struct model *model, int id, size_t first, float *x, size_t n);

#endif
