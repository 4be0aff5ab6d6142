#include "session/end_tokens.h"

bool end_tokens_has(const struct end_tokens *ends, int32_t id) {
    for (int i = 0; i < ends->n; i++)
        if (ends->ids[i] == id) return true;
    return false;
}

void end_tokens_add(struct end_tokens *ends, int64_t id, int32_t n_vocab) {
    if (id < 0 || id >= n_vocab || ends->n == END_TOKENS_MAX) return;
    if (!end_tokens_has(ends, (int32_t)id)) ends->ids[ends->n++] = (int32_t)id;
}

/* An id, or a list of ids. */
static void add_value(struct end_tokens *ends, const struct meta *value, int32_t n_vocab) {
    struct meta item;
    struct meta_iter iter = {.array = value};
    if (!value) return;
    if (value->kind == META_INT)
        end_tokens_add(ends, value->as.i, n_vocab);
    else if (value->kind == META_ARRAY || value->kind == META_PACKED)
        while (meta_iter_next(&iter, &item))
            if (item.kind == META_INT) end_tokens_add(ends, item.as.i, n_vocab);
}

void end_tokens_find(struct model_file *file, const struct tokenizer *tokenizer, int32_t n_vocab,
                     struct end_tokens *out) {
    *out = (struct end_tokens){0};
    end_tokens_add(out, tokenizer_eos(tokenizer), n_vocab);
    if (file->generation) add_value(out, meta_find(file->generation, "eos_token_id"), n_vocab);
    if (file->kind != MODEL_FILE_GGUF) return;
    add_value(out, meta_find(file->meta, "tokenizer.ggml.eot_token_id"), n_vocab);
    add_value(out, meta_find(file->meta, "tokenizer.ggml.eom_token_id"), n_vocab);
}
