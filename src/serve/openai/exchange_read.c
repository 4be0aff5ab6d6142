/* From a body to the scheduler; on a worker. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "serve/openai/exchange_self.h"
#include "serve/openai/prompt.h"

static bool failed(struct exchange *x, enum jl_status status, const struct jl_error *err) {
    return openai_failed(&x->problem, status, err->message);
}

static bool find_model(struct exchange *x) {
    x->served = serving_find(x->serving, x->asked.model);
    if (x->served) return true;
    openai_refuse(&x->problem, "model", "The model `%.200s` does not exist: GET /v1/models",
                  x->asked.model ? x->asked.model : "");
    x->problem.status = 404;
    x->problem.code = "model_not_found";
    return false;
}

static bool check_counts(struct exchange *x) {
    int most = serving_options(x->serving)->most_n;
    if (x->asked.n > most)
        return openai_refuse(&x->problem, "n", "\"n\" may be at most %d here", most);
    return true;
}

/* ---- prompts and choices ---- */

static bool make_prompts(struct exchange *x) {
    const struct openai_request *asked = &x->asked;
    int n_part = asked->kind == OPENAI_CHAT ? 1 : asked->n_prompt;
    if (!(x->parts = calloc((size_t)n_part, sizeof *x->parts)))
        return openai_no_memory(&x->problem);
    x->n_part = n_part;
    for (int i = 0; i < x->n_part; i++) {
        struct exchange_part *part = &x->parts[i];
        *part = (struct exchange_part){.x = x, .index = i};
        bool made = asked->kind == OPENAI_CHAT
                        ? openai_prompt_chat(x->served, asked, x->client.owner, &part->ids,
                                             &x->start, &x->problem)
                        : openai_prompt_completion(x->served, asked, &asked->prompts[i],
                                                   x->client.owner, &part->ids, &x->problem);
        if (!made || !openai_prompt_fits(x->served, asked, part->ids.len, &x->problem))
            return false;
    }
    return true;
}

static bool make_choices(struct exchange *x) {
    const struct openai_request *asked = &x->asked;
    const struct served_parts *parts = served_parts(x->served);
    struct dialect_options options = dialect_options_default();
    struct dialect_tool *tools = NULL;
    struct jl_error err = {0};
    size_t n_tool = asked->tool_choice == OPENAI_TOOLS_NONE ? 0 : json_array_size(asked->tools);
    bool chat = asked->kind == OPENAI_CHAT;
    int n_choice = x->n_part * asked->n;
    x->choices = calloc((size_t)n_choice, sizeof *x->choices);
    if (x->choices) x->n_choice = n_choice;
    tools = calloc(n_tool + 1, sizeof *tools);
    bool fits = x->choices && tools;
    for (size_t i = 0; fits && i < n_tool; i++) {
        const json_t *function = json_object_get(json_array_get(asked->tools, i), "function");
        const json_t *parameters = json_object_get(function, "parameters");
        tools[i].name = json_string_value(json_object_get(function, "name"));
        tools[i].parameters = parameters ? json_dumps(parameters, JSON_COMPACT) : NULL;
        fits = tools[i].parameters || !parameters;
    }
    options.start = x->start;
    options.tools = tools;
    options.n_tool = n_tool;
    options.ignore_calls = n_tool == 0;
    options.thinking_budget = asked->thinking_budget;
    if (asked->thinking == 0 && !openai_prompt_has_switch(parts->form)) options.thinking_budget = 0;
    enum jl_status status = JL_OK;
    for (int i = 0; fits && status == JL_OK && i < x->n_choice; i++) {
        struct exchange_choice *choice = &x->choices[i];
        *choice = (struct exchange_choice){.x = x, .index = i};
        const struct reply_spec spec = {.tokenizer = parts->tokenizer,
                                        .dialect = chat ? parts->form->dialect : NULL,
                                        .options = &options,
                                        .constraint = x->constraint,
                                        .event = exchange_piece,
                                        .ctx = &x->parts[i / asked->n],
                                        .answer = i % asked->n};
        status = reply_create(&spec, &choice->reply, &err);
    }
    for (size_t i = 0; tools && i < n_tool; i++)
        free((char *)(uintptr_t)tools[i].parameters);
    free(tools);
    if (!fits) return openai_no_memory(&x->problem);
    return status == JL_OK || failed(x, status, &err);
}

/* The model's own settings, with those of the request in their place. */
static bool make_params(struct exchange *x) {
    struct sample_params *out = &x->params;
    struct jl_error err = {0};
    *out = served_parts(x->served)->params;
    for (int i = 0; i < SAMPLE_PARAM_COUNT; i++)
        if (x->asked.has[i] &&
            sample_params_set(out, (enum sample_param)i, x->asked.values[i], &err) != JL_OK)
            return openai_refuse(&x->problem, sample_param_row((enum sample_param)i)->name, "%s",
                                 err.message);
    out->bias = x->asked.bias;
    out->n_bias = x->asked.n_bias;
    return true;
}

static bool submit(struct exchange *x, struct exchange_part *part, uint64_t seed) {
    const struct openai_request *asked = &x->asked;
    struct jl_error err = {0};
    const struct scheduler_request request = {
        .ids = part->ids.data,
        .n_id = (int)part->ids.len,
        .n_answer = asked->n,
        .n_max = asked->n_max,
        .params = &x->params,
        .seed = seed + (uint64_t)part->index,
        .stop = asked->stop,
        .n_stop = (size_t)asked->n_stop,
        .at_start = asked->kind == OPENAI_CHAT,
        .owner = x->client.owner,
        .priority = asked->priority,
        .client = exchange_client(part),
    };
    enum jl_status status =
        scheduler_submit(served_scheduler(x->served), &request, &part->ticket, &err);
    if (status == JL_OK) x->n_open++;
    return status == JL_OK || failed(x, status, &err);
}

