/* /score: log-probabilities of a text that is there already.
 *
 * {"text" or "tokens", "top": N} -> {"tokens", "logprobs" (null first), "top", "sum"} */
#include <stdlib.h>
#include <string.h>

#include "serve/openai/body.h"
#include "serve/openai/request.h"
#include "serve/openai/whole.h"
#include "serve/own/own.h"
#include "serve/scoring.h"

struct score {
    struct work work;
    struct serving *serving;
    struct http_request *http;
    struct serving_client client;
    struct served *served;
    struct token_ids ids;
    struct scoring scoring;
    struct openai_problem problem;
};

static bool read_ids(struct score *score, const json_t *tokens) {
    int n_vocab = exec_model(served_parts(score->served)->exec)->hp.n_vocab;
    const json_t *item;
    size_t i;
    if (!json_is_array(tokens))
        return openai_refuse(&score->problem, "tokens", "\"tokens\" must be a list of ids");
    score->ids.data = malloc((json_array_size(tokens) + 1) * sizeof *score->ids.data);
    if (!score->ids.data) return openai_no_memory(&score->problem);
    json_array_foreach(tokens, i, item) {
        json_int_t id = json_integer_value(item);
        if (!json_is_integer(item) || id < 0 || id >= n_vocab)
            return openai_refuse(&score->problem, "tokens", "tokens[%zu] is no token: there are %d",
                                 i, n_vocab);
        score->ids.data[score->ids.len++] = (int32_t)id;
    }
    return true;
}

static bool read_text(struct score *score, const json_t *body) {
    const json_t *text = json_object_get(body, "text");
    struct jl_error err = {0};
    if (json_object_get(body, "tokens")) return read_ids(score, json_object_get(body, "tokens"));
    if (!json_is_string(text))
        return openai_refuse(&score->problem, "text", "\"text\" or \"tokens\" is missing");
    enum jl_status status = tokenizer_encode(
        served_parts(score->served)->tokenizer, json_string_value(text), json_string_length(text),
        ENCODE_ADD_BOS | ENCODE_SPECIAL, &score->ids.data, &score->ids.len, &err);
    return status == JL_OK || openai_failed(&score->problem, status, err.message);
}

static bool read_fields(struct score *score, const json_t *body) {
    const json_t *top = json_object_get(body, "top");
    json_int_t n_top = top ? json_integer_value(top) : 0;
    struct jl_error err = {0};
    const char *model = json_string_value(json_object_get(body, "model"));
    score->served = serving_find(score->serving, model);
    if (!score->served) {
        openai_refuse(&score->problem, "model", "there is no such model: GET /v1/models");
        score->problem.status = 404;
        return false;
    }
    if (n_top < 0 || n_top > 100 || (top && !json_is_integer(top)))
        return openai_refuse(&score->problem, "top", "\"top\" must be 0 to 100");
    if (!read_text(score, body)) return false;
    if (score->ids.len > INT32_MAX / 2)
        return openai_refuse(&score->problem, "text", "the text is too long");
    int n_vocab = exec_model(served_parts(score->served)->exec)->hp.n_vocab;
    if ((int64_t)score->ids.len * (1 + n_top) > OPENAI_MOST_ENTRIES)
        return openai_refuse(&score->problem, "top",
                             "%zu tokens with %d others each are more than the %d that are held",
                             score->ids.len, (int)n_top, OPENAI_MOST_ENTRIES);
    if (score->ids.len == 0)
        return openai_refuse(&score->problem, "text", "the text gives not one token");
    enum jl_status status = scoring_begin(score->ids.data, (int)score->ids.len, (int)n_top, n_vocab,
                                          &score->scoring, &err);
    return status == JL_OK || openai_failed(&score->problem, status, err.message);
}

/* ---- the answer ---- */

static json_t *top_json(const struct score *score, int at) {
    const struct scoring *s = &score->scoring;
    json_t *list = json_array();
    for (int i = 0; i < s->n_top; i++) {
        const struct sample_logprob *one = &s->top[(size_t)at * (size_t)s->n_top + (size_t)i];
        json_array_append_new(list,
                              json_pack("{s:i, s:f}", "id", one->id, "logprob", one->logprob));
    }
    return list;
}

static json_t *answer(const struct score *score) {
    const struct scoring *s = &score->scoring;
    json_t *ids = json_array(), *logprobs = json_array(), *tops = json_array();
    for (int i = 0; i < s->n; i++) {
        json_array_append_new(ids, json_integer(s->ids[i]));
        json_array_append_new(logprobs, i ? json_real(s->logprobs[i]) : json_null());
        if (s->n_top) json_array_append_new(tops, i ? top_json(score, i) : json_null());
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:f}", "model", served_parts(score->served)->id,
                     "tokens", ids, "logprobs", logprobs, "top", tops, "sum", scoring_sum(s));
}

static void finish(struct work *work) {
    struct score *score = (struct score *)work;
    if (score->problem.status)
        openai_reply_problem(score->http, &score->problem);
    else
        openai_reply_json(score->http, answer(score), NULL, 0);
    if (!score->problem.status)
        serving_use_tokens(score->serving, &score->client, score->scoring.n);
    scoring_end(&score->scoring);
    free(score->ids.data);
    served_drop(score->served);
    http_request_drop(score->http);
    free(score);
}

/* ---- on the way ---- */

static bool on_rows(void *ctx, const struct scheduler_rows *rows) {
    struct score *score = ctx;
    scoring_rows(&score->scoring, rows);
    return true;
}

static bool on_gone(void *ctx) {
    const struct score *score = ctx;
    return http_request_gone(score->http);
}

static void on_closed(void *ctx, enum jl_status status, const char *message) {
    struct score *score = ctx;
    if (status != JL_OK) openai_failed(&score->problem, status, message);
    score->work.run = finish;
    workers_must(serving_workers(score->serving), &score->work);
}

static void read_and_submit(struct work *work) {
    struct score *score = (struct score *)work;
    struct jl_error err = {0};
    json_t *body = NULL;
    size_t len;
    const char *text = http_request_body(score->http, &len);
    bool ok = openai_check_tokens(score->serving, &score->client, &score->problem) &&
              openai_body_read(text, len, &body, &score->problem) && read_fields(score, body);
    json_decref(body);
    if (ok) {
        const struct scheduler_scan scan = {.ids = score->ids.data,
                                            .n = score->scoring.n,
                                            .want_logits = true,
                                            .rows = on_rows,
                                            .gone = on_gone,
                                            .closed = on_closed,
                                            .ctx = score};
        enum jl_status status = scheduler_scan(served_scheduler(score->served), &scan, &err);
        if (status == JL_OK) return;
        openai_failed(&score->problem, status, err.message);
    }
    finish(work);
}

void own_score(void *ctx, struct http_request *http) {
    const struct routes_context *context = ctx;
    struct score *score = calloc(1, sizeof *score);
    if (!score) return; // dropped without an answer: a 500
    http_request_hold(http);
    *score = (struct score){.work = {.run = read_and_submit},
                            .serving = context->serving,
                            .http = http,
                            .client = serving_client_of(http)};
    if (workers_give(serving_workers(score->serving), &score->work)) return;
    openai_failed(&score->problem, JL_ERR_BUSY, "too many requests wait: ask again later");
    finish(&score->work);
}
