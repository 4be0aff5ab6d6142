/* The tokenizer and the chat templates of a model folder as keys of a GGUF file. */
#ifndef JL_SESSION_EXPORT_TOKENIZER_H
#define JL_SESSION_EXPORT_TOKENIZER_H

#include "format/gguf_write.h"
#include "format/model_file.h"
#include "text/tokenizer.h"

#define EXPORT_TOKENIZER_STOPS 2 // besides the end token: eot_token_id and eom_token_id

struct export_tokenizer {
    struct tokenizer_gguf gguf;
    int32_t pad; // TOKEN_NONE: none
    int32_t stops[EXPORT_TOKENIZER_STOPS];
    int n_stop, n_stop_lost; // tokens that end an answer: written; and too many for GGUF's keys
    char *templates[2];      // the default one and the one for tools; NULL: none
    size_t template_len[2];
};

/* Of a Hugging Face folder, for a model of n_vocab tokens. */
enum jl_status export_tokenizer_read(struct model_file *file, int n_vocab,
                                     struct export_tokenizer *out, struct jl_error *err);
void export_tokenizer_free(struct export_tokenizer *tokenizer); // zeroed is fine

enum jl_status export_tokenizer_put(const struct export_tokenizer *tokenizer,
                                    struct gguf_writer *writer, struct jl_error *err);
/* What stands in a file without a tokenizer. */
void export_tokenizer_put_none(struct gguf_writer *writer);

#endif