/* Nobody is told anything before all parts are submitted, so that a refusal has its status. */
static void submit_all(struct exchange *x) {
    uint64_t seed = x->asked.seed;
    if (!x->asked.has_seed && getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = 0;
    pthread_mutex_lock(&x->lock);
    for (int i = 0; i < x->n_part && !x->problem.status; i++)
        submit(x, &x->parts[i], seed);
    for (int i = 0; i < x->n_part && x->problem.status; i++)
        if (x->parts[i].ticket) scheduler_cancel(x->parts[i].ticket);
    pthread_mutex_unlock(&x->lock);
}

/* Answers of no token: the prompt alone. */
static void answer_nothing(struct exchange *x) {
    for (int i = 0; i < x->n_choice; i++)
        x->choices[i].finish = "length";
    if (!x->asked.stream) return;
    exchange_stream_begin(x);
    for (int i = 0; i < x->n_choice; i++)
        exchange_stream_finish(&x->choices[i]);
}

static void answer_all(struct exchange *x) {
    if (x->asked.n_max < 0)
        answer_nothing(x);
    else
        submit_all(x);
}

/* ---- prompts that are shown with their log-probabilities: they are read by themselves first ----
 */

/* Whoever left, and what was refused, needs no more of it. */
static bool on_scan_gone(void *ctx) {
    const struct exchange_part *part = ctx;
    pthread_mutex_lock(&part->x->lock);
    bool over = part->x->problem.status;
    pthread_mutex_unlock(&part->x->lock);
    return over || exchange_gone(part->x);
}

static bool on_rows(void *ctx, const struct scheduler_rows *rows) {
    struct exchange_part *part = ctx;
    pthread_mutex_lock(&part->x->lock);
    if (part->x->asked.stream && !part->x->problem.status) exchange_stream_begin(part->x);
    pthread_mutex_unlock(&part->x->lock);
    scoring_rows(&part->scoring, rows);
    return true;
}

/* On a worker: all are read. */
static void answer_scored(struct work *work) {
    struct exchange *x = (struct exchange *)work;
    x->n_open = 1;
    for (int i = 0; i < x->n_choice && !x->problem.status; i++)
        exchange_prompt_logprobs(&x->choices[i]);
    if (!x->problem.status) answer_all(x);
    exchange_leave(x);
}

static void leave_scan(struct exchange *x) {
    pthread_mutex_lock(&x->lock);
    bool last = --x->n_open == 0;
    pthread_mutex_unlock(&x->lock);
    if (!last) return;
    x->work.run = answer_scored;
    workers_must(serving_workers(x->serving), &x->work);
}

static void on_scanned(void *ctx, enum jl_status status, const char *message) {
    struct exchange_part *part = ctx;
    struct exchange *x = part->x;
    pthread_mutex_lock(&x->lock);
    if (status != JL_OK) openai_failed(&x->problem, status, message);
    pthread_mutex_unlock(&x->lock);
    leave_scan(x);
}

static bool scan_part(struct exchange *x, struct exchange_part *part) {
    struct jl_error err = {0};
    int64_t wanted = (int64_t)part->ids.len * (1 + x->asked.n_top) * x->asked.n;
    if (wanted > OPENAI_MOST_ENTRIES)
        return openai_refuse(
            &x->problem, "logprobs",
            "%lld log-probabilities of a prompt are more than the %d that are held",
            (long long)wanted, OPENAI_MOST_ENTRIES);
    const struct scheduler_scan scan = {.ids = part->ids.data,
                                        .n = (int)part->ids.len,
                                        .want_logits = true,
                                        .rows = on_rows,
                                        .gone = on_scan_gone,
                                        .closed = on_scanned,
                                        .ctx = part};
    int n_vocab = exec_model(served_parts(x->served)->exec)->hp.n_vocab;
    enum jl_status status =
        scoring_begin(scan.ids, scan.n, x->asked.n_top, n_vocab, &part->scoring, &err);
    pthread_mutex_lock(&x->lock);
    if (status == JL_OK) status = scheduler_scan(served_scheduler(x->served), &scan, &err);
    if (status == JL_OK) x->n_open++;
    if (status != JL_OK) failed(x, status, &err);
    pthread_mutex_unlock(&x->lock);
    return status == JL_OK;
}

void exchange_read(struct work *work) {
    struct exchange *x = (struct exchange *)work;
    size_t len = x->http ? 0 : strlen(x->body);
    const char *body = x->http ? http_request_body(x->http, &len) : x->body;
    enum openai_kind kind = x->asked.kind;
    if (openai_check_tokens(x->serving, &x->client, &x->problem) &&
        openai_request_read(kind, body, len, &x->asked, &x->problem) && find_model(x) &&
        check_counts(x) && make_prompts(x) && exchange_constrain(x) && make_choices(x) &&
        make_params(x)) {
        if (kind == OPENAI_COMPLETION && x->asked.echo && x->asked.logprobs) {
            for (int i = 0; i < x->n_part && scan_part(x, &x->parts[i]); i++)
                continue;
            leave_scan(x);
            return;
        }
        answer_all(x);
    }
    exchange_leave(x);
}
