/* Parts of tokenizer_bpe_to_folder and tokenizer_spm_to_folder. */
#ifndef JL_TEXT_TO_FOLDER_H
#define JL_TEXT_TO_FOLDER_H

#include <jansson.h>

#include "text/tokenizer/pipeline.h"

/* What both kinds of specification say about ends. */
struct to_folder_ends {
    const struct token_entry *tokens;
    int32_t bos, eos, unk; // TOKEN_NONE when absent
    bool add_bos, add_eos;
};

enum jl_status to_folder_no_memory(struct jl_error *err);
enum jl_status to_folder_cannot(const char *what, struct jl_error *err);

/* Sets a key; a NULL value is out of memory, and *ok becomes false. */
void to_folder_set(json_t *object, const char *key, json_t *value, bool *ok);
/* A token's text; NULL without memory, or where it is no UTF-8. */
json_t *to_folder_text(const struct token_entry *token);

/* tokenizer_config.json: `class` and the ends. NULL: out of memory. */
json_t *to_folder_config(const struct to_folder_ends *ends, const char *class);
enum jl_status to_folder_print(const json_t *json, struct byte_buffer *out, struct jl_error *err);

/* Whether `made` is `source`: to_gguf_check, and texts with special tokens. */
enum jl_status to_folder_check(const struct tokenizer *source, const struct tokenizer *made,
                               struct jl_error *err);

#endif
