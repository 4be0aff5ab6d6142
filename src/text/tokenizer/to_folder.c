/* What the two kinds of tokenizer files share on their way into a folder. */
#include "text/tokenizer/to_folder.h"

#include <stdlib.h>
#include <string.h>

#include "text/json_print.h"
#include "text/tokenizer/to_gguf.h"

enum jl_status to_folder_no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the files of a tokenizer");
}

enum jl_status to_folder_cannot(const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_UNSUPPORTED, "the files of a folder cannot hold this tokenizer: %s",
                   what);
}

void to_folder_set(json_t *object, const char *key, json_t *value, bool *ok) {
    if (json_object_set_new(object, key, value) != 0) *ok = false;
}

json_t *to_folder_text(const struct token_entry *token) {
    return json_stringn(token->text, token->len);
}

static void put_token(json_t *config, const char *key, const struct to_folder_ends *ends,
                      int32_t id, bool *ok) {
    if (id != TOKEN_NONE) to_folder_set(config, key, to_folder_text(&ends->tokens[id]), ok);
}

json_t *to_folder_config(const struct to_folder_ends *ends, const char *class) {
    json_t *config = json_object();
    bool ok = config != NULL;
    if (!ok) return NULL;
    to_folder_set(config, "tokenizer_class", json_string(class), &ok);
    put_token(config, "bos_token", ends, ends->bos, &ok);
    put_token(config, "eos_token", ends, ends->eos, &ok);
    put_token(config, "unk_token", ends, ends->unk, &ok);
    to_folder_set(config, "add_bos_token", json_boolean(ends->add_bos), &ok);
    to_folder_set(config, "add_eos_token", json_boolean(ends->add_eos), &ok);
    to_folder_set(config, "clean_up_tokenization_spaces", json_false(), &ok);
    if (ok) return config;
    json_decref(config);
    return NULL;
}

enum jl_status to_folder_print(const json_t *json, struct byte_buffer *out, struct jl_error *err) {
    const struct json_print_options options = {.indent = 2};
    JL_TRY(json_print_value(json, &options, out, err));
    return buffer_append(out, "\n", 1) ? JL_OK : to_folder_no_memory(err);
}

void tokenizer_folder_free(struct tokenizer_folder *folder) {
    free(folder->bytes);
    free(folder->config);
    *folder = (struct tokenizer_folder){0};
}

/* ---- the proof ---- */

static enum jl_status check_text(const struct tokenizer *source, const struct tokenizer *made,
                                 const struct byte_buffer *text, struct jl_error *err) {
    int32_t *ids[2] = {NULL, NULL};
    size_t n[2] = {0};
    const int flags = ENCODE_SPECIAL | ENCODE_ADD_BOS;
    const char *data = text->len ? text->data : "";
    enum jl_status status = tokenizer_encode(source, data, text->len, flags, &ids[0], &n[0], err);
    if (status == JL_OK)
        status = tokenizer_encode(made, data, text->len, flags, &ids[1], &n[1], err);
    if (status == JL_OK && (n[0] != n[1] || memcmp(ids[0], ids[1], n[0] * sizeof **ids) != 0))
        status = to_folder_cannot("the ids of a text with special tokens", err);
    free(ids[0]);
    free(ids[1]);
    return status;
}

/* Between words, at both ends, and beside spaces. */
static enum jl_status check_token(const struct tokenizer *source, const struct tokenizer *made,
                                  const struct added_token *token, struct byte_buffer *text,
                                  struct jl_error *err) {
    static const char *const around[][3] = {
        {"", "Hello", ""}, {"Hello ", " world", "\n"}, {" ", "  ", " x"}};
    for (size_t i = 0; i < sizeof around / sizeof around[0]; i++) {
        text->len = 0;
        if (!buffer_append(text, around[i][0], strlen(around[i][0])) ||
            !buffer_append(text, token->text, token->len) ||
            !buffer_append(text, around[i][1], strlen(around[i][1])) ||
            !buffer_append(text, token->text, token->len) ||
            !buffer_append(text, around[i][2], strlen(around[i][2])))
            return to_folder_no_memory(err);
        JL_TRY(check_text(source, made, text, err));
    }
    return JL_OK;
}

#define TOKENS_TRIED 16

enum jl_status to_folder_check(const struct tokenizer *source, const struct tokenizer *made,
                               struct jl_error *err) {
    struct byte_buffer text = {0};
    enum jl_status status = to_gguf_check(source, made, err);
    if (status == JL_OK && (source->bos != made->bos || source->eos != made->eos))
        status = to_folder_cannot("its tokens of beginning and end", err);
    if (status == JL_OK) status = check_text(source, made, &text, err);
    for (int i = 0; status == JL_OK && i < source->added_raw.n && i < TOKENS_TRIED; i++)
        status = check_token(source, made, &source->added_raw.tokens[i], &text, err);
    buffer_free(&text);
    return status;
}
