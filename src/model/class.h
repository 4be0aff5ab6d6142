/* The numeric class: within one, logits are promised to the bit (docs/numerics.md). */
#ifndef JL_MODEL_CLASS_H
#define JL_MODEL_CLASS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "tensor/dtype.h"

#define CLASS_RULES "v1-draft"
#define CLASS_NAME_BYTES 64

struct numeric_class {
    bool act_bf16;
    enum dtype kv; // DTYPE_F32, DTYPE_F16, DTYPE_BF16 or KV_Q8 (tensor/kvchunk.h)
};

/* What the user asked for; NULL members take the model's default. */
struct class_request {
    const char *act; // "f32" or "bf16"
    const char *kv;  // "f32", "f16", "bf16" or "q8"
};

/* has_bf16: some linear weight is BF16 or FP8, which makes act bf16 the default. */
enum jl_status class_resolve(const struct class_request *request, bool has_bf16,
                             struct numeric_class *out, struct jl_error *err);
/* "act=f32,kv=f16,mla=latent,rules=v1-draft" */
void class_name(const struct numeric_class *cls, char out[CLASS_NAME_BYTES]);

#endif
