/* What the scheduler tells of the answers; on its thread. */
#include "serve/openai/exchange_self.h"

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
    if (!x->http && x->sink.progress) x->sink.progress(x->sink.ctx, progress);
    pthread_mutex_unlock(&x->lock);
}

bool exchange_piece(void *ctx, int answer, const struct dialect_event *event) {
    struct exchange_choice *choice = choice_of(ctx, answer);
    struct exchange *x = choice->x;
    if (!x->http) return x->sink.piece(x->sink.ctx, event);
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
    if (end->status == JL_ERR_CANCELLED) x->cut = x->cut || exchange_gone(x);
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
    return exchange_gone(part->x);
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
    exchange_leave(part->x);
}

struct scheduler_client exchange_client(struct exchange_part *part) {
    bool chat = part->x->asked.kind == OPENAI_CHAT;
    return (struct scheduler_client){.progress = on_progress,
                                     .token = on_token,
                                     .end_token = on_end_token,
                                     .ended = on_ended,
                                     .gone = on_gone,
                                     .show = chat ? on_show : NULL,
                                     .allow = on_allow,
                                     .closed = on_closed,
                                     .ctx = part};
}
