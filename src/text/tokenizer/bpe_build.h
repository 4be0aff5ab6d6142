/* What the builders of byte-level BPE share: tokens and merges into a tokenizer. */
#ifndef JL_TEXT_BPE_BUILD_H
#define JL_TEXT_BPE_BUILD_H

#include "text/tokenizer/pipeline.h"

enum jl_status bpe_build_no_memory(struct jl_error *err);

/* An empty tokenizer of byte-level BPE with room for n tokens. */
enum jl_status bpe_build_start(struct tokenizer *t, int n, struct jl_error *err);

/* Special and user-defined tokens of the vocabulary become tokens that are found as they stand. Of
 * two with one text the first is found. */
enum jl_status bpe_build_specials(struct tokenizer *t, struct jl_error *err);

/* Checks bos and eos, and sets what is put around a text. */
struct bpe_build_ends {
    int32_t bos, eos, unk;
    bool add_bos, add_eos;
};
enum jl_status bpe_build_ends(struct tokenizer *t, const struct bpe_build_ends *ends,
                              struct jl_error *err);

#endif
