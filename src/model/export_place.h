/* Where the roles of a model stand in the files of its family: names, parts, and which of them a
 * file made from a configuration carries. */
#ifndef JL_MODEL_EXPORT_PLACE_H
#define JL_MODEL_EXPORT_PLACE_H

#include "model/model.h"

/* A tensor, or one of the parts of a tensor that follow each other (in each expert's matrix, where
 * there are experts). */
struct export_place {
    char name[128];
    int part, parts;               // parts 1: the tensor is the role's alone
    bool apart;                    // of experts: each has a tensor, and this is one's
    enum role_transform transform; // of what is bound, to undo
};

/* False where such files have no tensor for it. Layer -1: a role of the model's own. `expert`: the
 * one whose tensor is meant, where each has its own. */
bool export_place(const struct family *family, enum model_file_kind kind, enum role_id role,
                  int layer, int expert, struct export_place *out);

/* The dimensions there of a role of rows x cols, outermost first; returns how many. n_expert 0: not
 * a role of experts. */
int export_dims(enum model_file_kind kind, enum role_id role, const struct export_place *place,
                int n_expert, int64_t rows, int64_t cols, int64_t dim[TENSOR_MAX_DIM]);

/* Is it f32 when bound, whatever the file has? So it is written, then. */
bool export_widened(enum role_id role);

/* The roles that a file of these hyper-parameters has to carry, no more: by role, then by layer. */
struct export_role {
    enum role_id role;
    int layer; // -1: of the model's own
};
struct export_roles {
    struct export_role *items;
    size_t n;
};
enum jl_status export_roles(const struct family *family, const struct hparams *hp,
                            enum model_file_kind kind, struct arena *arena,
                            struct export_roles *out, struct jl_error *err);

#endif
