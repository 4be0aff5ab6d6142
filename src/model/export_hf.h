/* A loaded model as the tensors and the configuration of a Hugging Face folder.
 *
 * Tensors are read where the model's weights are bound, never in its file: whoever points them at
 * other memory writes what stands there. Vectors, routers and convolutions are F32, as they are
 * bound; matrices keep their type unless another is asked for. */
#ifndef JL_MODEL_EXPORT_HF_H
#define JL_MODEL_EXPORT_HF_H

#include <jansson.h>

#include "model/export.h"

struct export_hf_options {
    bool convert;     // matrices become `dtype`: F32, BF16 or F16
    enum dtype dtype; //
    /* The (n_in) values of a role as folders store them, for roles that loading transforms (w + 1,
     * -exp(w)): the bits of those are not all in what is bound. NULL, or a NULL result: values are
     * computed back, and are when loaded the same as now. */
    const float *(*stored)(void *ctx, enum role_id role, int layer);
    void *ctx;
};

/* Everything lives in `arena` and in the model. Types that a folder cannot hold, and what its
 * names have no place for, are errors. */
enum jl_status export_hf_tensors(const struct model *model, const struct export_hf_options *options,
                                 struct arena *arena, struct export_list *out,
                                 struct jl_error *err);
/* The type that a tensor of the list is written in. */
enum dtype export_hf_dtype(const struct export_hf_options *options, const struct export_tensor *t);

/* config.json. A folder's own is kept, key by key, but for the type and the kind of quantisation of
 * what is written (`list`); of a GGUF file it is made from the hyper-parameters. The caller
 * json_decref's it. */
enum jl_status export_hf_config(const struct model *model, const struct export_hf_options *options,
                                const struct export_list *list, json_t **out, struct jl_error *err);
/* Of hyper-parameters, whose flags are all said. Read again they are the same; what a folder cannot
 * say is an error. `path` is for messages. */
enum jl_status export_hf_hparams(const struct family *family, const struct hparams *hp,
                                 const char *path, json_t **out, struct jl_error *err);
/* "bfloat16"; NULL: no name that such files know. */
const char *export_hf_dtype_name(enum dtype dtype);

#endif
