#include "model/class.h"

#include <stdio.h>
#include <string.h>

#include "tensor/kvchunk.h"

enum jl_status class_resolve(const struct class_request *request, bool has_bf16,
                             struct numeric_class *out, struct jl_error *err) {
    out->act_bf16 = has_bf16;
    if (request->act) {
        out->act_bf16 = !strcmp(request->act, "bf16");
        if (!out->act_bf16 && strcmp(request->act, "f32"))
            return jl_fail(err, JL_ERR_USAGE, "act '%s' is not known; use f32 or bf16",
                           request->act);
    }
    out->kv = out->act_bf16 ? DTYPE_BF16 : DTYPE_F16;
    if (request->kv) {
        if (!strcmp(request->kv, "f32"))
            out->kv = DTYPE_F32;
        else if (!strcmp(request->kv, "f16"))
            out->kv = DTYPE_F16;
        else if (!strcmp(request->kv, "bf16"))
            out->kv = DTYPE_BF16;
        else if (!strcmp(request->kv, "q8"))
            out->kv = KV_Q8;
        else
            return jl_fail(err, JL_ERR_USAGE, "kv '%s' is not known; use f32, f16, bf16 or q8",
                           request->kv);
    }
    return JL_OK;
}

void class_name(const struct numeric_class *cls, char out[CLASS_NAME_BYTES]) {
    const char *kv = cls->kv == DTYPE_F32   ? "f32"
                     : cls->kv == DTYPE_F16 ? "f16"
                     : cls->kv == KV_Q8     ? "q8"
                                            : "bf16";
    snprintf(out, CLASS_NAME_BYTES, "act=%s,kv=%s,mla=latent,rules=" CLASS_RULES,
             cls->act_bf16 ? "bf16" : "f32", kv);
}
