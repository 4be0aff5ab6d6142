#include "serve/routes.h"

#include <string.h>

#include "serve/openai/embed.h"
#include "serve/openai/exchange.h"
#include "serve/own/own.h"

/* ---- OpenAI's ---- */

static void chat(void *ctx, struct http_request *http) {
    const struct routes_context *context = ctx;
    openai_exchange_begin(context->serving, OPENAI_CHAT, http);
}

static void completion(void *ctx, struct http_request *http) {
    const struct routes_context *context = ctx;
    openai_exchange_begin(context->serving, OPENAI_COMPLETION, http);
}

static void embeddings(void *ctx, struct http_request *http) {
    const struct routes_context *context = ctx;
    openai_embed_begin(context->serving, http);
}

static json_t *model_json(const struct served *served) {
    return json_pack("{s:s, s:s, s:I, s:s, s:i, s:i}", "id", served_parts(served)->id, "object",
                     "model", "created", (json_int_t)served_since(served), "owned_by", "jinlin",
                     "max_model_len", served_n_ctx(served), "context_length", served_n_ctx(served));
}

static void models(void *ctx, struct http_request *http) {
    const struct routes_context *context = ctx;
    struct served *served;
    json_t *list = json_array();
    for (size_t i = 0; (served = serving_at(context->serving, i)); i++) {
        json_array_append_new(list, model_json(served));
        served_drop(served);
    }
    openai_reply_json(http, json_pack("{s:s, s:o}", "object", "list", "data", list), NULL, 0);
}

static void model(void *ctx, struct http_request *http) {
    const struct routes_context *context = ctx;
    const char *id = http_request_part(http, "id");
    struct served *served = serving_find(context->serving, id);
    struct openai_problem problem = {0};
    if (served) {
        openai_reply_json(http, model_json(served), NULL, 0);
    } else {
        openai_refuse(&problem, "model", "The model `%.200s` does not exist", id);
        problem.status = 404;
        problem.code = "model_not_found";
        openai_reply_problem(http, &problem);
    }
    served_drop(served);
}

static char *openai_shape(const struct http_problem *problem) {
    struct openai_problem out = {.status = problem->status, .type = "invalid_request_error"};
    if (problem->status == 429) out.type = "rate_limit_error";
    if (problem->status >= 500) out.type = "server_error";
    if (problem->status == 401) out.code = "invalid_api_key";
    if (!out.code) out.code = problem->kind;
    strncat(out.message, problem->message, sizeof out.message - 1);
    json_t *json = openai_problem_json(&out);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

const struct http_shape routes_shapes[] = {{"/v1/", openai_shape}};
const size_t routes_n_shape = sizeof routes_shapes / sizeof routes_shapes[0];

/* ---- all ---- */

size_t routes_fill(struct routes_context *context, struct http_route out[ROUTES_MOST]) {
    static const struct http_route rows[] = {
        {"GET", "/v1/models", models, NULL, false},
        {"GET", "/v1/models/{id...}", model, NULL, false},
        {"POST", "/v1/chat/completions", chat, NULL, false},
        {"POST", "/v1/completions", completion, NULL, false},
        {"POST", "/v1/embeddings", embeddings, NULL, false},
        // for whoever has left the /v1 out of its base address
        {"GET", "/models", models, NULL, false},
        {"POST", "/chat/completions", chat, NULL, false},
        {"POST", "/completions", completion, NULL, false},
        {"POST", "/embeddings", embeddings, NULL, false},
        {"GET", "/health", own_health, NULL, true},
        {"GET", "/ready", own_ready, NULL, true},
        {"GET", "/metrics", own_metrics, NULL, false},
        {"GET", "/props", own_props, NULL, false},
        {"GET", "/slots", own_slots, NULL, false},
        {"POST", "/tokenize", own_tokenize, NULL, false},
        {"POST", "/detokenize", own_detokenize, NULL, false},
        {"POST", "/apply-template", own_apply_template, NULL, false},
        {"GET", "/api/keys", own_keys, NULL, false},
        {"POST", "/api/keys", own_make_key, NULL, false},
        {"DELETE", "/api/keys/{name}", own_remove_key, NULL, false},
        {"POST", "/score", own_score, NULL, false},
    };
    size_t n = sizeof rows / sizeof rows[0];
    for (size_t i = 0; i < n; i++) {
        out[i] = rows[i];
        out[i].ctx = context;
    }
    return n;
}
