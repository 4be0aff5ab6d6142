/* Which type each tensor gets: presets as data, chosen by name.
 *
 * A preset has a type for all matrices and rules for the parts of a model that need more bits. They
 * are those that files of these names have in llama.cpp, so that sizes and quality are what people
 * expect of the name (docs/quantize.md). */
#ifndef JL_MODEL_QUANT_PRESET_H
#define JL_MODEL_QUANT_PRESET_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/dtype.h"

struct quant_preset;

/* Any case. NULL when there is none of this name, or none that this build has the types for. */
const struct quant_preset *quant_preset_find(const char *name);
const struct quant_preset *quant_preset_at(int i); // NULL past the last
const char *quant_preset_name(const struct quant_preset *preset);
uint32_t quant_preset_file_type(const struct quant_preset *preset); // general.file_type
/* F32, F16 and BF16 change no value more than a rounding: no rules, no fallback. */
bool quant_preset_is_float(const struct quant_preset *preset);

/* What rules ask about the model. */
struct quant_model {
    int n_layer, n_head, n_head_kv, n_expert;
    bool tied;    // the token embedding is the head too
    bool imatrix; // there is an importance matrix
};

struct quant_tensor {
    const char *name; // in a GGUF file
    enum dtype dtype; // as it is
    int n_dim;
    int64_t n_in; // elements a row
};

struct quant_choice {
    enum dtype dtype;
    enum dtype wanted; // what the rules say; differs when rows do not fit whole blocks
    bool is_matrix;    // the rules decided: it is none of those that stay as they are, or F32
};

/* Vectors, routers and what else is small and sensitive become F32, tensors that are no floats stay
 * as they are, matrices get the preset's type. Where a row is no whole number of its blocks: a
 * type with blocks of 32, and F16 where that does not fit either. */
struct quant_choice quant_preset_choose(const struct quant_preset *preset,
                                        const struct quant_model *model,
                                        const struct quant_tensor *tensor);

#endif
