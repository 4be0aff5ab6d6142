#include "serve/openai/prompt.h"

#include <stdlib.h>
#include <string.h>

#include "text/buffer.h"

/* ---- chats ---- */

/* Names by which templates ask whether to think: Qwen3 and GLM, DeepSeek-V3.1. */
static const char *const switches[] = {"enable_thinking", "thinking"};
#define N_SWITCH (sizeof switches / sizeof switches[0])

bool openai_prompt_has_switch(const struct chat_form *form) {
    for (size_t i = 0; form->tmpl && i < N_SWITCH; i++)
        if (chat_template_uses(form->tmpl, switches[i])) return true;
    return false;
}

static bool offers_tools(const struct openai_request *request) {
    return request->tools && request->tool_choice != OPENAI_TOOLS_NONE;
}

static json_t *variables_of(const struct chat_form *form, const struct openai_request *request) {
    json_t *variables = json_object();
    bool fits = variables && !json_object_set(variables, "messages", request->messages) &&
                !json_object_set_new(variables, "add_generation_prompt",
                                     json_boolean(!request->continue_final));
    if (fits && offers_tools(request)) fits = !json_object_set(variables, "tools", request->tools);
    for (size_t i = 0; fits && request->thinking >= 0 && i < N_SWITCH; i++)
        if (chat_template_uses(form->tmpl, switches[i]))
            fits = !json_object_set_new(variables, switches[i], json_boolean(request->thinking));
    if (fits && request->template_kwargs)
        fits = !json_object_update(variables, (json_t *)(uintptr_t)request->template_kwargs);
    if (fits) return variables;
    json_decref(variables);
    return NULL;
}

static bool is_system(const json_t *message) {
    const char *role = json_string_value(json_object_get(message, "role"));
    return role && !strcmp(role, "system");
}

/* Templates that take a system message at the beginning only: all of them become that one. False:
 * there is none elsewhere, or no memory. */
static bool gather_system(json_t *variables) {
    const json_t *messages = json_object_get(variables, "messages"), *message;
    json_t *gathered = json_array();
    struct byte_buffer text = {0};
    size_t i;
    bool fits = gathered != NULL, elsewhere = false;
    json_array_foreach(messages, i, message) {
        const json_t *content = json_object_get(message, "content");
        if (!is_system(message)) {
            fits = fits && !json_array_append(gathered, (json_t *)(uintptr_t)message);
            continue;
        }
        elsewhere = elsewhere || i > 0;
        fits = fits && (!text.len || buffer_append(&text, "\n\n", 2)) &&
               buffer_append(&text, json_string_value(content), json_string_length(content));
    }
    fits = fits && elsewhere &&
           !json_array_insert_new(gathered, 0,
                                  json_pack("{s:s, s:s%}", "role", "system", "content",
                                            text.data ? text.data : "", text.len)) &&
           !json_object_set(variables, "messages", gathered);
    json_decref(gathered);
    buffer_free(&text);
    return fits;
}

/* The last message is to go on: what the template writes behind its text is left out. */
static bool cut_after_last(const struct openai_request *request, struct chat_rendered *rendered,
                           struct openai_problem *problem) {
    const json_t *last = json_array_get(request->messages, json_array_size(request->messages) - 1);
    const json_t *content = json_object_get(last, "content");
    const char *role = json_string_value(json_object_get(last, "role"));
    const char *text = json_string_value(content);
    size_t n = json_string_length(content);
    if (!role || strcmp(role, "assistant") != 0 || !text)
        return openai_refuse(problem, "continue_final_message",
                             "\"continue_final_message\" wants a last message of the assistant");
    while (n && strchr(" \n\t\r", text[n - 1])) // templates trim
        n--;
    for (size_t at = n && n <= rendered->len ? rendered->len - n + 1 : 0; at-- > 0;)
        if (!memcmp(rendered->text + at, text, n)) {
            rendered->len = at + n;
            rendered->text[rendered->len] = 0;
            while (rendered->n_user && rendered->user[rendered->n_user - 1].start >= rendered->len)
                rendered->n_user--;
            if (rendered->n_user && rendered->user[rendered->n_user - 1].stop > rendered->len)
                rendered->user[rendered->n_user - 1].stop = rendered->len;
            return true;
        }
    return openai_refuse(problem, "continue_final_message",
                         "the template does not write the last message as it is");
}

