/* Text to ids and back; conversations to ids. */
#include <stdlib.h>

#include "api/self.h"
#include "base/json.h"

/* Takes the list; more ids than an int32_t counts are an error. */
static enum jl_status give_ids(struct token_ids found, int32_t **ids, int32_t *n,
                               struct jl_error *err) {
    if (found.len <= INT32_MAX) {
        *ids = found.data;
        *n = (int32_t)found.len;
        return JL_OK;
    }
    free(found.data);
    return jl_fail(err, JL_ERR_LIMIT, "a text of %zu tokens is too long", found.len);
}

enum jl_status jl_encode(const jl_model *model, const char *text, size_t len, int flags,
                         int32_t **ids, int32_t *n, struct jl_error *err) {
    struct token_ids found;
    JL_TRY(jl_need_tokenizer(model, err));
    if (flags & ~(JL_ENCODE_SPECIAL | JL_ENCODE_BOS))
        return jl_fail(err, JL_ERR_USAGE, "flags %d of jl_encode: there are 1 and 2", flags);
    int wanted = (flags & JL_ENCODE_SPECIAL ? ENCODE_SPECIAL : 0) |
                 (flags & JL_ENCODE_BOS ? ENCODE_ADD_BOS : 0);
    JL_TRY(tokenizer_encode(model->tokenizer, text ? text : "", len, wanted, &found.data,
                            &found.len, err));
    return give_ids(found, ids, n, err);
}

/* ---- ids to text ---- */

enum jl_status jl_decoder_create(const jl_model *model, jl_decoder **out, struct jl_error *err) {
    *out = NULL;
    JL_TRY(jl_need_tokenizer(model, err));
    *out = calloc(1, sizeof **out);
    if (!*out) return jl_no_memory(err, "a decoder");
    token_stream_init(&(*out)->stream, model->tokenizer, false);
    return JL_OK;
}

void jl_decoder_free(jl_decoder *decoder) {
    if (!decoder) return;
    free(decoder->text);
    free(decoder);
}

static enum jl_status give_text(struct jl_decoder *decoder, const char **text, size_t *len) {
    if (decoder->text) decoder->text[decoder->len] = 0;
    *text = decoder->text ? decoder->text : "";
    *len = decoder->len;
    return JL_OK;
}

enum jl_status jl_decode(jl_decoder *decoder, int32_t id, const char **text, size_t *len,
                         struct jl_error *err) {
    decoder->len = 0;
    JL_TRY(
        token_stream_push(&decoder->stream, id, &decoder->text, &decoder->len, &decoder->cap, err));
    return give_text(decoder, text, len);
}

enum jl_status jl_decode_end(jl_decoder *decoder, const char **text, size_t *len,
                             struct jl_error *err) {
    decoder->len = 0;
    JL_TRY(token_stream_end(&decoder->stream, &decoder->text, &decoder->len, &decoder->cap, err));
    return give_text(decoder, text, len);
}

/* ---- conversations ---- */

static enum jl_status read_conversation(const char *json, size_t len, json_t **out,
                                        struct jl_error *err) {
    json_error_t where;
    json_t *root;
    enum jl_status status =
        jl_json_load(json, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &root, &where);
    *out = root;
    if (status == JL_ERR_MEMORY) return jl_no_memory(err, "a conversation");
    if (status != JL_OK)
        return jl_fail(err, JL_ERR_USAGE, "the conversation is no JSON: line %d, column %d: %s",
                       where.line, where.column, where.text);
    if (!json_is_array(json_object_get(root, "messages")))
        return jl_fail(err, JL_ERR_USAGE, "a conversation is an object with an array \"messages\"");
    if (!json_object_get(root, "add_generation_prompt") &&
        json_object_set_new(root, "add_generation_prompt", json_true()))
        return jl_no_memory(err, "a conversation");
    return JL_OK;
}

enum jl_status jl_chat_prompt(const jl_model *model, const char *json, size_t len, int32_t **ids,
                              int32_t *n, struct jl_error *err) {
    struct chat_rendered rendered = {0};
    struct token_ids found = {0};
    json_t *root;
    JL_TRY(jl_need_tokenizer(model, err));
    if (model->no_template.status != JL_OK)
        return jl_fail(err, model->no_template.status, "%s", model->no_template.message);
    if (!model->form.tmpl)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "%s has no chat template",
                       model->model->file->path);
    enum jl_status status = read_conversation(json, len, &root, err);
    if (status == JL_OK) status = chat_form_render(&model->form, root, &rendered, err);
    json_decref(root);
    struct tokenizer_text text = {rendered.text, rendered.len, rendered.user, rendered.n_user};
    if (status == JL_OK)
        status =
            tokenizer_encode_marked(model->tokenizer, &text, ENCODE_SPECIAL, &found, NULL, err);
    chat_rendered_free(&rendered);
    return status == JL_OK ? give_ids(found, ids, n, err) : status;
}
