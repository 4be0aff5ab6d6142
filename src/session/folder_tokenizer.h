/* The tokenizer, the chat templates and the settings of a GGUF file as files of a folder. */
#ifndef JL_SESSION_FOLDER_TOKENIZER_H
#define JL_SESSION_FOLDER_TOKENIZER_H

#include <jansson.h>

#include "format/model_file.h"

/* Writes tokenizer.json or tokenizer.model, tokenizer_config.json and generation_config.json, and
 * puts the ids of special tokens into `config`, the folder's config.json. JL_ERR_UNSUPPORTED where
 * such files cannot hold the tokenizer. */
enum jl_status folder_tokenizer_write(struct model_file *file, const char *folder, json_t *config,
                                      struct jl_error *err);

#endif