bool openai_prompt_render(struct served *served, const struct openai_request *request,
                          struct chat_rendered *out, struct openai_problem *problem) {
    const struct chat_form *form = served_parts(served)->form;
    struct jl_error err = {0};
    *out = (struct chat_rendered){0};
    if (!form->tmpl)
        return openai_refuse(problem, "model",
                             "the model \"%s\" has no chat template: it only continues texts "
                             "(/v1/completions)",
                             served_parts(served)->id);
    if (offers_tools(request) && !form->dialect->calls)
        return openai_refuse(problem, "tools", "the model \"%s\" has no form for calls of tools",
                             served_parts(served)->id);
    json_t *variables = variables_of(form, request);
    if (!variables) return openai_no_memory(problem);
    enum jl_status status = chat_form_render(form, variables, out, &err);
    if (status == JL_ERR_FORMAT && gather_system(variables)) {
        struct jl_error inner = {0};
        *out = (struct chat_rendered){0};
        if (chat_form_render(form, variables, out, &inner) == JL_OK) status = JL_OK;
    }
    json_decref(variables);
    if (status != JL_OK) {
        if (status == JL_ERR_FORMAT) // what the template says of the conversation
            return openai_refuse(problem, "messages", "the model's chat template: %s", err.message);
        return openai_failed(problem, status, err.message);
    }
    if (request->continue_final && !cut_after_last(request, out, problem)) {
        chat_rendered_free(out);
        *out = (struct chat_rendered){0};
        return false;
    }
    return true;
}

bool openai_prompt_chat(struct served *served, const struct openai_request *request, uint64_t owner,
                        struct token_ids *ids, struct dialect_start *start,
                        struct openai_problem *problem) {
    const struct chat_form *form = served_parts(served)->form;
    struct chat_rendered rendered;
    struct jl_error err = {0};
    if (!openai_prompt_render(served, request, &rendered, problem)) return false;
    struct tokenizer_text text = {rendered.text, rendered.len, rendered.user, rendered.n_user};
    enum jl_status status = served_encode(served, owner, &text, ENCODE_SPECIAL, ids, &err);
    if (status == JL_OK) *start = dialect_prompt_end(form->dialect, rendered.text, rendered.len);
    chat_rendered_free(&rendered);
    return status == JL_OK || openai_failed(problem, status, err.message);
}

/* ---- completions ---- */

/* How models that can fill in a gap are asked to: the marks around what comes before and behind. */
static const struct {
    const char *before, *between, *behind;
} gaps[] = {
    {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},    // Qwen
    {"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"},    // DeepSeek
    {"<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"}, // GLM
    {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},          {"<PRE>", "<SUF>", "<MID>"},
};

static bool append_mark(const struct tokenizer *tokenizer, const char *mark,
                        struct id_buffer *out) {
    return buffer_append_id(out, tokenizer_find_added(tokenizer, mark, strlen(mark)));
}

static bool append_words(const struct tokenizer *tokenizer, const char *text, size_t len, int flags,
                         struct id_buffer *out, struct openai_problem *problem) {
    struct jl_error err = {0};
    int32_t *ids;
    size_t n;
    enum jl_status status = tokenizer_encode(tokenizer, text, len, flags, &ids, &n, &err);
    if (status != JL_OK) return openai_failed(problem, status, err.message);
    bool fits = true;
    for (size_t i = 0; fits && i < n; i++)
        fits = buffer_append_id(out, ids[i]);
    free(ids);
    return fits || openai_no_memory(problem);
}

