#include "serve/openai/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "serve/openai/exchange_self.h"
#include "serve/openai/prompt.h"
#include "serve/relax.h"
#include "text/json_print.h"

/* ---- whole answers ---- */

void openai_reply_problem(struct http_request *http, const struct openai_problem *problem) {
    json_t *json = openai_problem_json(problem);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%d", problem->retry_after ? problem->retry_after : 1);
    const struct http_header later = {"retry-after", seconds};
    const struct http_reply reply = {.status = problem->status,
                                     .body = text ? text : "{}",
                                     .len = text ? strlen(text) : 2,
                                     .headers = &later,
                                     .n_headers = problem->status == 429 || problem->status == 503};
    http_reply(http, &reply);
    free(text);
    json_decref(json);
}

void openai_reply_json(struct http_request *http, json_t *body, const struct http_header *headers,
                       size_t n_headers) {
    struct openai_problem problem = {0};
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!text) {
        openai_no_memory(&problem);
        openai_reply_problem(http, &problem);
        return;
    }
    const struct http_reply reply = {
        .body = text, .len = strlen(text), .headers = headers, .n_headers = n_headers};
    http_reply(http, &reply);
    free(text);
}

size_t exchange_headers(const struct exchange *x, struct http_header out[EXCHANGE_HEADERS]) {
    size_t n = 0;
    if (*x->asked.ignored) out[n++] = (struct http_header){"x-ignored-fields", x->asked.ignored};
    if (*x->relaxed) out[n++] = (struct http_header){"x-relaxed-tools", x->relaxed};
    return n;
}

/* ---- the end ---- */

static void free_choice(struct exchange_choice *choice) {
    reply_free(choice->reply);
    buffer_free(&choice->content);
    buffer_free(&choice->reasoning);
    for (int i = 0; i < choice->n_call; i++) {
        free(choice->calls[i].name);
        buffer_free(&choice->calls[i].arguments);
    }
    free(choice->calls);
    free(choice->ids.data);
    free(choice->said.data);
    json_decref(choice->logprobs);
}

