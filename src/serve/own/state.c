/* How the server does. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/openai/whole.h"
#include "serve/own/own.h"
#include "text/buffer.h"

void own_health(void *ctx, struct http_request *http) {
    (void)ctx;
    openai_reply_json(http, json_pack("{s:s}", "status", "ok"), NULL, 0);
}

void own_ready(void *ctx, struct http_request *http) {
    const struct routes_context *context = ctx;
    struct served *first = serving_find(context->serving, NULL);
    if (first)
        openai_reply_json(http, json_pack("{s:s}", "status", "ready"), NULL, 0);
    else
        http_reply_error(http, 503, "not_ready", "no model is loaded yet");
    served_drop(first);
}

/* ---- metrics ---- */

static void put(struct byte_buffer *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void put(struct byte_buffer *out, const char *fmt, ...) {
    char line[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (n > 0) buffer_append(out, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

static void put_head(struct byte_buffer *out, const char *name, const char *type,
                     const char *help) {
    put(out, "# HELP jinlin_%s %s\n# TYPE jinlin_%s %s\n", name, help, name, type);
}

/* A figure of every model. */
struct figure {
    const char *name, *type, *help;
    double (*value)(const struct scheduler_stats *stats);
};
#define FIGURE(name, field)                                                                        \
    static double name(const struct scheduler_stats *stats) { return (double)stats->field; }
FIGURE(waiting, n_waiting)
FIGURE(reading, n_reading)
FIGURE(answering, n_answering)
FIGURE(resting, n_resting)
FIGURE(requests, n_request)
FIGURE(refused, n_refused)
FIGURE(cancelled, n_cancelled)
FIGURE(failed, n_failed)
FIGURE(prompt_tokens, n_prompt_token)
FIGURE(cached_tokens, n_cached_token)
FIGURE(answer_tokens, n_answer_token)
FIGURE(passes, n_pass)
FIGURE(made_room, n_made_room)
FIGURE(pages, n_page)
FIGURE(pages_free, n_page_free)
FIGURE(cache_bytes, cache_bytes)
FIGURE(step_seconds, step_seconds)

static const struct figure figures[] = {
    {"requests_waiting", "gauge", "Requests that wait to begin.", waiting},
    {"requests_reading", "gauge", "Requests whose prompt is being read.", reading},
    {"answers_running", "gauge", "Answers that take a token a pass.", answering},
    {"sessions_resting", "gauge", "Sessions kept for a next turn.", resting},
    {"requests_total", "counter", "Requests that the scheduler took.", requests},
    {"requests_refused_total", "counter", "Requests refused because too many waited.", refused},
    {"answers_cancelled_total", "counter", "Answers that nobody waited for any more.", cancelled},
    {"answers_failed_total", "counter", "Answers that ended with an error.", failed},
    {"prompt_tokens_total", "counter", "Tokens of prompts.", prompt_tokens},
    {"prompt_tokens_cached_total", "counter", "Tokens of prompts that needed no reading.",
     cached_tokens},
    {"answer_tokens_total", "counter", "Tokens of answers.", answer_tokens},
    {"passes_total", "counter", "Passes of the model.", passes},
    {"answers_put_aside_total", "counter", "Answers that made room and went on later.", made_room},
    {"cache_pages", "gauge", "Pages of keys and values.", pages},
    {"cache_pages_free", "gauge", "Pages that nothing is in.", pages_free},
    {"cache_bytes", "gauge", "Memory of the cache when every page is used.", cache_bytes},
    {"step_seconds", "gauge", "Length of a pass without a prompt, about.", step_seconds},
};

/* A label's value: quotes, backslashes and line breaks are escaped. */
static void put_label(struct byte_buffer *out, const char *text) {
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') buffer_append(out, "\\", 1);
        buffer_append(out, *text == '\n' ? " " : text, 1);
    }
}

static void put_models(const struct routes_context *context, struct byte_buffer *out) {
    for (size_t f = 0; f < sizeof figures / sizeof figures[0]; f++) {
        struct served *served;
        put_head(out, figures[f].name, figures[f].type, figures[f].help);
        for (size_t i = 0; (served = serving_at(context->serving, i)); i++) {
            struct scheduler_stats stats;
            scheduler_stats(served_scheduler(served), &stats);
            put(out, "jinlin_%s{model=\"", figures[f].name);
            put_label(out, served_parts(served)->id);
            put(out, "\"} %.17g\n", figures[f].value(&stats));
            served_drop(served);
        }
    }
}

void own_metrics(void *ctx, struct http_request *http) {
    const struct routes_context *context = ctx;
    struct http_server *server = atomic_load(&context->server);
    struct http_stats stats = server ? http_server_stats(server) : (struct http_stats){0};
    struct byte_buffer out = {0};
    put_head(&out, "info", "gauge", "What runs.");
    put(&out, "jinlin_info{version=\"%s\"} 1\n", context->version);
    put_head(&out, "http_connections", "gauge", "Connections now.");
    put(&out, "jinlin_http_connections %u\n", stats.connections);
    put_head(&out, "http_requests", "gauge", "Requests under way.");
    put(&out, "jinlin_http_requests %u\n", stats.requests);
    put_head(&out, "http_requests_total", "counter", "Requests so far.");
    put(&out, "jinlin_http_requests_total %" PRIu64 "\n", stats.requests_all);
    put_head(&out, "http_refused_total", "counter", "Requests that the front refused.");
    put(&out, "jinlin_http_refused_total %" PRIu64 "\n", stats.refused_all);
    put_head(&out, "http_gone_total", "counter", "Clients that left before their answer.");
    put(&out, "jinlin_http_gone_total %" PRIu64 "\n", stats.gone_all);
    put_models(context, &out);
    const struct http_reply reply = {.type = "text/plain; version=0.0.4; charset=utf-8",
                                     .body = out.data ? out.data : "",
                                     .len = out.len};
    http_reply(http, &reply);
    buffer_free(&out);
}

/* ---- what there is ---- */

static json_t *params_of(const struct sample_params *params) {
    json_t *json = json_object();
    for (int i = 0; i < SAMPLE_PARAM_COUNT; i++) {
        const struct sample_param_row *row = sample_param_row((enum sample_param)i);
        double value = sample_params_get(params, (enum sample_param)i);
        json_object_set_new(json, row->name,
                            row->whole ? json_integer((json_int_t)value) : json_real(value));
    }
    return json;
}

static json_t *props_of(const struct routes_context *context, struct served *served) {
    const struct served_parts *parts = served_parts(served);
    const struct model *model = exec_model(parts->exec);
    const struct chat_form *form = parts->form;
    struct scheduler_stats stats;
    scheduler_stats(served_scheduler(served), &stats);
    json_t *json = json_pack("{s:s, s:i, s:i, s:i, s:s, s:s, s:i, s:o, s:s}", "model", parts->id,
                             "n_ctx", served_n_ctx(served), "n_ctx_train", model->hp.n_ctx_train,
                             "n_vocab", model->hp.n_vocab, "class", served_class(served), "dialect",
                             form->dialect ? form->dialect->name : "none", "most_n",
                             serving_options(context->serving)->most_n, "sampling",
                             params_of(&parts->params), "version", context->version);
    json_object_set_new(json, "weight_bytes", json_integer((json_int_t)model_weight_bytes(model)));
    json_object_set_new(json, "cache_bytes", json_integer((json_int_t)stats.cache_bytes));
    json_object_set_new(json, "chat_template",
                        form->tmpl ? json_stringn(form->source.source, form->source.len)
                                   : json_null());
    return json;
}

/* Of the model in ?model=, or of all. */
void own_props(void *ctx, struct http_request *http) {
    const struct routes_context *context = ctx;
    const char *id = http_request_query(http, "model");
    struct served *served;
    if (id) {
        served = serving_find(context->serving, id);
        if (served)
            openai_reply_json(http, props_of(context, served), NULL, 0);
        else
            http_reply_error(http, 404, "not_found", "there is no such model");
        served_drop(served);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; (served = serving_at(context->serving, i)); i++) {
        json_array_append_new(list, props_of(context, served));
        served_drop(served);
    }
    openai_reply_json(http, json_pack("{s:o}", "models", list), NULL, 0);
}

void own_slots(void *ctx, struct http_request *http) {
    const struct routes_context *context = ctx;
    struct served *served;
    json_t *list = json_array();
    for (size_t i = 0; (served = serving_at(context->serving, i)); i++) {
        struct scheduler_stats s;
        scheduler_stats(served_scheduler(served), &s);
        json_array_append_new(list,
                              json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:f}", "model",
                                        served_parts(served)->id, "waiting", s.n_waiting, "reading",
                                        s.n_reading, "answering", s.n_answering, "resting",
                                        s.n_resting, "pages", s.n_page, "pages_free", s.n_page_free,
                                        "step_seconds", s.step_seconds));
        served_drop(served);
    }
    openai_reply_json(http, list, NULL, 0);
}
