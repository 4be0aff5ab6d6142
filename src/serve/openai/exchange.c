#include "serve/openai/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "serve/openai/exchange_self.h"

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
    free(x->body);
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
    served_remember(x->served, x->client.owner, all.data, (int)(prompt->len + said->len));
    free(all.data);
}

static void count_tokens(const struct exchange *x) {
    int64_t n = 0;
    for (int i = 0; i < x->n_part; i++)
        n += x->parts[i].n_read - x->parts[i].n_cached + x->parts[i].scoring.n;
    for (int i = 0; i < x->n_choice; i++)
        n += x->choices[i].n_token;
    if (n) serving_use_tokens(x->serving, &x->client, n);
}

static void tell_sink(const struct exchange *x) {
    json_t *usage = x->problem.status ? NULL : exchange_usage(x);
    x->sink.ended(x->sink.ctx, x->problem.status ? &x->problem : NULL,
                  x->n_choice && x->choices[0].finish ? x->choices[0].finish : "stop", usage);
    json_decref(usage);
}

/* On a worker: nothing of the scheduler's is to come any more. */
static void finish(struct work *work) {
    struct exchange *x = (struct exchange *)work;
    remember(x); // before the client can ask on
    count_tokens(x);
    struct http_header headers[EXCHANGE_HEADERS];
    json_t *whole = NULL;
    if (x->http && !x->problem.status && (!x->streaming || serving_options(x->serving)->words))
        whole = exchange_whole(x);
    if (whole) serving_tell_words(x->serving, &x->client, x->asked.root, whole);
    if (!x->http)
        tell_sink(x);
    else if (x->streaming)
        exchange_stream_end(x);
    else if (x->problem.status)
        openai_reply_problem(x->http, &x->problem);
    else
        openai_reply_json(x->http, json_incref(whole), headers, exchange_headers(x, headers));
    json_decref(whole);
    free_exchange(x);
}

void exchange_leave(struct exchange *x) {
    pthread_mutex_lock(&x->lock);
    bool last = --x->n_open == 0;
    pthread_mutex_unlock(&x->lock);
    if (!last) return;
    x->work.run = finish;
    workers_must(serving_workers(x->serving), &x->work);
}

/* ---- the beginning ---- */

bool exchange_gone(const struct exchange *x) {
    return x->http ? http_request_gone(x->http) : x->sink.gone(x->sink.ctx);
}

static struct exchange *create(struct serving *serving, enum openai_kind kind,
                               const struct serving_client *client) {
    struct exchange *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    *x = (struct exchange){.work = {.run = exchange_read},
                           .serving = serving,
                           .client = *client,
                           .asked = {.kind = kind},
                           .created = (int64_t)time(NULL),
                           .n_open = 1};
    snprintf(x->id, sizeof x->id, "%s-%s", kind == OPENAI_CHAT ? "chatcmpl" : "cmpl", client->id);
    pthread_mutex_init(&x->lock, NULL);
    return x;
}

void openai_exchange_begin(struct serving *serving, enum openai_kind kind,
                           struct http_request *http) {
    const struct serving_client client = serving_client_of(http);
    struct exchange *x = create(serving, kind, &client);
    if (!x) return; // dropped without an answer: a 500
    x->http = http;
    http_request_hold(http);
    if (workers_give(serving_workers(serving), &x->work)) return;
    openai_failed(&x->problem, JL_ERR_BUSY, "too many requests wait to be read: ask again later");
    openai_reply_problem(http, &x->problem);
    free_exchange(x);
}

enum jl_status openai_exchange_run(struct serving *serving, const struct serving_client *client,
                                   char *body, const struct openai_sink *sink,
                                   struct jl_error *err) {
    struct exchange *x = create(serving, OPENAI_CHAT, client);
    if (!x) {
        free(body);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for an answer");
    }
    x->sink = *sink;
    x->body = body;
    if (workers_give(serving_workers(serving), &x->work)) return JL_OK;
    free_exchange(x);
    return jl_fail(err, JL_ERR_BUSY, "too many requests wait to be read: ask again later");
}
