/* One pass, and the step of every answer after it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "serve/scheduler_self.h"

#define LEAST_PACE 16 // rows of a prompt in a pass beside answers
#define ASK_GONE 0.02 // seconds from one question whether a client is there to the next
#define FORGETS 0.2   // share of the newest in running means

/* ---- who takes part ---- */

static bool is_first(const struct sequence *a, const struct sequence *b) {
    return a->ticket != b->ticket ? ticket_first(a->ticket, b->ticket) : a->index < b->index;
}

/* The place of one more in a list of at most n_seq that is in order; the last one falls out. */
static int insert(struct sequence **list, int n, int most, struct sequence *sequence) {
    int at = n < most ? n++ : is_first(sequence, list[n - 1]) ? n - 1 : -1;
    if (at < 0) return n;
    for (; at > 0 && is_first(sequence, list[at - 1]); at--)
        list[at] = list[at - 1];
    list[at] = sequence;
    return n;
}

/* Answers that wait for a token, in order; behind them the first prompt that is being read, whose
 * pace leaves the step short. *reader: it, or NULL. */
static int choose(struct scheduler *s, struct sequence **reader) {
    int most = s->options.sessions.n_seq, n = 0, rows = exec_max_rows(s->options.exec);
    *reader = NULL;
    if (most > rows) most = rows;
    for (struct scheduler_ticket *ticket = s->active; ticket; ticket = ticket->next)
        for (int i = 0; i < ticket->request.n_answer; i++) {
            struct sequence *q = &ticket->sequences[i];
            if (!q->session || session_n_pending(q->session) == 0) continue;
            if (session_n_pending(q->session) > 1 || !q->generating) {
                if (!*reader || is_first(q, *reader)) *reader = q;
            } else {
                session_pace(q->session, 0);
                n = insert(s->pass, n, most, q);
            }
        }
    if (!*reader) return n;
    if (n == most) n--; // a prompt does not wait for ever
    s->pass[n] = *reader;
    return n + 1;
}

/* Rows of a prompt that make a step at most most_pause times as long as one without. Only the time
 * depends on it, never a bit. */
static int pace(const struct scheduler *s, int n_answering) {
    int rows = exec_max_rows(s->options.exec) - n_answering;
    if (n_answering == 0) return rows;
    double more = (double)s->options.most_pause - 1;
    double wanted = s->step_seconds > 0 && s->rows_a_second > 0
                        ? more * s->step_seconds * s->rows_a_second
                        : 2 * LEAST_PACE;
    if (wanted < LEAST_PACE) wanted = LEAST_PACE;
    return wanted < rows ? (int)wanted : rows;
}

int scheduler_pace(const struct scheduler *s) {
    int n = 0;
    for (const struct scheduler_ticket *ticket = s->active; ticket; ticket = ticket->next)
        n += ticket->request.n_answer - ticket->n_over;
    return pace(s, n < exec_max_rows(s->options.exec) ? n : exec_max_rows(s->options.exec) - 1);
}

static void measure(struct scheduler *s, int n_answering, int n_read, double seconds) {
    double *mean = &s->step_seconds, value = seconds;
    if (n_read) {
        if (n_answering) seconds -= s->step_seconds;
        if (seconds <= 0) return;
        mean = &s->rows_a_second;
        value = n_read / seconds;
    }
    *mean = *mean > 0 ? *mean + FORGETS * (value - *mean) : value;
}

/* ---- after the pass ---- */

static bool on_control(void *ctx, const char *text, size_t len) {
    const struct sequence *q = ctx;
    const struct scheduler_client *client = &q->ticket->request.client;
    return client->show(client->ctx, text, len);
}

