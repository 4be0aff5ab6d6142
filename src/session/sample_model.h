/* The settings that a model's own files ask for: generation_config.json as Hugging Face reads it,
 * and GGUF's general.sampling keys. */
#ifndef JL_SESSION_SAMPLE_MODEL_H
#define JL_SESSION_SAMPLE_MODEL_H

#include "format/gguf_write.h"
#include "format/model_file.h"
#include "session/sample_params.h"

#define SAMPLE_UNMET_BYTES 160

/* Sets what the model asks for, but for those that are `replaced` (SAMPLE_PARAM_COUNT of them, or
 * NULL: none). A folder whose do_sample is not true gets its repetition penalty and nothing else;
 * a model that samples and names no temperature has 1. unmet: "num_beams 4": what it asks for that
 * does not exist here, cut where it ends; "" is nothing. A value that is no number or out of range
 * is JL_ERR_FORMAT and named. */
enum jl_status sample_model_read(struct model_file *file, const bool *replaced,
                                 struct sample_params *params, char unmet[SAMPLE_UNMET_BYTES],
                                 struct jl_error *err);

/* What a folder asks for as GGUF keys, none when it samples by the defaults here. JL_ERR_FORMAT as
 * above. */
enum jl_status sample_model_write(struct model_file *file, struct gguf_writer *writer,
                                  struct jl_error *err);

#endif
