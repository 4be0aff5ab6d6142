/* What was learned as the files that Hugging Face's libraries read. */
#ifndef JL_TEXT_BPE_TRAIN_WRITE_H
#define JL_TEXT_BPE_TRAIN_WRITE_H

#include "text/bpe_train.h"
#include "text/bpe_train/learn.h"

enum jl_status bpe_write_tokenizer(const struct bpe_learn *learn,
                                   const struct bpe_train_options *options, char **text,
                                   size_t *len, struct jl_error *err);
enum jl_status bpe_write_config(const struct bpe_learn *learn,
                                const struct bpe_train_options *options, char **text, size_t *len,
                                struct jl_error *err);

#endif