static enum jl_status on_token(void *ctx, int32_t id, const char *text, size_t len, bool *go_on,
                               struct jl_error *err) {
    struct sequence *q = ctx;
    const struct scheduler_client *client = &q->ticket->request.client;
    const struct scheduler_token token = {
        .answer = q->index,
        .id = id,
        .text = text,
        .len = len,
        .logits = id == TOKEN_NONE || !q->session ? NULL : session_logits(q->session),
        .scratch = q->ticket->scheduler->scratch[0],
    };
    (void)err;
    if (client->token) *go_on = client->token(client->ctx, &token);
    return JL_OK;
}

static enum jl_status begin_answer(struct scheduler *s, struct sequence *q, struct jl_error *err) {
    const struct scheduler_request *request = &q->ticket->request;
    q->request = (struct generate_request){
        .session = q->session,
        .sampler = q->sampler,
        .ends = s->options.ends,
        .tokenizer = s->options.tokenizer,
        .stop = request->stop,
        .n_stop = request->n_stop,
        .n = request->n_max,
        .sink = {.token = on_token, .ctx = q, .at_start = request->at_start},
    };
    if (request->client.show) q->request.sink.show = on_control;
    q->began = true;
    return generate_begin(&q->request, &q->generating, err);
}

/* The prompt is read: each answer gets a session that stands behind it. */
static void begin_answers(struct scheduler *s, struct scheduler_ticket *ticket) {
    struct jl_error err = {0};
    struct sequence *first = &ticket->sequences[0];
    ticket->state = TICKET_ANSWERS;
    for (int i = 0; i < ticket->request.n_answer; i++) {
        struct sequence *q = &ticket->sequences[i];
        enum jl_status status = JL_OK;
        if (i) status = session_fork(first->session, &q->session, &err);
        if (status == JL_OK) status = begin_answer(s, q, &err);
        if (status != JL_OK) sequence_end(s, q, status, err.message);
    }
}

static void choose_one(void *ctx, int item, int thread) {
    struct scheduler *s = ctx;
    struct sequence *q = s->pass[item];
    if (q->status == JL_OK)
        q->status = generate_choose(q->generating, s->scratch[thread], &q->next, &q->err);
}

/* Its client says what may come: on this thread, one after the other, as they may share what they
 * say it by. */
static void ask_allowed(struct sequence *q) {
    const struct scheduler_client *client = &q->ticket->request.client;
    const uint64_t *allowed = NULL;
    q->status = JL_OK;
    if (client->allow) q->status = client->allow(client->ctx, q->index, &allowed, &q->err);
    sampler_allow(q->sampler, allowed);
}

static void tell_end_token(const struct scheduler *s, struct sequence *q) {
    const struct scheduler_client *client = &q->ticket->request.client;
    if (!client->end_token || !end_tokens_has(s->options.ends, q->next)) return;
    client->end_token(client->ctx, &(struct scheduler_token){.answer = q->index,
                                                             .id = q->next,
                                                             .text = "",
                                                             .logits = session_logits(q->session),
                                                             .scratch = s->scratch[0]});
}

/* A token for every answer that has logits; what is over ends. */
static void step_answers(struct scheduler *s) {
    int n = 0, most = s->options.n_active;
    for (struct scheduler_ticket *ticket = s->active; ticket; ticket = ticket->next)
        for (int i = 0; i < ticket->request.n_answer; i++) {
            struct sequence *q = &ticket->sequences[i];
            if (q->generating && q->session && session_n_pending(q->session) == 0 && n < most)
                ask_allowed(s->pass[n++] = q);
        }
    backend_run(exec_backend(s->options.exec), n, choose_one, s);
    for (int i = 0; i < n; i++) {
        struct sequence *q = s->pass[i];
        bool over = true;
        if (q->status == JL_OK) q->status = generate_take(q->generating, q->next, &over, &q->err);
        if (q->status == JL_OK && over) tell_end_token(s, q);
        if (q->status == JL_OK && !over) q->status = session_add(q->session, &q->next, 1, &q->err);
        if (q->status != JL_OK || over) sequence_end(s, q, q->status, q->err.message);
    }
    s->figures.n_answer_token += n;
}

