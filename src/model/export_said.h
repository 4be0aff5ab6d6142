/* What a GGUF file leaves to be seen from its tensors, and a folder says in its configuration. */
#ifndef JL_MODEL_EXPORT_SAID_H
#define JL_MODEL_EXPORT_SAID_H

#include "model/model.h"

/* The model's hyper-parameters with every flag said: biases, norms, ties and shared experts by
 * whether their tensors are there, llama3 scaling by the tensor of its factors. What no flag says
 * is an error. */
enum jl_status export_said(const struct model *model, struct hparams *out, struct jl_error *err);

#endif
