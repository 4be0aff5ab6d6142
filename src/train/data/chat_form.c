/* The template's side of a conversation: what it is given, and how it wants calls of tools. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "text/buffer.h"
#include "text/json_print.h"
#include "train/data/chat.h"

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a conversation");
}

static json_t *variables_of(const struct data_chat_view *view) {
    json_t *messages = json_array();
    bool fits = messages != NULL;
    for (size_t i = 0; i < view->n && fits; i++)
        fits = !json_array_append(messages, json_array_get(view->messages, i));
    if (fits && view->extra) fits = !json_array_append(messages, view->extra);
    if (!fits) {
        json_decref(messages);
        return NULL;
    }
    return json_pack("{s:o, s:O*, s:b}", "messages", messages, "tools", view->tools,
                     "add_generation_prompt", view->prompt);
}

enum jl_status data_chat_render(const struct data_chat *chat, const struct data_chat_view *view,
                                struct chat_rendered *out, struct jl_error *err) {
    struct jl_error inner;
    *out = (struct chat_rendered){0};
    json_t *variables = variables_of(view);
    if (!variables) return no_memory(err);
    enum jl_status status =
        chat_form_render_with(chat->form, variables, &chat->options, out, &inner);
    json_decref(variables);
    if (status == JL_OK || status == JL_ERR_MEMORY) return status == JL_OK ? JL_OK : no_memory(err);
    return jl_fail(err, status, "messages 1 to %zu: the chat template: %s", view->n, inner.message);
}

/* ---- arguments of calls ---- */

#define PROBE_KEY "jinlin_key"
#define PROBE_VALUE "jinlin_value"

static bool has(const struct chat_rendered *rendered, const char *text) {
    return memmem(rendered->text, rendered->len, text, strlen(text));
}

/* Whether the template writes a call of this form. Strings must not be quoted once more, nor
 * objects be printed as Python does. */
static enum jl_status probe(const struct data_chat *chat, bool object, bool null, bool tools,
                            bool *fits, struct jl_error *err) {
    json_t *arguments = object ? json_pack("{s:s}", PROBE_KEY, PROBE_VALUE)
                               : json_string("{\"" PROBE_KEY "\": \"" PROBE_VALUE "\"}");
    json_t *messages = json_pack(
        "[{s:s, s:s}, {s:s, s:s*, s:[{s:s, s:s, s:{s:s, s:o}}]}]", "role", "user", "content", "0",
        "role", "assistant", "content", null ? NULL : "", "tool_calls", "id", "call00000", "type",
        "function", "function", "name", "jinlin_tool", "arguments", arguments);
    json_t *list = tools ? json_pack("[{s:s, s:{s:s, s:s, s:{s:s, s:{}}}}]", "type", "function",
                                     "function", "name", "jinlin_tool", "description", "0",
                                     "parameters", "type", "object", "properties")
                         : NULL;
    struct data_chat_view view = {.messages = messages, .n = 2, .tools = list};
    struct chat_rendered rendered = {0};
    bool ready = messages && (list || !tools);
    if (ready && null)
        ready = !json_object_set_new(json_array_get(messages, 1), "content", json_null());
    enum jl_status status = ready ? data_chat_render(chat, &view, &rendered, NULL) : JL_ERR_MEMORY;
    *fits = status == JL_OK && has(&rendered, PROBE_KEY) && has(&rendered, PROBE_VALUE) &&
            !has(&rendered, "\\\"" PROBE_KEY) && !has(&rendered, "'" PROBE_KEY "'");
    chat_rendered_free(&rendered);
    json_decref(messages);
    json_decref(list);
    return status == JL_ERR_MEMORY ? no_memory(err) : JL_OK;
}

static enum jl_status probe_all(struct data_chat *chat, struct jl_error *err) {
    for (int way = 0; way < 4 && !chat->takes_object && !chat->takes_string; way++) {
        bool null = way & 1, tools = way & 2;
        JL_TRY(probe(chat, true, null, tools, &chat->takes_object, err));
        JL_TRY(probe(chat, false, null, tools, &chat->takes_string, err));
        chat->null_beside_calls = null;
    }
    return JL_OK;
}

static enum jl_status arguments_to_object(json_t *function, struct jl_error *err) {
    const json_t *text = json_object_get(function, "arguments");
    json_t *object;
    enum jl_status status = jl_json_load(json_string_value(text), json_string_length(text),
                                         JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &object, NULL);
    if (status == JL_ERR_MEMORY) return no_memory(err);
    if (!json_is_object(object)) {
        json_decref(object);
        return jl_fail(err, JL_ERR_FORMAT,
                       "the arguments of a call are a string that holds no JSON object");
    }
    return json_object_set_new(function, "arguments", object) ? no_memory(err) : JL_OK;
}

static enum jl_status arguments_to_string(json_t *function, struct jl_error *err) {
    struct byte_buffer text = {0};
    enum jl_status status =
        json_print_value(json_object_get(function, "arguments"), NULL, &text, err);
    json_t *string = status == JL_OK ? json_stringn(text.data, text.len) : NULL;
    buffer_free(&text);
    if (status == JL_OK && (!string || json_object_set_new(function, "arguments", string)))
        status = no_memory(err);
    return status;
}

enum jl_status data_chat_fit_calls(const struct data_chat *chat, json_t *message,
                                   struct jl_error *err) {
    size_t i;
    json_t *call;
    if (!chat->takes_object && !chat->takes_string)
        return jl_fail(err, JL_ERR_UNSUPPORTED, "the chat template writes no calls of tools");
    json_array_foreach(json_object_get(message, "tool_calls"), i, call) {
        json_t *function = json_object_get(call, "function");
        bool object = json_is_object(json_object_get(function, "arguments"));
        if (object && !chat->takes_object) JL_TRY(arguments_to_string(function, err));
        if (!object && !chat->takes_string) JL_TRY(arguments_to_object(function, err));
    }
    const json_t *content = json_object_get(message, "content");
    if (content && json_string_length(content) > 0) return JL_OK;
    json_t *none = chat->null_beside_calls ? json_null() : json_string("");
    return !none || json_object_set_new(message, "content", none) ? no_memory(err) : JL_OK;
}

/* ---- opening ---- */

enum jl_status data_chat_open(const struct data_model *model, int64_t now, struct data_chat *out,
                              struct jl_error *err) {
    *out = (struct data_chat){.tokenizer = model->tokenizer,
                              .form = model->form && model->form->tmpl ? model->form : NULL,
                              .options = {.now = now, .has_now = true},
                              .n_vocab = model->n_vocab};
    if (model->ends)
        out->ends = *model->ends;
    else
        end_tokens_add(&out->ends, tokenizer_eos(model->tokenizer), model->n_vocab);
    if (!out->form) return JL_OK;
    chat_form_ends(out->form, model->tokenizer, model->n_vocab, &out->ends);
    return probe_all(out, err);
}
