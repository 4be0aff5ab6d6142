/* A request from its arrival to its end. */
#include <stdlib.h>
#include <string.h>

#include "serve/scheduler_self.h"

/* ---- the beginning ---- */

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a request");
}

static enum jl_status make_samplers(struct scheduler *s, struct scheduler_ticket *ticket,
                                    struct jl_error *err) {
    const struct scheduler_request *request = &ticket->request;
    const struct model *model = exec_model(s->options.exec);
    const struct tokenizer *tokenizer = s->options.tokenizer;
    int n_max = s->options.sessions.n_ctx + 1; // many wait whose answers are short: less for those
    if (request->n_max > 0 && request->n_max < n_max - request->n_id)
        n_max = request->n_id + request->n_max + 1;
    struct sampler_spec spec = {.params = request->params,
                                .tokenizer = tokenizer,
                                .n_vocab = model->hp.n_vocab,
                                .n_max = n_max,
                                .seed = request->seed};
    if (tokenizer && tokenizer_vocab_size(tokenizer) < spec.n_vocab)
        spec.n_vocab = tokenizer_vocab_size(tokenizer);
    for (int i = 0; i < request->n_answer; i++) {
        struct sampler **sampler = &ticket->sequences[i].sampler;
        spec.sequence = (uint32_t)i;
        if (i == 0) {
            JL_TRY(sampler_create(&spec, sampler, err));
            JL_TRY(sampler_prompt(*sampler, ticket->ids, request->n_id, err));
        } else {
            JL_TRY(sampler_copy(ticket->sequences[0].sampler, sampler, err));
            sampler_set_sequence(*sampler, (uint32_t)i);
        }
    }
    return JL_OK;
}

enum jl_status ticket_create(struct scheduler *s, const struct scheduler_request *request,
                             struct scheduler_ticket **out, struct jl_error *err) {
    struct scheduler_ticket *ticket = calloc(1, sizeof *ticket);
    *out = NULL;
    if (!ticket) return no_memory(err);
    *ticket = (struct scheduler_ticket){.scheduler = s, .request = *request};
    atomic_init(&ticket->cancelled, false);
    atomic_init(&ticket->n_holder, 1);
    ticket->progress.n_prompt = request->n_id;
    ticket->ids = malloc((size_t)request->n_id * sizeof *ticket->ids);
    ticket->sequences = calloc((size_t)request->n_answer, sizeof *ticket->sequences);
    enum jl_status status = ticket->ids && ticket->sequences ? JL_OK : no_memory(err);
    if (status == JL_OK) {
        memcpy(ticket->ids, request->ids, (size_t)request->n_id * sizeof *ticket->ids);
        ticket->request.ids = ticket->ids;
        for (int i = 0; i < request->n_answer; i++)
            ticket->sequences[i] = (struct sequence){.ticket = ticket, .index = i};
        status = make_samplers(s, ticket, err);
        ticket->request.params = NULL; // the caller's, for the call
    }
    if (status != JL_OK) {
        ticket_release(ticket);
        return status;
    }
    *out = ticket;
    return JL_OK;
}

void ticket_release(struct scheduler_ticket *ticket) {
    if (!ticket || atomic_fetch_sub(&ticket->n_holder, 1) > 1) return;
    for (int i = 0; ticket->sequences && i < ticket->request.n_answer; i++) {
        sampler_free(ticket->sequences[i].sampler);
        free(ticket->sequences[i].ids);
    }
    free(ticket->sequences);
    free(ticket->ids);
    free(ticket);
}

void scheduler_drop(struct scheduler_ticket *ticket) { ticket_release(ticket); }

void scheduler_cancel(struct scheduler_ticket *ticket) { atomic_store(&ticket->cancelled, true); }

/* ---- on the way ---- */

bool ticket_first(const struct scheduler_ticket *a, const struct scheduler_ticket *b) {
    if (a->request.priority != b->request.priority)
        return a->request.priority > b->request.priority;
    int had = account_compare(a->account, b->account);
    return had < 0 || (had == 0 && a->number < b->number);
}

bool ticket_unwanted(struct scheduler_ticket *ticket, bool ask) {
    const struct scheduler_client *client = &ticket->request.client;
    if (!atomic_load(&ticket->cancelled) && ask && client->gone && client->gone(client->ctx))
        atomic_store(&ticket->cancelled, true);
    return atomic_load(&ticket->cancelled);
}

void ticket_tell_progress(struct scheduler_ticket *ticket) {
    const struct scheduler_client *client = &ticket->request.client;
    if (client->progress) client->progress(client->ctx, &ticket->progress);
}

/* ---- the end ---- */

void sequence_end(struct scheduler *s, struct sequence *sequence, enum jl_status status,
                  const char *message) {
    struct scheduler_ticket *ticket = sequence->ticket;
    const struct scheduler_client *client = &ticket->request.client;
    struct scheduler_end end = {.answer = sequence->index, .status = status, .message = message};
    struct jl_error err = {0};
    if (sequence->over) return;
    sequence->over = true;
    sequence->status = status;
    if (status != JL_OK && message != sequence->err.message)
        jl_fail(&sequence->err, status, "%s", message);
    ticket->n_over++;
    if (sequence->generating) {
        enum jl_status flushed = generate_end(sequence->generating, &end.result, &err);
        sequence->generating = NULL;
        if (status == JL_OK && flushed != JL_OK) {
            end.status = flushed;
            end.message = err.message;
        }
    }
    s->figures.n_cancelled += end.status == JL_ERR_CANCELLED;
    s->figures.n_failed += end.status != JL_OK && end.status != JL_ERR_CANCELLED;
    if (client->ended) client->ended(client->ctx, &end);
    if (sequence->session && sequence->index == 0 &&
        (status == JL_OK || status == JL_ERR_CANCELLED))
        scheduler_rest(s, sequence->session, ticket->request.owner);
    else
        session_free(sequence->session);
    sequence->session = NULL;
}

void ticket_end(struct scheduler *s, struct scheduler_ticket *ticket, enum jl_status status,
                const char *message) {
    for (int i = 0; i < ticket->request.n_answer; i++)
        sequence_end(s, &ticket->sequences[i], status, message);
    ticket->state = TICKET_OVER;
}

void ticket_close(struct scheduler *s, struct scheduler_ticket *ticket) {
    const struct scheduler_client *client = &ticket->request.client;
    if (ticket->account) accounts_leave(s->accounts, ticket->account);
    ticket->account = NULL;
    scheduler_publish(s); // whoever waited for the end finds it counted
    client->closed(client->ctx);
    ticket_release(ticket);
}
