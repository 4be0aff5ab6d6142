/* /v1/embeddings: texts as vectors. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/openai/body.h"
#include "serve/openai/embed.h"
#include "serve/openai/whole.h"

enum { MOST_INPUTS = 2048 };

enum pooling { POOL_LAST, POOL_MEAN };

struct input {
    struct embedding *e;
    struct token_ids ids;
    double *sum; // (n_embd) of rows so far, or the last one
};

/* A request: its texts are read one after the other. */
struct embedding {
    struct work work;
    struct serving *serving;
    struct http_request *http;
    struct serving_client client;
    struct served *served;
    struct input *inputs; // (n)
    int n, n_embd;
    int at; // the input that is being read
    enum pooling pooling;
    bool base64;
    struct openai_problem problem;
};

/* ---- the body ---- */

static bool add_ids(struct embedding *e, struct input *input, const json_t *list) {
    int n_vocab = exec_model(served_parts(e->served)->exec)->hp.n_vocab;
    const json_t *item;
    size_t i;
    input->ids.data = malloc((json_array_size(list) + 1) * sizeof *input->ids.data);
    if (!input->ids.data) return openai_no_memory(&e->problem);
    json_array_foreach(list, i, item) {
        json_int_t id = json_integer_value(item);
        if (!json_is_integer(item) || id < 0 || id >= n_vocab)
            return openai_refuse(&e->problem, "input",
                                 "an input has what is no token: there are %d", n_vocab);
        input->ids.data[input->ids.len++] = (int32_t)id;
    }
    return true;
}

static bool add_text(struct embedding *e, struct input *input, const json_t *text) {
    struct jl_error err = {0};
    enum jl_status status = tokenizer_encode(
        served_parts(e->served)->tokenizer, json_string_value(text), json_string_length(text),
        ENCODE_ADD_BOS, &input->ids.data, &input->ids.len, &err);
    return status == JL_OK || openai_failed(&e->problem, status, err.message);
}

static bool add_input(struct embedding *e, const json_t *value) {
    struct input *input = &e->inputs[e->n++];
    *input = (struct input){.e = e};
    bool ok = json_is_string(value) ? add_text(e, input, value)
              : json_is_array(value)
                  ? add_ids(e, input, value)
                  : openai_refuse(&e->problem, "input", "\"input\" must be texts, or lists of ids");
    if (!ok) return false;
    if (!input->ids.len) return openai_refuse(&e->problem, "input", "an input is empty");
    if (!(input->sum = calloc((size_t)e->n_embd, sizeof *input->sum)))
        return openai_no_memory(&e->problem);
    if (input->ids.len <= (size_t)served_n_ctx(e->served)) return true;
    openai_refuse(&e->problem, "input",
                  "This model's maximum context length is %d tokens. However, your input resulted "
                  "in %zu tokens. Please reduce the length of the input.",
                  served_n_ctx(e->served), input->ids.len);
    e->problem.code = "context_length_exceeded";
    return false;
}

static bool read_inputs(struct embedding *e, const json_t *value) {
    bool many = json_is_array(value) && !json_is_integer(json_array_get(value, 0));
    size_t n = many ? json_array_size(value) : 1;
    if (!value || n < 1 || n > MOST_INPUTS)
        return openai_refuse(&e->problem, "input", "\"input\" must be a text, or 1 to %d of them",
                             MOST_INPUTS);
    if (!(e->inputs = calloc(n, sizeof *e->inputs))) return openai_no_memory(&e->problem);
    for (size_t i = 0; i < n; i++)
        if (!add_input(e, many ? json_array_get(value, i) : value)) return false;
    return true;
}

static bool read_choices(struct embedding *e, const json_t *body) {
    const char *format = json_string_value(json_object_get(body, "encoding_format"));
    const char *pooling = json_string_value(json_object_get(body, "pooling"));
    const json_t *dimensions = json_object_get(body, "dimensions");
    if (format && strcmp(format, "float") != 0 && strcmp(format, "base64") != 0)
        return openai_refuse(&e->problem, "encoding_format",
                             "\"encoding_format\" must be float or base64");
    if (pooling && strcmp(pooling, "last") != 0 && strcmp(pooling, "mean") != 0)
        return openai_refuse(&e->problem, "pooling", "\"pooling\" must be last or mean");
    if (dimensions && !json_is_null(dimensions) && json_integer_value(dimensions) != e->n_embd)
        return openai_refuse(&e->problem, "dimensions",
                             "\"dimensions\" can only be %d: the model has no shorter vectors",
                             e->n_embd);
    e->base64 = format && !strcmp(format, "base64");
    e->pooling = pooling && !strcmp(pooling, "mean") ? POOL_MEAN : POOL_LAST;
    return true;
}

static bool read_body(struct embedding *e) {
    size_t len;
    json_t *body;
    const char *text = http_request_body(e->http, &len);
    if (!openai_body_read(text, len, &body, &e->problem)) return false;
    const char *id = json_string_value(json_object_get(body, "model"));
    e->served = serving_find(e->serving, id);
    bool ok = e->served != NULL;
    if (!ok) {
        openai_refuse(&e->problem, "model", "The model `%.200s` does not exist", id ? id : "");
        e->problem.status = 404;
        e->problem.code = "model_not_found";
    } else {
        e->n_embd = exec_model(served_parts(e->served)->exec)->hp.n_embd;
        ok = read_choices(e, body) && read_inputs(e, json_object_get(body, "input"));
    }
    json_decref(body);
    return ok;
}

/* ---- the answer ---- */