static bool fill_gap(struct served *served, const struct openai_request *request,
                     const struct openai_prompt *prompt, struct token_ids *ids,
                     struct openai_problem *problem) {
    const struct tokenizer *tokenizer = served_parts(served)->tokenizer;
    size_t row = 0, n_row = sizeof gaps / sizeof gaps[0];
    struct id_buffer out = {0};
    while (row < n_row && (tokenizer_find_added(tokenizer, gaps[row].before,
                                                strlen(gaps[row].before)) == TOKEN_NONE ||
                           tokenizer_find_added(tokenizer, gaps[row].behind,
                                                strlen(gaps[row].behind)) == TOKEN_NONE))
        row++;
    if (row == n_row)
        return openai_refuse(problem, "suffix",
                             "the model \"%s\" has no tokens for filling in between two texts",
                             served_parts(served)->id);
    if (!prompt->text)
        return openai_refuse(problem, "suffix", "\"suffix\" goes with a prompt that is a text");
    bool ok = append_mark(tokenizer, gaps[row].before, &out) &&
              append_words(tokenizer, prompt->text, prompt->len, 0, &out, problem) &&
              append_mark(tokenizer, gaps[row].between, &out) &&
              append_words(tokenizer, request->suffix, strlen(request->suffix), 0, &out, problem) &&
              append_mark(tokenizer, gaps[row].behind, &out);
    if (!ok) {
        free(out.data);
        return openai_no_memory(problem); // or what was refused before
    }
    *ids = (struct token_ids){out.data, out.len};
    return true;
}

static bool copy_ids(const struct served *served, const struct openai_prompt *prompt,
                     struct token_ids *ids, struct openai_problem *problem) {
    int n_vocab = exec_model(served_parts(served)->exec)->hp.n_vocab;
    for (int i = 0; i < prompt->n_id; i++)
        if (prompt->ids[i] < 0 || prompt->ids[i] >= n_vocab)
            return openai_refuse(problem, "prompt", "%d is no token: there are %d", prompt->ids[i],
                                 n_vocab);
    int32_t *copy = malloc(((size_t)prompt->n_id + 1) * sizeof *copy);
    if (!copy) return openai_no_memory(problem);
    memcpy(copy, prompt->ids, (size_t)prompt->n_id * sizeof *copy);
    *ids = (struct token_ids){copy, (size_t)prompt->n_id};
    return true;
}

bool openai_prompt_completion(struct served *served, const struct openai_request *request,
                              const struct openai_prompt *prompt, uint64_t owner,
                              struct token_ids *ids, struct openai_problem *problem) {
    struct jl_error err = {0};
    *ids = (struct token_ids){0};
    if (request->suffix && *request->suffix) {
        if (!fill_gap(served, request, prompt, ids, problem)) return false;
    } else if (!prompt->text) {
        if (!copy_ids(served, prompt, ids, problem)) return false;
    } else {
        struct tokenizer_text text = {.text = prompt->text, .len = prompt->len};
        enum jl_status status =
            served_encode(served, owner, &text, ENCODE_SPECIAL | ENCODE_ADD_BOS, ids, &err);
        if (status != JL_OK) return openai_failed(problem, status, err.message);
    }
    if (ids->len) return true;
    free(ids->data);
    ids->data = NULL;
    return openai_refuse(problem, "prompt", "the prompt is empty: it needs at least one token");
}

/* ---- room ---- */

bool openai_prompt_fits(const struct served *served, const struct openai_request *request,
                        size_t n_prompt, struct openai_problem *problem) {
    int n_ctx = served_n_ctx(served), n_max = request->n_max > 0 ? request->n_max : 0;
    const char *param = request->kind == OPENAI_CHAT ? "messages" : "prompt";
    bool fits = request->n_max < 0
                    ? n_prompt <= (size_t)n_ctx
                    : n_prompt < (size_t)n_ctx && n_prompt + (size_t)n_max <= (size_t)n_ctx;
    if (fits) return true;
    if (n_max)
        openai_refuse(problem, param,
                      "This model's maximum context length is %d tokens. However, you requested "
                      "%zu tokens (%zu in the %s, %d in the completion). Please reduce the length "
                      "of the %s or completion.",
                      n_ctx, n_prompt + (size_t)n_max, n_prompt, param, n_max, param);
    else
        openai_refuse(problem, param,
                      "This model's maximum context length is %d tokens. However, your %s resulted "
                      "in %zu tokens. Please reduce the length of the %s.",
                      n_ctx, param, n_prompt, param);
    problem->code = "context_length_exceeded";
    return false;
}
