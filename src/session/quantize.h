/* Writes a model as a GGUF file with the types of a preset. */
#ifndef JL_SESSION_QUANTIZE_H
#define JL_SESSION_QUANTIZE_H

#include "base/pool.h"
#include "format/imatrix.h"
#include "model/model.h"
#include "model/quant_override.h"
#include "model/quant_preset.h"
#include "session/export_tokenizer.h"

struct quantize_options {
    const struct quant_preset *preset;
    const struct imatrix *imatrix; // NULL: none
    const char *imatrix_path;      // of it, for the new file's metadata
    struct quant_overrides types;  // of some matrices, in place of the preset's
    bool allow_requantize;         // from types below Q8_0
    bool no_tokenizer;             // a folder's is left out
};

/* What becomes of one tensor. */
struct quantize_tensor {
    const struct export_tensor *source;
    struct quant_choice choice;
    const struct imatrix_entry *importance; // NULL: none, all columns alike
    bool copied;                            // its bytes as they are
    size_t bytes;
};

/* All that is decided before anything is written. */
struct quantize_plan {
    const struct model *model;
    struct quantize_options options;
    struct quantize_tensor *tensors;
    size_t n;
    size_t bytes;       // of all tensors' data
    int n_fallback;     // tensors whose rows do not fit whole blocks
    int n_requantized;  // from Q8_0, or lower if that is allowed
    int n_unimportant;  // matrices that get a quantised type and that the importance lacks
    bool has_tokenizer; // the new file has one
    struct export_tokenizer tokenizer; // of a folder
    struct arena arena;
};

/* Refuses what cannot or should not be written. The model outlives the plan. */
enum jl_status quantize_plan(const struct model *model, const struct quantize_options *options,
                             struct quantize_plan *out, struct jl_error *err);
void quantize_plan_free(struct quantize_plan *plan); // zeroed is fine

/* How far the written weights are from the ones read. */
struct quantize_error {
    double square;       // sum of squares of what was read, of matrices that were not copied
    double error_square; // of the differences
};

/* Writes the file, whole or not at all. Tensor by tensor, some rows at a time; bytes depend on
 * neither the pool's threads nor their order. `progress` may be NULL. */
enum jl_status quantize_write(const struct quantize_plan *plan, const char *path, struct pool *pool,
                              void (*progress)(void *ctx, int64_t done, int64_t total), void *ctx,
                              struct quantize_error *error, struct jl_error *err);

#endif