static void free_exchange(struct exchange *x) {
    for (int i = 0; i < x->n_choice; i++)
        free_choice(&x->choices[i]);
    for (int i = 0; i < x->n_part; i++) {
        free(x->parts[i].ids.data);
        scoring_end(&x->parts[i].scoring);
        scheduler_drop(x->parts[i].ticket);
    }
    free(x->choices);
    free(x->parts);
    constraint_drop(x->constraint);
    served_drop(x->served);
    openai_request_free(&x->asked);
    http_request_drop(x->http);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

/* The next turn will have the answer in its prompt, and its tokens need not be those that its text
 * would be cut into. */
static void remember(struct exchange *x) {
    if (x->asked.kind != OPENAI_CHAT || !x->n_choice || !x->choices[0].said.len) return;
    const struct id_buffer *said = &x->choices[0].said;
    const struct token_ids *prompt = &x->parts[0].ids;
    struct id_buffer all = {0};
    if (!buffer_reserve_ids(&all, prompt->len + said->len)) return;
    memcpy(all.data, prompt->data, prompt->len * sizeof *all.data);
    memcpy(all.data + prompt->len, said->data, said->len * sizeof *all.data);
    served_remember(x->served, x->owner, all.data, (int)(prompt->len + said->len));
    free(all.data);
}

static void count_tokens(const struct exchange *x) {
    int64_t n = 0;
    for (int i = 0; i < x->n_part; i++)
        n += x->parts[i].n_read - x->parts[i].n_cached + x->parts[i].scoring.n;
    for (int i = 0; i < x->n_choice; i++)
        n += x->choices[i].n_token;
    if (n) serving_use_tokens(x->serving, x->http, n);
}

/* On a worker: nothing of the scheduler's is to come any more. */
static void finish(struct work *work) {
    struct exchange *x = (struct exchange *)work;
    remember(x); // before the client can ask on
    count_tokens(x);
    struct http_header headers[EXCHANGE_HEADERS];
    json_t *whole = NULL;
    if (!x->problem.status && (!x->streaming || serving_options(x->serving)->words))
        whole = exchange_whole(x);
    if (whole) serving_tell_words(x->serving, x->http, x->asked.root, whole);
    if (x->streaming)
        exchange_stream_end(x);
    else if (x->problem.status)
        openai_reply_problem(x->http, &x->problem);
    else
        openai_reply_json(x->http, json_incref(whole), headers, exchange_headers(x, headers));
    json_decref(whole);
    free_exchange(x);
}

/* One that could end it less: the last one gives it to a worker. */
static void leave(struct exchange *x) {
    pthread_mutex_lock(&x->lock);
    bool last = --x->n_open == 0;
    pthread_mutex_unlock(&x->lock);
    if (!last) return;
    x->work.run = finish;
    workers_must(serving_workers(x->serving), &x->work);
}

/* ---- the scheduler's client ---- */

static struct exchange_choice *choice_of(const struct exchange_part *part, int answer) {
    return &part->x->choices[part->index * part->x->asked.n + answer];
}

static void on_progress(void *ctx, const struct scheduler_progress *progress) {
    struct exchange_part *part = ctx;
    struct exchange *x = part->x;
    part->n_cached = progress->n_cached;
    part->n_read = progress->n_read;
    pthread_mutex_lock(&x->lock);
    if (x->asked.stream && !x->problem.status) exchange_stream_begin(x);
    pthread_mutex_unlock(&x->lock);
}

static bool on_piece(void *ctx, int answer, const struct dialect_event *event) {
    struct exchange_choice *choice = choice_of(ctx, answer);
    struct exchange *x = choice->x;
    bool keep = !x->asked.stream || serving_options(x->serving)->words;
    if (keep && !exchange_keep_piece(choice, event)) return false;
    return !x->asked.stream || exchange_stream_piece(choice, event);
}

static bool add_logprob(struct exchange_choice *choice, const struct scheduler_token *token) {
    json_t *entry;
    if (!choice->x->asked.logprobs || token->id == TOKEN_NONE) return true;
    choice->x->n_entry += 1 + choice->x->asked.n_top;
    if (choice->x->n_entry > OPENAI_MOST_ENTRIES)
        return openai_refuse(&choice->x->problem, "logprobs",
                             "more than %d log-probabilities of one answer are not held",
                             OPENAI_MOST_ENTRIES);
    if (!choice->logprobs) choice->logprobs = json_array();
    entry = exchange_logprob(choice, token);
    return choice->logprobs && entry && !json_array_append_new(choice->logprobs, entry);
}

static bool on_token(void *ctx, const struct scheduler_token *token) {
    struct exchange_choice *choice = choice_of(ctx, token->answer);
    struct exchange *x = choice->x;
    struct jl_error err = {0};
    bool go_on = true;
    pthread_mutex_lock(&x->lock);
    if (x->problem.status || x->cut) {
        pthread_mutex_unlock(&x->lock);
        return false;
    }
    choice->n_token += token->id != TOKEN_NONE;
    if (x->asked.stream) exchange_stream_open(choice); // what is shown of the prompt comes first
    bool fits = add_logprob(choice, token);
    if (fits && x->asked.return_token_ids && token->id != TOKEN_NONE)
        fits = buffer_append_id(&choice->ids, token->id);
    if (choice->index == 0 && x->asked.kind == OPENAI_CHAT && token->id != TOKEN_NONE)
        buffer_append_id(&choice->said, token->id); // without it the next turn is read again
    enum jl_status status = reply_token(choice->reply, token, &go_on, &err);
    if (!fits) openai_no_memory(&x->problem);
    if (status != JL_OK) openai_failed(&x->problem, status, err.message);
    if (x->problem.status) go_on = false;
    pthread_mutex_unlock(&x->lock);
    return go_on;
}

/* It has no text, but a log-probability and an id like any other. */
static void on_end_token(void *ctx, const struct scheduler_token *token) {
    struct exchange_choice *choice = choice_of(ctx, token->answer);
    struct exchange *x = choice->x;
    pthread_mutex_lock(&x->lock);
    choice->n_token++;
    if (!add_logprob(choice, token) ||
        (x->asked.return_token_ids && !buffer_append_id(&choice->ids, token->id)))
        openai_no_memory(&x->problem);
    pthread_mutex_unlock(&x->lock);
}

static const char *finish_reason(const struct exchange_choice *choice,
                                 const struct generate_result *result) {
    switch (result->finish) {
    case GENERATE_LENGTH:
    case GENERATE_CONTEXT: return "length";
    case GENERATE_END:
    case GENERATE_STOP:
    case GENERATE_CANCEL:
    case GENERATE_SINK: break;
    }
    return reply_n_call(choice->reply) ? "tool_calls" : "stop";
}

static void on_ended(void *ctx, const struct scheduler_end *end) {
    struct exchange_part *part = ctx;
    struct exchange_choice *choice = choice_of(part, end->answer);
    struct exchange *x = choice->x;
    struct jl_error err = {0};
    pthread_mutex_lock(&x->lock);
    enum jl_status status = reply_end(choice->reply, &err);
    if (end->status == JL_ERR_CANCELLED) x->cut = x->cut || http_request_gone(x->http);
    if (end->status == JL_ERR_CANCELLED && !x->cut && !x->problem.status) {
        openai_failed(&x->problem, JL_ERR_BUSY, "the server is stopping");
        x->problem.status = 503;
    } else if (end->status != JL_OK && !x->cut) {
        openai_failed(&x->problem, end->status, end->message);
    } else if (status != JL_OK) {
        openai_failed(&x->problem, status, err.message);
    }
    choice->finish = finish_reason(choice, &end->result);
    if (x->asked.stream && !x->problem.status && !x->cut) exchange_stream_finish(choice);
    pthread_mutex_unlock(&x->lock);
}

static bool on_gone(void *ctx) {
    const struct exchange_part *part = ctx;
    return http_request_gone(part->x->http);
}

static bool on_show(void *ctx, const char *text, size_t len) {
    const struct exchange_part *part = ctx;
    return reply_shows(part->x->choices[0].reply, text, len);
}

static enum jl_status on_allow(void *ctx, int answer, const uint64_t **allowed,
                               struct jl_error *err) {
    return reply_allow(choice_of(ctx, answer)->reply, allowed, err);
}

static void on_closed(void *ctx) {
    struct exchange_part *part = ctx;
    leave(part->x);
}

/* ---- from the body to the scheduler; on a worker ---- */

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

bool openai_check_tokens(struct serving *serving, const struct http_request *http,
                         struct openai_problem *problem) {
    int seconds = serving_wait_tokens(serving, http);
    if (!seconds) return true;
    openai_failed(problem, JL_ERR_BUSY, "");
    snprintf(problem->message, sizeof problem->message,
             "Rate limit reached: %u tokens per minute of this key are used up. Please try again "
             "in %d s.",
             http_request_client(http).tokens_per_minute, seconds);
    problem->code = "rate_limit_exceeded";
    problem->retry_after = seconds;
    return false;
}

static bool check_counts(struct exchange *x) {
    int most = serving_options(x->serving)->most_n;
    if (x->asked.n > most)
        return openai_refuse(&x->problem, "n", "\"n\" may be at most %d here", most);
    return true;
}

/* ---- what the answer may be ---- */

static bool was_asked(enum jl_status status) {
    return status == JL_ERR_UNSUPPORTED || status == JL_ERR_FORMAT || status == JL_ERR_LIMIT;
}

static void set_parameters(struct grammar_tool *tool, const json_t *schema) {
    free((char *)(uintptr_t)tool->parameters);
    tool->parameters = json_dumps(schema, JSON_COMPACT);
}

/* For a header, which takes names only. */
static void note_relaxed(struct exchange *x, const char *name) {
    size_t have = strlen(x->relaxed), n = strlen(name);
    if (n > 64 ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") < n)
        name = "(a tool)";
    snprintf(x->relaxed + have, sizeof x->relaxed - have, "%s%s", have ? ", " : "", name);
}

/* Leaves out what cannot be followed of a tool's schema, and says so. */
static bool relax_tool(struct exchange *x, const struct constraint_spec *spec,
                       struct grammar_tool *tool, const json_t *schema) {
    enum { MOST_TRIES = 200 };
    struct constraint_spec alone = {.tools = tool, .n_tool = 1, .must_call = true};
    struct jl_error err = {0};
    json_t *copy = json_deep_copy(schema);
    int tries = 0;
    alone.thought = spec->thought;
    while (copy && constraint_check(served_constraints(x->served), &alone, &err) != JL_OK) {
        if (tries++ == MOST_TRIES || !was_asked(err.status) || !relax_schema(copy, err.message)) {
            json_decref(copy);
            copy = json_pack("{s:s}", "type", "object");
            if (tries > MOST_TRIES + 1 || !was_asked(err.status)) break;
            tries = MOST_TRIES + 1;
        }
        if (copy) set_parameters(tool, copy);
        if (!tool->parameters) break;
    }
    json_decref(copy);
    if (tries) note_relaxed(x, tool->name);
    return copy && tool->parameters;
}

/* The tools whose schemas are not said to be strict. */
static bool relax_tools(struct exchange *x, const struct constraint_spec *spec,
                        struct grammar_tool *tools) {
    const json_t *tool;
    size_t i, at = 0;
    json_array_foreach(x->asked.tools, i, tool) {
        const json_t *function = json_object_get(tool, "function");
        const char *name = json_string_value(json_object_get(function, "name"));
        const json_t *schema = json_object_get(function, "parameters");
        if (at == spec->n_tool || strcmp(tools[at].name, name) != 0) continue;
        if (schema && !json_is_true(json_object_get(function, "strict")) &&
            !relax_tool(x, spec, &tools[at], schema))
            return false;
        at++;
    }
    return true;
}

static bool read_tools(const struct exchange *x, struct grammar_tool *tools, size_t *n) {
    const struct openai_request *asked = &x->asked;
    const json_t *tool;
    size_t i;
    *n = 0;
    json_array_foreach(asked->tools, i, tool) {
        const json_t *function = json_object_get(tool, "function");
        const json_t *parameters = json_object_get(function, "parameters");
        const char *name = json_string_value(json_object_get(function, "name"));
        if (asked->tool_choice == OPENAI_TOOLS_NONE ||
            (asked->tool_choice == OPENAI_TOOLS_NAMED && strcmp(name, asked->tool_name) != 0))
            continue;
        char *text = parameters ? json_dumps(parameters, JSON_COMPACT) : NULL;
        if (!text && parameters) return false;
        tools[(*n)++] = (struct grammar_tool){name, text};
    }
    return true;
}

static enum constraint_thought thought_of(const struct exchange *x) {
    const struct dialect *dialect = served_parts(x->served)->form->dialect;
    if (x->asked.kind != OPENAI_CHAT || !dialect || !*dialect->think.open)
        return CONSTRAINT_NO_THOUGHT;
    if (x->start.in_thought) return CONSTRAINT_IN_THOUGHT;
    return x->asked.thinking == 0 ? CONSTRAINT_NO_THOUGHT : CONSTRAINT_MAY_THINK;
}

static enum jl_status open_constraint(struct exchange *x, struct constraint_spec *spec,
                                      struct grammar_tool *tools, struct jl_error *err) {
    struct constraints *all = served_constraints(x->served);
    enum jl_status status = constraint_open(all, spec, &x->constraint, err);
    if (!was_asked(status) || !spec->n_tool) return status;
    if (!relax_tools(x, spec, tools)) return jl_fail(err, JL_ERR_MEMORY, "out of memory for tools");
    return *x->relaxed ? constraint_open(all, spec, &x->constraint, err) : status;
}

static bool make_constraint(struct exchange *x) {
    static const enum constraint_kind kinds[] = {[OPENAI_TEXT] = CONSTRAINT_TEXT,
                                                 [OPENAI_JSON_OBJECT] = CONSTRAINT_JSON,
                                                 [OPENAI_JSON_SCHEMA] = CONSTRAINT_SCHEMA,
                                                 [OPENAI_REGEX] = CONSTRAINT_REGEX,
                                                 [OPENAI_GRAMMAR] = CONSTRAINT_GBNF};
    const struct openai_request *asked = &x->asked;
    struct jl_error err = {0};
    struct constraint_spec spec = {.kind = kinds[asked->format],
                                   .thought = thought_of(x),
                                   .must_call = asked->tool_choice == OPENAI_TOOLS_REQUIRED ||
                                                asked->tool_choice == OPENAI_TOOLS_NAMED,
                                   .one_call = !asked->parallel_calls,
                                   .one_line = true};
    struct grammar_tool *tools = calloc(json_array_size(asked->tools) + 1, sizeof *tools);
    bool schema = asked->format == OPENAI_JSON_SCHEMA;
    char *text = schema ? json_dumps(asked->schema, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    bool fits = tools && (text || !schema) && read_tools(x, tools, &spec.n_tool);
    enum jl_status status = JL_OK;
    spec.tools = tools;
    spec.source = schema ? text : asked->grammar;
    spec.len = spec.source ? strlen(spec.source) : 0;
    if (fits && (spec.n_tool || spec.kind != CONSTRAINT_TEXT))
        status = open_constraint(x, &spec, tools, &err);
    for (size_t i = 0; tools && i < spec.n_tool; i++)
        free((char *)(uintptr_t)tools[i].parameters);
    free(tools);
    free(text);
    if (!fits) return openai_no_memory(&x->problem);
    if (status == JL_OK) return true;
    failed(x, status, &err);
    snprintf(x->problem.param, sizeof x->problem.param, "%s",
             asked->format == OPENAI_TEXT ? "tools" : "response_format");
    return false;
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
        bool made =
            asked->kind == OPENAI_CHAT
                ? openai_prompt_chat(x->served, asked, x->owner, &part->ids, &x->start, &x->problem)
                : openai_prompt_completion(x->served, asked, &asked->prompts[i], x->owner,
                                           &part->ids, &x->problem);
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
                                        .event = on_piece,
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
        .owner = x->owner,
        .priority = asked->priority,
        .client = {.progress = on_progress,
                   .token = on_token,
                   .end_token = on_end_token,
                   .ended = on_ended,
                   .gone = on_gone,
                   .show = asked->kind == OPENAI_CHAT ? on_show : NULL,
                   .allow = on_allow,
                   .closed = on_closed,
                   .ctx = part},
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
    return over || http_request_gone(part->x->http);
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
    leave(x);
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

static void read_and_submit(struct work *work) {
    struct exchange *x = (struct exchange *)work;
    size_t len;
    const char *body = http_request_body(x->http, &len);
    enum openai_kind kind = x->asked.kind;
    if (openai_check_tokens(x->serving, x->http, &x->problem) &&
        openai_request_read(kind, body, len, &x->asked, &x->problem) && find_model(x) &&
        check_counts(x) && make_prompts(x) && make_constraint(x) && make_choices(x) &&
        make_params(x)) {
        if (kind == OPENAI_COMPLETION && x->asked.echo && x->asked.logprobs) {
            for (int i = 0; i < x->n_part && scan_part(x, &x->parts[i]); i++)
                continue;
            leave_scan(x);
            return;
        }
        answer_all(x);
    }
    leave(x);
}

void openai_exchange_begin(struct serving *serving, enum openai_kind kind,
                           struct http_request *http) {
    struct exchange *x = calloc(1, sizeof *x);
    if (!x) return; // dropped without an answer: a 500
    http_request_hold(http);
    *x = (struct exchange){.work = {.run = read_and_submit},
                           .serving = serving,
                           .http = http,
                           .asked = {.kind = kind},
                           .owner = serving_owner(http),
                           .created = (int64_t)time(NULL),
                           .n_open = 1};
    snprintf(x->id, sizeof x->id, "%s-%s", kind == OPENAI_CHAT ? "chatcmpl" : "cmpl",
             http_request_id(http));
    pthread_mutex_init(&x->lock, NULL);
    if (workers_give(serving_workers(serving), &x->work)) return;
    openai_failed(&x->problem, JL_ERR_BUSY, "too many requests wait to be read: ask again later");
    openai_reply_problem(http, &x->problem);
    free_exchange(x);
}
