/* Inside export: bound weights under the names of a kind of file. */
#ifndef JL_MODEL_EXPORT_BOUND_H
#define JL_MODEL_EXPORT_BOUND_H

#include "model/export.h"

struct export_bound {
    const struct model *model;
    enum model_file_kind kind; // of the file to be written
    /* Folders: the (n_in) values of a role as its tensor stores them, where binding transforms
     * them; NULL, or a NULL result: they are computed back from what is bound. */
    const float *(*stored)(void *ctx, enum role_id role, int layer);
    void *ctx;
    bool convert; // folders: matrices will be written in another type; else F8_E4M3 has its scales
                  // as tensors beside it, and nothing is dequantised
    struct arena *arena;
    struct export_list *out;
    struct jl_error *err;
};

/* Reads the model's weights where they are bound, never its file. */
enum jl_status export_bound(struct export_bound *bound);

/* Roles of which a folder has two in one tensor; the first of them puts it there. */
bool export_is_half(enum role_id role);
enum jl_status export_join(struct export_bound *bound, enum role_id role, int layer);

/* Room for n pieces of `rows` rows. False: out of memory. */
bool export_pieces(struct export_tensor *t, int64_t n, int64_t rows, struct arena *arena);
/* Which row of the pieces is the new tensor's row. */
int64_t export_source_row(const struct export_tensor *t, int64_t row);

/* The inverse of what binding did to n values, in place: what is written becomes, when it is bound
 * again, the same values to the bit. False where no float does: *bad is its place. */
bool export_undo(enum role_transform transform, float *x, int64_t n, int64_t *bad);

#endif
