/* Tokenizers from SentencePiece's data, wherever it stands: tokenizer.model, or GGUF's "t5". */
#ifndef JL_TEXT_SP_BUILD_H
#define JL_TEXT_SP_BUILD_H

#include "text/tokenizer/pipeline.h"
#include "text/tokenizer/sp_config.h"
#include "text/tokenizer/sp_model.h"

/* Fills *t, which is zeroed; on failure it is to be freed. Nothing of the model is kept. */
enum jl_status sp_build_tokenizer(struct tokenizer *t, const struct sp_model *model,
                                  const struct sp_config *config, struct jl_error *err);

#endif
