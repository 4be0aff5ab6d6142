/* Inside bind: from a role to the tensors that hold it. */
#ifndef JL_MODEL_BIND_H
#define JL_MODEL_BIND_H

#include "model/model.h"

#define BIND_NAME 160 // bytes of a tensor's name

struct binder {
    struct model *model;
    bool *claimed; // [n_tensor]
    struct jl_error *err;
};

/* The k-th way to find a role in this kind of file; the last is the role table's. */
bool bind_source(const struct family *family, enum model_file_kind kind, enum role_id role, int k,
                 struct role_source *out);
/* The pattern is one of our own constants: %d is the layer, %e the expert. */
void bind_put_name(char out[BIND_NAME], const char *pattern, int layer, int expert);
/* The role's first name in this kind of file; layer -1: of the model itself. */
void bind_name(const struct model *model, enum role_id role, int layer, char out[BIND_NAME]);

/* Finds, checks and claims the role's tensors of a layer (-1: the model's own). When there are none
 * w->data stays NULL and `name` is the first that was looked for. */
enum jl_status bind_tensor(struct binder *b, enum role_id role, int layer, struct weight *w,
                           char name[BIND_NAME]);

#endif