/* Of length 1, as clients expect. */
static void normalise(const struct input *input, float *out) {
    double square = 0;
    for (int i = 0; i < input->e->n_embd; i++)
        square += input->sum[i] * input->sum[i];
    double scale = square > 0 ? 1 / sqrt(square) : 0;
    for (int i = 0; i < input->e->n_embd; i++)
        out[i] = (float)(input->sum[i] * scale);
}

static json_t *base64(const void *data, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *bytes = data;
    char *out = malloc(4 * ((n + 2) / 3) + 1), *at = out;
    if (!out) return NULL;
    for (size_t i = 0; i < n; i += 3) {
        unsigned word = (unsigned)bytes[i] << 16 | (i + 1 < n ? (unsigned)bytes[i + 1] << 8 : 0) |
                        (i + 2 < n ? bytes[i + 2] : 0);
        *at++ = digits[word >> 18];
        *at++ = digits[word >> 12 & 63];
        *at++ = i + 1 < n ? digits[word >> 6 & 63] : '=';
        *at++ = i + 2 < n ? digits[word & 63] : '=';
    }
    json_t *json = json_stringn(out, (size_t)(at - out));
    free(out);
    return json;
}

static json_t *vector_json(const struct embedding *e, const float *vector) {
    if (e->base64) return base64(vector, (size_t)e->n_embd * sizeof *vector);
    json_t *list = json_array();
    for (int i = 0; i < e->n_embd; i++) {
        char digits[32]; // the fewest that are read back as the same float
        int n = 6;
        do
            snprintf(digits, sizeof digits, "%.*g", n, (double)vector[i]);
        while (strtof(digits, NULL) != vector[i] && ++n < 10);
        json_array_append_new(list, json_real(strtod(digits, NULL)));
    }
    return list;
}

static json_t *answer(const struct embedding *e) {
    float *vector = malloc((size_t)e->n_embd * sizeof *vector);
    json_t *data = json_array();
    json_int_t n_token = 0;
    for (int i = 0; vector && i < e->n; i++) {
        normalise(&e->inputs[i], vector);
        n_token += (json_int_t)e->inputs[i].ids.len;
        json_array_append_new(data, json_pack("{s:s, s:i, s:o}", "object", "embedding", "index", i,
                                              "embedding", vector_json(e, vector)));
    }
    free(vector);
    return json_pack("{s:s, s:o, s:s, s:s, s:{s:I, s:I}}", "object", "list", "data", data, "model",
                     served_parts(e->served)->id, "pooling",
                     e->pooling == POOL_MEAN ? "mean" : "last", "usage", "prompt_tokens", n_token,
                     "total_tokens", n_token);
}

static void finish(struct work *work) {
    struct embedding *e = (struct embedding *)work;
    if (e->problem.status)
        openai_reply_problem(e->http, &e->problem);
    else
        openai_reply_json(e->http, answer(e), NULL, 0);
    for (int i = 0; i < e->n; i++) {
        if (!e->problem.status)
            serving_use_tokens(e->serving, &e->client, (int64_t)e->inputs[i].ids.len);
        free(e->inputs[i].ids.data);
        free(e->inputs[i].sum);
    }
    free(e->inputs);
    served_drop(e->served);
    http_request_drop(e->http);
    free(e);
}

/* ---- reading ---- */

static bool on_rows(void *ctx, const struct scheduler_rows *rows) {
    const struct input *input = ctx;
    size_t n_embd = (size_t)input->e->n_embd;
    int first = input->e->pooling == POOL_LAST ? rows->n - 1 : 0;
    if (rows->first == 0 || input->e->pooling == POOL_LAST)
        memset(input->sum, 0, n_embd * sizeof *input->sum);
    for (int i = first; i < rows->n; i++)
        for (size_t k = 0; k < n_embd; k++)
            input->sum[k] += (double)rows->hidden[(size_t)i * n_embd + k];
    return true;
}

static bool on_gone(void *ctx) {
    const struct input *input = ctx;
    return http_request_gone(input->e->http);
}

static void submit(struct embedding *e);

static void submit_next(struct work *work) { submit((struct embedding *)work); }

/* One after the other, each from a worker: nobody else has to wait for all of them. */
static void on_closed(void *ctx, enum jl_status status, const char *message) {
    const struct input *input = ctx;
    struct embedding *e = input->e;
    if (status != JL_OK) openai_failed(&e->problem, status, message);
    e->at++;
    e->work.run = submit_next;
    workers_must(serving_workers(e->serving), &e->work);
}

static void submit(struct embedding *e) {
    struct jl_error err = {0};
    if (!e->problem.status && e->at < e->n) {
        struct input *input = &e->inputs[e->at];
        const struct scheduler_scan scan = {.ids = input->ids.data,
                                            .n = (int)input->ids.len,
                                            .want_hidden = true,
                                            .rows = on_rows,
                                            .gone = on_gone,
                                            .closed = on_closed,
                                            .ctx = input};
        enum jl_status status = scheduler_scan(served_scheduler(e->served), &scan, &err);
        if (status == JL_OK) return;
        openai_failed(&e->problem, status, err.message);
    }
    finish(&e->work);
}

static void read_and_submit(struct work *work) {
    struct embedding *e = (struct embedding *)work;
    if (openai_check_tokens(e->serving, &e->client, &e->problem)) read_body(e);
    submit(e);
}

void openai_embed_begin(struct serving *serving, struct http_request *http) {
    struct embedding *e = calloc(1, sizeof *e);
    if (!e) return; // dropped without an answer: a 500
    http_request_hold(http);
    *e = (struct embedding){.work = {.run = read_and_submit},
                            .serving = serving,
                            .http = http,
                            .client = serving_client_of(http)};
    if (workers_give(serving_workers(serving), &e->work)) return;
    openai_failed(&e->problem, JL_ERR_BUSY, "too many requests wait to be read: ask again later");
    finish(&e->work);
}
