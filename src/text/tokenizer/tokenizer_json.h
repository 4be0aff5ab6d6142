/* The parts of the tokenizer.json reader; each fills its stages of a tokenizer being built. */
#ifndef JL_TEXT_TOKENIZER_JSON_H
#define JL_TEXT_TOKENIZER_JSON_H

#include "text/tokenizer/json_reader.h"
#include "text/tokenizer/pipeline.h"

/* How a token's text becomes what is written: the `decoder` of the file. */
struct tokenizer_json_decoder {
    struct normalizer rewrite; // of each token by itself
    bool byte_fallback;        // <0xXX> is a byte
};

/* `root` is the whole file. The normaliser comes before the vocabulary (it also applies to added
 * tokens), the post-processor after it. */
enum jl_status tokenizer_json_stages(struct tokenizer *t, const json_t *root,
                                     struct tokenizer_json_decoder *decoder, struct jl_error *err);
enum jl_status tokenizer_json_vocab(struct tokenizer *t, const json_t *root,
                                    const struct tokenizer_json_decoder *decoder,
                                    struct jl_error *err);
enum jl_status tokenizer_json_merges(struct tokenizer *t, const json_t *model,
                                     struct jl_error *err);
enum jl_status tokenizer_json_post(struct tokenizer *t, const json_t *root, struct jl_error *err);

#endif
