#include "cli/chat/prompt.h"

#include <stdlib.h>
#include <string.h>

#include "session/splice.h"
#include "text/buffer.h"

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a prompt");
}

void prompt_free(struct prompt *prompt) {
    free(prompt->ids);
    *prompt = (struct prompt){0};
}

/* ---- the form ---- */

void prompt_form_close(struct prompt_form *form) { chat_form_close(&form->chat); }

enum jl_status prompt_form_open(struct talk *talk, const char *path, bool plain,
                                struct prompt_form *out, struct jl_error *err) {
    struct jl_error inner;
    *out = (struct prompt_form){0};
    if (plain) return JL_OK;
    enum jl_status status = chat_form_open(path, talk->tokenizer, &out->chat, &inner);
    if (status != JL_OK)
        return jl_fail(err, status, "%s (--plain goes without the chat template)", inner.message);
    chat_form_ends(&out->chat, talk->tokenizer, talk->engine.model->hp.n_vocab, &talk->ends);
    return JL_OK;
}

/* ---- by the template ---- */

/* Names by which templates ask whether to think: Qwen3 and GLM, DeepSeek-V3.1. */
static const char *const switches[] = {"enable_thinking", "thinking"};
#define N_SWITCH (sizeof switches / sizeof switches[0])

bool prompt_has_switch(const struct prompt_form *form) {
    for (size_t i = 0; form->chat.tmpl && i < N_SWITCH; i++)
        if (chat_template_uses(form->chat.tmpl, switches[i])) return true;
    return false;
}

static bool set_switches(const struct prompt_form *form, json_t *variables) {
    bool fits = true;
    for (size_t i = 0; form->thinking != PROMPT_THINK_AS_MODEL && i < N_SWITCH; i++)
        if (chat_template_uses(form->chat.tmpl, switches[i]))
            fits = fits && !json_object_set_new(variables, switches[i],
                                                json_boolean(form->thinking == PROMPT_THINK_ON));
    return fits;
}

/* A message as templates know it: thoughts are called reasoning_content there. */
static json_t *for_template(json_t *message) {
    json_t *reasoning = json_object_get(message, "reasoning");
    json_t *copy = json_copy(message);
    if (!copy || !reasoning) return copy;
    if (json_object_set(copy, "reasoning_content", reasoning) ||
        json_object_del(copy, "reasoning")) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}

static json_t *variables_of(const struct conversation *conversation) {
    json_t *messages = json_array(), *message;
    size_t i;
    bool fits = messages != NULL;
    if (fits && conversation->system)
        fits = !json_array_append_new(
            messages, json_pack("{s:s, s:O}", "role", "system", "content", conversation->system));
    json_array_foreach(conversation->messages, i, message) {
        fits = fits && !json_array_append_new(messages, for_template(message));
    }
    if (fits) return json_pack("{s:o, s:b}", "messages", messages, "add_generation_prompt", 1);
    json_decref(messages);
    return NULL;
}

/* What the session holds of the text stays as it was spelled. */
static enum jl_status encode(const struct talk *talk, const struct tokenizer_text *text, int flags,
                             struct prompt *out, struct jl_error *err) {
    const struct splice_known known = {
        .ids = session_ids(talk->session),
        .n = (size_t)session_n_token(talk->session),
        .max = (size_t)session_capacity(talk->session),
    };
    struct token_ids ids;
    JL_TRY(splice_encode(talk->tokenizer, text, flags, &known, &ids, err));
    *out = (struct prompt){.ids = ids.data, .n = ids.len};
    if (ids.len) return JL_OK;
    prompt_free(out);
    return jl_fail(err, JL_ERR_USAGE, "the prompt is empty: give at least one token of text");
}

static enum jl_status build_templated(const struct talk *talk, const struct prompt_form *form,
                                      const struct conversation *conversation, struct prompt *out,
                                      struct jl_error *err) {
    struct chat_rendered rendered = {0};
    struct tokenizer_text text;
    json_t *variables = variables_of(conversation);
    enum jl_status status = variables && set_switches(form, variables) ? JL_OK : no_memory(err);
    if (status == JL_OK) status = chat_form_render(&form->chat, variables, &rendered, err);
    text = (struct tokenizer_text){rendered.text, rendered.len, rendered.user, rendered.n_user};
    if (status == JL_OK) status = encode(talk, &text, ENCODE_SPECIAL, out, err);
    if (status == JL_OK)
        out->start = dialect_prompt_end(form->chat.dialect, rendered.text, rendered.len);
    chat_rendered_free(&rendered);
    json_decref(variables);
    return status;
}

/* ---- without one ---- */

static enum jl_status build_plain(const struct talk *talk, const struct conversation *conversation,
                                  struct prompt *out, struct jl_error *err) {
    struct byte_buffer all = {0};
    const json_t *message;
    size_t i;
    enum jl_status status = JL_OK;
    json_array_foreach(conversation->messages, i, message) {
        const json_t *content = json_object_get(message, "content");
        if (!buffer_append(&all, json_string_value(content), json_string_length(content)))
            status = no_memory(err);
    }
    struct tokenizer_text text = {.text = all.data, .len = all.len};
    if (status == JL_OK) status = encode(talk, &text, ENCODE_ADD_BOS, out, err);
    buffer_free(&all);
    return status;
}

enum jl_status prompt_build(const struct talk *talk, const struct prompt_form *form,
                            const struct conversation *conversation, struct prompt *out,
                            struct jl_error *err) {
    return form->chat.tmpl ? build_templated(talk, form, conversation, out, err)
                           : build_plain(talk, conversation, out, err);
}
