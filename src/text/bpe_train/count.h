/* How often each word occurs in the sources. */
#ifndef JL_TEXT_BPE_TRAIN_COUNT_H
#define JL_TEXT_BPE_TRAIN_COUNT_H

#include "text/bpe_train/pieces.h"
#include "text/bpe_train/sources.h"
#include "text/tokenizer/pretok.h"

/* Each text's words as often as its source's weight says. */
enum jl_status bpe_count(const struct bpe_train_source *sources, int n, const struct pretok *pretok,
                         struct pool *pool, struct bpe_pieces *out, struct jl_error *err);

#endif
