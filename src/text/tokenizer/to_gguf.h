/* Parts of tokenizer_to_gguf. */
#ifndef JL_TEXT_TO_GGUF_H
#define JL_TEXT_TO_GGUF_H

#include "text/tokenizer/pipeline.h"

/* Whether `made`, which was built from what would be written, is the same tokenizer: merges,
 * added tokens, and the ids of probe texts. A difference is JL_ERR_UNSUPPORTED. */
enum jl_status to_gguf_check(const struct tokenizer *source, const struct tokenizer *made,
                             struct jl_error *err);

/* The row that cuts all probe texts as the steps do, from row *i on; *i becomes its number, or -1
 * where there is none. */
enum jl_status to_gguf_probe_pre(const struct pretok *pretok, int *i, struct jl_error *err);

#endif