/* ---- the pass ---- */

/* It failed for somebody's sake: each alone, and who fails alone ends. */
static void one_by_one(struct scheduler *s, int n) {
    for (int i = 0; i < n; i++) {
        struct jl_error err = {0};
        struct sequence *q = s->pass[i];
        enum jl_status status = session_forward(q->session, NULL, &err);
        if (status != JL_OK) sequence_end(s, q, status, err.message);
    }
}

static void make_pass(struct scheduler *s) {
    struct jl_error err = {0};
    struct sequence *reader;
    enum jl_status status;
    int n, n_answering, before;
    double began;
    do { // where pages run out somebody makes room and is not in the pass any more
        n = choose(s, &reader);
        if (n == 0) return;
        n_answering = reader ? n - 1 : n;
        before = reader ? session_n_pending(reader->session) : 0;
        if (reader) session_pace(reader->session, pace(s, n_answering));
        for (int i = 0; i < n; i++)
            s->sessions[i] = s->pass[i]->session;
        began = clock_seconds();
        status = session_set_forward(s->set, s->sessions, n, NULL, &err);
    } while (status == JL_ERR_MEMORY && scheduler_make_room(s, s->pass[0]));
    if (status != JL_OK && n > 1) {
        one_by_one(s, n);
    } else if (status != JL_OK) {
        sequence_end(s, s->pass[0], status, err.message);
    } else {
        int n_read = reader ? before - session_n_pending(reader->session) : 0;
        measure(s, n_answering, n_read, clock_seconds() - began);
        for (int i = 0; i < n_answering; i++)
            account_charge(s->pass[i]->ticket->account, 1);
        if (reader) account_charge(reader->ticket->account, n_read);
    }
    if (reader && reader->session && reader->ticket->state == TICKET_READS) {
        reader->ticket->progress.n_read = session_n_token(reader->session);
        ticket_tell_progress(reader->ticket);
    }
    s->figures.n_pass++;
}

/* ---- one turn of the thread ---- */

static void end_unwanted(struct scheduler *s) {
    double now = clock_seconds();
    bool ask = now - s->asked_gone >= ASK_GONE;
    if (ask) s->asked_gone = now;
    for (struct scheduler_ticket *ticket = s->active; ticket; ticket = ticket->next)
        if (ticket_unwanted(ticket, ask))
            ticket_end(s, ticket, JL_ERR_CANCELLED, "stopped from outside");
    for (struct scheduler_ticket **at = &s->waiting; *at;) {
        struct scheduler_ticket *ticket = *at;
        if (!ticket_unwanted(ticket, ask)) {
            at = &ticket->next;
            continue;
        }
        *at = ticket->next;
        s->n_outside--;
        ticket_end(s, ticket, JL_ERR_CANCELLED, "stopped from outside");
        ticket_close(s, ticket);
    }
}

static void close_over(struct scheduler *s) {
    for (struct scheduler_ticket **at = &s->active; *at;) {
        struct scheduler_ticket *ticket = *at;
        if (ticket->n_over < ticket->request.n_answer) {
            at = &ticket->next;
            continue;
        }
        *at = ticket->next;
        ticket_close(s, ticket);
    }
    scheduler_publish(s);
}

bool scheduler_step(struct scheduler *s) {
    end_unwanted(s);
    close_over(s);
    scheduler_admit(s);
    bool scanned = scheduler_scan_step(s);
    if (!s->active && !s->waiting) return scanned;
    make_pass(s);
    for (struct scheduler_ticket *ticket = s->active; ticket; ticket = ticket->next) {
        struct sequence *first = &ticket->sequences[0];
        if (ticket->state != TICKET_READS) continue;
        if (first->over)
            ticket_end(s, ticket, first->status, first->err.message);
        else if (first->session && session_n_pending(first->session) == 0)
            begin_answers(s, ticket);
    }
    step_answers(s);
    close_over(s);
    return true;
}
