/* Where a model file and its tokenizer meet: GGUF metadata or the folder's tokenizer.json. */
#ifndef JL_SESSION_OPEN_TOKENIZER_H
#define JL_SESSION_OPEN_TOKENIZER_H

#include "base/status.h"
#include "format/model_file.h"
#include "text/tokenizer.h"

enum jl_status open_tokenizer(struct model_file *file, struct tokenizer **out,
                              struct jl_error *err);

#endif
