/* Hugging Face folders: config.json, optionally generation_config.json, and the weights as one
 * model.safetensors or as the shards that model.safetensors.index.json lists. */
#ifndef JL_FORMAT_HF_H
#define JL_FORMAT_HF_H

#include "format/model_file.h"

/* Fills meta, generation, tensors and maps of `file` from the folder file->path. */
enum jl_status hf_load(struct model_file *file, struct jl_error *err);

#endif
