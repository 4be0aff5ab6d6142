/* Texts to tokens, tokens to texts, conversations to texts. */
#include <stdlib.h>
#include <string.h>

#include "serve/job.h"
#include "serve/openai/body.h"
#include "serve/openai/prompt.h"
#include "serve/openai/whole.h"
#include "serve/own/own.h"
#include "text/buffer.h"

struct task {
    struct job job;
    struct serving *serving;
    bool (*answer)(struct task *task, struct served *served, json_t **out);
    json_t *body; // an object; NULL: `answer` reads the body itself
    struct openai_problem problem;
};

static bool read_body(struct task *task) {
    size_t len;
    const char *text = http_request_body(task->job.http, &len);
    return openai_body_read(text, len, &task->body, &task->problem);
}

static struct served *find_model(struct task *task) {
    const json_t *model = json_object_get(task->body, "model");
    struct served *served = serving_find(task->serving, json_string_value(model));
    if (!served) {
        openai_refuse(&task->problem, "model", "there is no such model: GET /v1/models");
        task->problem.status = 404;
        task->problem.code = "model_not_found";
    }
    return served;
}

static void run(struct job *job) {
    struct task *task = (struct task *)job;
    struct served *served = read_body(task) ? find_model(task) : NULL;
    json_t *out = NULL;
    if (served && task->answer(task, served, &out))
        openai_reply_json(task->job.http, out, NULL, 0);
    else
        openai_reply_problem(task->job.http, &task->problem);
    served_drop(served);
    json_decref(task->body);
}

static void begin(void *ctx, struct http_request *http,
                  bool (*answer)(struct task *task, struct served *served, json_t **out)) {
    const struct routes_context *context = ctx;
    struct task *task = calloc(1, sizeof *task);
    if (!task) return; // dropped without an answer: a 500
    *task = (struct task){.serving = context->serving, .answer = answer};
    if (!job_begin(serving_workers(context->serving), &task->job, http, run))
        openai_reply_busy(http);
}

/* ---- the fields ---- */

static bool read_flag(struct task *task, const char *name, bool standard, bool *out) {
    const json_t *value = json_object_get(task->body, name);
    *out = value && !json_is_null(value) ? json_is_true(value) : standard;
    return !value || json_is_boolean(value) || json_is_null(value) ||
           openai_refuse(&task->problem, name, "\"%s\" must be true or false", name);
}

/* The text under one of two names. */
static bool read_text(struct task *task, const char *name, const char *other, const json_t **out) {
    *out = json_object_get(task->body, name);
    if (!*out) *out = json_object_get(task->body, other);
    return json_is_string(*out) ||
           openai_refuse(&task->problem, name, "\"%s\" is missing: a text", name);
}

/* ---- tokenize ---- */

/* {"content" or "prompt", "add_special", "parse_special"}, or a chat's fields. */
static bool tokenize_chat(struct task *task, struct served *served, struct token_ids *ids) {
    struct openai_request request;
    struct dialect_start start;
    size_t len;
    const char *body = http_request_body(task->job.http, &len);
    bool ok = openai_request_read(OPENAI_CHAT, body, len, &request, &task->problem) &&
              openai_prompt_chat(served, &request, serving_client_of(task->job.http).owner, ids,
                                 &start, &task->problem);
    openai_request_free(&request);
    return ok;
}

static bool tokenize_text(struct task *task, struct served *served, struct token_ids *ids) {
    const json_t *text;
    struct jl_error err = {0};
    bool add, parse;
    if (!read_text(task, "content", "prompt", &text) ||
        !read_flag(task, "add_special", true, &add) ||
        !read_flag(task, "parse_special", true, &parse))
        return false;
    enum jl_status status = tokenizer_encode(
        served_parts(served)->tokenizer, json_string_value(text), json_string_length(text),
        (add ? ENCODE_ADD_BOS : 0) | (parse ? ENCODE_SPECIAL : 0), &ids->data, &ids->len, &err);
    return status == JL_OK || openai_failed(&task->problem, status, err.message);
}

static bool tokenize(struct task *task, struct served *served, json_t **out) {
    struct token_ids ids = {0};
    bool chat = json_object_get(task->body, "messages") != NULL;
    if (!(chat ? tokenize_chat : tokenize_text)(task, served, &ids)) return false;
    json_t *list = json_array();
    for (size_t i = 0; i < ids.len; i++)
        json_array_append_new(list, json_integer(ids.data[i]));
    *out = json_pack("{s:I, s:i, s:o}", "count", (json_int_t)ids.len, "max_model_len",
                     served_n_ctx(served), "tokens", list);
    free(ids.data);
    return true;
}

void own_tokenize(void *ctx, struct http_request *http) { begin(ctx, http, tokenize); }

/* ---- detokenize ---- */

static bool detokenize(struct task *task, struct served *served, json_t **out) {
    const struct tokenizer *tokenizer = served_parts(served)->tokenizer;
    const json_t *tokens = json_object_get(task->body, "tokens"), *item;
    struct byte_buffer text = {0};
    struct token_stream stream;
    struct jl_error err = {0};
    enum jl_status status = JL_OK;
    size_t i;
    if (!json_is_array(tokens))
        return openai_refuse(&task->problem, "tokens", "\"tokens\" is missing: a list of ids");
    token_stream_init(&stream, tokenizer, true);
    stream.show_control = true;
    json_array_foreach(tokens, i, item) {
        json_int_t id = json_integer_value(item);
        if (!json_is_integer(item) || id < 0 || id >= tokenizer_vocab_size(tokenizer)) {
            buffer_free(&text);
            return openai_refuse(&task->problem, "tokens", "tokens[%zu] is no token: there are %d",
                                 i, tokenizer_vocab_size(tokenizer));
        }
        if (status == JL_OK)
            status =
                token_stream_push(&stream, (int32_t)id, &text.data, &text.len, &text.cap, &err);
    }
    if (status == JL_OK) status = token_stream_end(&stream, &text.data, &text.len, &text.cap, &err);
    if (status == JL_OK) // under the names of two servers
        *out = json_pack("{s:s%, s:s%}", "content", text.data ? text.data : "", text.len, "prompt",
                         text.data ? text.data : "", text.len);
    buffer_free(&text);
    return status == JL_OK || openai_failed(&task->problem, status, err.message);
}

void own_detokenize(void *ctx, struct http_request *http) { begin(ctx, http, detokenize); }

/* ---- templates ---- */

static bool apply_template(struct task *task, struct served *served, json_t **out) {
    struct openai_request request;
    struct chat_rendered rendered = {0};
    size_t len;
    const char *body = http_request_body(task->job.http, &len);
    bool ok = openai_request_read(OPENAI_CHAT, body, len, &request, &task->problem) &&
              openai_prompt_render(served, &request, &rendered, &task->problem);
    if (ok) *out = json_pack("{s:s%}", "prompt", rendered.text, rendered.len);
    chat_rendered_free(&rendered);
    openai_request_free(&request);
    return ok;
}

void own_apply_template(void *ctx, struct http_request *http) { begin(ctx, http, apply_template); }
