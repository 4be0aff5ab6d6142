/* Types that a user names for some matrices, whatever the preset says: "blk.8.*=q4_0". */
#ifndef JL_MODEL_QUANT_OVERRIDE_H
#define JL_MODEL_QUANT_OVERRIDE_H

#include <stdbool.h>

#include "base/status.h"
#include "model/quant_preset.h"

struct arena;

#define QUANT_OVERRIDES_MOST 64

/* `pattern` is a shell pattern of a whole name in a GGUF file. */
struct quant_override {
    const char *pattern; // arena's
    enum dtype dtype;
    int n_tensor; // matrices that it gave their type
};
struct quant_overrides {
    struct quant_override items[QUANT_OVERRIDES_MOST];
    int n;
};

/* Adds "PATTERN=TYPE". JL_ERR_USAGE: no such form, no such type, none that can be written, or one
 * more than there is room for. */
enum jl_status quant_override_add(struct quant_overrides *all, const char *text,
                                  struct arena *arena, struct jl_error *err);

/* The last one whose pattern fits decides, of matrices alone. JL_ERR_USAGE where a row is no whole
 * number of its type's blocks. */
enum jl_status quant_override_apply(struct quant_overrides *all, const struct quant_tensor *tensor,
                                    struct quant_choice *choice, struct jl_error *err);

/* JL_ERR_USAGE: one decided nothing. */
enum jl_status quant_override_check(const struct quant_overrides *all, struct jl_error *err);

#endif
