/* How texts are cut into words: a named pattern, then further cuts (pre_extra.h). */
#ifndef JL_TEXT_BPE_TRAIN_RULES_H
#define JL_TEXT_BPE_TRAIN_RULES_H

#include <jansson.h>

#include "text/bpe_train.h"
#include "text/tokenizer/pretok.h"

enum jl_status bpe_rules_pretok(const struct bpe_train_rules *rules, struct pretok *out,
                                struct jl_error *err);
/* "pre_tokenizer" of tokenizer.json, or NULL: out of memory. */
json_t *bpe_rules_json(const struct bpe_train_rules *rules);

#endif
