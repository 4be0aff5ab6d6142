/* Copies of the base's embedding or head that PEFT saves beside an adapter on it
 * ("save_embedding_layers"): taken only where they are copies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/adapter_self.h"

/* How far a row of a copy may be from the base's, of its own length: by the rounding of one float
 * type to another, or of a quantised base by what that has cost. */
#define NEAR_FLOAT 0x1p-7
#define NEAR_QUANTISED 0.5

static bool is_near(const float *copy, const struct weight *w, int row, float *scratch) {
    double square = 0, off = 0;
    double most = dtype_row(w->dtype)->block > 1 ? NEAR_QUANTISED : NEAR_FLOAT;
    dtype_dequantize(w->dtype, w->data + (size_t)row * w->stride, scratch, w->n_in);
    for (int i = 0; i < w->n_in; i++) {
        double d = (double)copy[i] - (double)scratch[i];
        square += (double)copy[i] * (double)copy[i];
        off += d * d;
    }
    return off <= most * most * square;
}

/* rows: room for two. */
static enum jl_status check(const struct adapter_file *file, const struct tensor_info *t,
                            const struct weight *w, float *rows, struct jl_error *err) {
    int64_t dim[3];
    if (!adapter_tensor_dims(t, false, dim) || dim[1] != w->n_out || dim[2] != w->n_in)
        return adapter_tensor_bad(
            file, t, "is no copy of the base's: its shape is another. Was the vocabulary resized?",
            err);
    for (int row = 0; row < w->n_out; row++) {
        JL_TRY(adapter_tensor_row(file, t, row, w->n_in, rows, err));
        if (!is_near(rows, w, row, rows + w->n_in))
            return adapter_tensor_bad(file, t,
                                      "is no copy of the base's: its numbers are others, and an "
                                      "adapter does not replace them",
                                      err);
    }
    return JL_OK;
}

enum jl_status adapter_copy_check(const struct adapter_file *file, const char *name,
                                  const struct weight *w, const struct tensor_info **found,
                                  struct jl_error *err) {
    char want[ADAPTER_NAME];
    size_t n = strlen(name) - strlen(".weight");
    snprintf(want, sizeof want, "base_model.model.%.*s.base_layer.weight", (int)n, name);
    *found = model_file_find_in(file->tensors, file->n, want);
    if (!*found) return JL_OK;
    float *rows = calloc(2 * (size_t)w->n_in, sizeof *rows);
    enum jl_status status =
        rows ? check(file, *found, w, rows, err) : adapter_no_memory(file->path, err);
    free(rows);
    return status;
}
