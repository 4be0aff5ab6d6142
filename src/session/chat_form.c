#include "session/chat_form.h"

#include <string.h>

void chat_form_close(struct chat_form *form) {
    chat_template_free(form->tmpl);
    open_template_free(&form->source);
    *form = (struct chat_form){0};
}

static bool has_token(void *ctx, const char *text) {
    return tokenizer_find_added(ctx, text, strlen(text)) != TOKEN_NONE;
}

static enum jl_status read_form(const struct tokenizer *tokenizer, struct chat_form *form,
                                struct jl_error *err) {
    const struct model_template *source = &form->source;
    struct jl_error inner;
    enum jl_status status = chat_template_parse(source->source, source->len, &form->tmpl, &inner);
    if (status != JL_OK)
        return jl_fail(err, status, "%s: the chat template: %s", source->name, inner.message);
    form->dialect = dialect_detect(source->source, source->len, has_token, (void *)tokenizer);
    return JL_OK;
}

enum jl_status chat_form_open(const char *path, const struct tokenizer *tokenizer,
                              struct chat_form *out, struct jl_error *err) {
    *out = (struct chat_form){0};
    enum jl_status status = open_template(path, NULL, false, &out->source, err);
    if (status == JL_OK) status = read_form(tokenizer, out, err);
    if (status == JL_OK) return JL_OK;
    chat_form_close(out);
    return status == JL_ERR_UNSUPPORTED ? JL_OK : status; // the model has none
}

void chat_form_ends(const struct chat_form *form, const struct tokenizer *tokenizer,
                    int32_t n_vocab, struct end_tokens *ends) {
    for (size_t i = 0; form->dialect && i < DIALECT_STOPS && form->dialect->stops[i]; i++) {
        const char *text = form->dialect->stops[i];
        end_tokens_add(ends, tokenizer_find_added(tokenizer, text, strlen(text)), n_vocab);
    }
}

/* Without tools `tools` is none, as everywhere. Templates made for tools alone walk through it
 * nevertheless and fail; they get an empty list. */
static enum jl_status render(const struct chat_form *form, json_t *variables,
                             const struct chat_render_options *options, struct chat_rendered *out,
                             struct jl_error *err) {
    struct jl_error inner;
    enum jl_status status = chat_template_render(form->tmpl, variables, options, out, err);
    bool none =
        !json_object_get(variables, "tools") || json_is_null(json_object_get(variables, "tools"));
    if (status != JL_ERR_FORMAT || !none || !chat_template_uses(form->tmpl, "tools")) return status;
    if (json_object_set_new(variables, "tools", json_array()))
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a prompt");
    *out = (struct chat_rendered){0};
    return chat_template_render(form->tmpl, variables, options, out, &inner) == JL_OK ? JL_OK
                                                                                      : status;
}

enum jl_status chat_form_render(const struct chat_form *form, json_t *variables,
                                struct chat_rendered *out, struct jl_error *err) {
    return chat_form_render_with(form, variables, NULL, out, err);
}

enum jl_status chat_form_render_with(const struct chat_form *form, json_t *variables,
                                     const struct chat_render_options *options,
                                     struct chat_rendered *out, struct jl_error *err) {
    *out = (struct chat_rendered){0};
    JL_TRY(open_template_variables(&form->source, variables, err));
    JL_TRY(render(form, variables, options, out, err));
    if (out->len) return JL_OK;
    chat_rendered_free(out);
    return jl_fail(err, JL_ERR_UNSUPPORTED, "the chat template gives an empty prompt");
}
