#include "serve/scheduler.h"

#include <stdlib.h>

#include "base/clock.h"
#include "serve/scheduler_self.h"

/* ---- the thread ---- */

/* What has come since. An owner's place among the others counts from here on. */
static void take_arrived(struct scheduler *s) {
    struct scheduler_ticket **end = &s->waiting, *arrived = s->arrived;
    while (*end)
        end = &(*end)->next;
    *end = arrived;
    s->arrived = NULL;
    s->arrived_end = &s->arrived;
    for (; arrived; arrived = arrived->next) {
        arrived->account = accounts_enter(s->accounts, arrived->request.owner);
        arrived->progress.n_before = -1; // is told as soon as it is known
    }
}

static void cancel_all(struct scheduler *s) {
    struct scheduler_ticket *lists[] = {s->active, s->waiting};
    for (int i = 0; i < 2; i++)
        for (struct scheduler_ticket *ticket = lists[i]; ticket; ticket = ticket->next)
            scheduler_cancel(ticket);
}

static void *work(void *arg) {
    struct scheduler *s = arg;
    scheduler_load_kept(s);
    for (bool idle = false;;) {
        pthread_mutex_lock(&s->lock);
        while (idle && !s->arrived && !s->scans && !s->stopping)
            pthread_cond_wait(&s->wake, &s->lock);
        take_arrived(s);
        bool leave = s->stopping && idle && !s->waiting && !s->scans;
        bool cut = s->stopping && clock_seconds() >= s->stop_at;
        pthread_mutex_unlock(&s->lock);
        if (leave) break;
        if (cut) cancel_all(s);
        if (cut) scheduler_cancel_scans(s);
        idle = !scheduler_step(s);
    }
    scheduler_save_kept(s);
    return NULL;
}

void scheduler_publish(struct scheduler *s) {
    struct scheduler_stats *f = &s->figures;
    f->n_reading = f->n_answering = f->n_resting = 0;
    for (const struct scheduler_ticket *ticket = s->active; ticket; ticket = ticket->next) {
        int n = ticket->request.n_answer - ticket->n_over;
        f->n_reading += ticket->state == TICKET_READS && n;
        if (ticket->state == TICKET_ANSWERS) f->n_answering += n;
    }
    for (int i = 0; i < s->options.n_resting; i++)
        f->n_resting += s->resting[i].session != NULL;
    f->n_page_free = page_pool_free_pages(session_set_pool(s->set), PAGE_KEYS);
    f->step_seconds = s->step_seconds;
    pthread_mutex_lock(&s->lock);
    s->stats = *f;
    pthread_mutex_unlock(&s->lock);
}

/* ---- making one ---- */

static void set_defaults(struct scheduler_options *o, const struct model *model) {
    if (o->sessions.n_seq < 1) o->sessions.n_seq = 1;
    if (!o->sessions.n_ctx) o->sessions.n_ctx = model->hp.n_ctx_train;
    if (o->n_active < 1) o->n_active = 2 * o->sessions.n_seq;
    if (o->n_active < o->sessions.n_seq) o->n_active = o->sessions.n_seq;
    if (o->n_waiting < 1) o->n_waiting = 256;
    if (o->n_resting < 0) o->n_resting = 0;
    if (!(o->most_pause > 1)) o->most_pause = 2.5f;
}

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a scheduler");
}

/* Most tokens that a session can have, as sessions tell it. */
static enum jl_status find_capacity(struct scheduler *s, struct jl_error *err) {
    struct session *session;
    JL_TRY(session_create(s->set, &session, err));
    s->options.sessions.n_ctx = session_capacity(session);
    session_free(session);
    return JL_OK;
}

static enum jl_status make_parts(struct scheduler *s, struct jl_error *err) {
    const struct scheduler_options *o = &s->options;
    int threads = backend_threads(exec_backend(o->exec));
    size_t n = (size_t)o->n_active;
    JL_TRY(session_set_create(o->exec, &o->sessions, &s->set, err));
    JL_TRY(find_capacity(s, err));
    JL_TRY(accounts_create(o->n_waiting + o->n_active, &s->accounts, err));
    s->pass = calloc(n, sizeof(void *));
    s->sessions = calloc(n, sizeof(void *));
    s->resting = calloc((size_t)o->n_resting + 1, sizeof *s->resting);
    s->scratch = calloc((size_t)threads, sizeof(void *));
    if (!s->pass || !s->sessions || !s->resting || !s->scratch) return no_memory(err);
    for (int i = 0; i < threads; i++)
        JL_TRY(sample_scratch_create(exec_model(o->exec)->hp.n_vocab, &s->scratch[i], err));
    s->figures.n_page = page_pool_size(session_set_pool(s->set), PAGE_KEYS);
    s->figures.cache_bytes = page_pool_bytes(session_set_pool(s->set));
    scheduler_publish(s);
    return JL_OK;
}

enum jl_status scheduler_create(const struct scheduler_options *options, struct scheduler **out,
                                struct jl_error *err) {
    struct scheduler *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s) return no_memory(err);
    s->options = *options;
    s->arrived_end = &s->arrived;
    s->scans_end = &s->scans;
    set_defaults(&s->options, exec_model(options->exec));
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    enum jl_status status = make_parts(s, err);
    if (status == JL_OK) {
        s->has_thread = pthread_create(&s->thread, NULL, work, s) == 0;
        if (!s->has_thread) status = jl_fail(err, JL_ERR_LIMIT, "no thread for a scheduler");
    }
    if (status != JL_OK) {
        scheduler_free(s);
        return status;
    }
    *out = s;
    return JL_OK;
}

void scheduler_free(struct scheduler *s) {
    if (!s) return;
    scheduler_stop(s, 0);
    scheduler_free_resting(s);
    int threads = backend_threads(exec_backend(s->options.exec));
    for (int i = 0; s->scratch && i < threads; i++)
        sample_scratch_free(s->scratch[i]);
    free(s->scratch);
    free(s->scan_logits);
    free(s->scan_hidden);
    free(s->pass);
    free(s->sessions);
    free(s->resting);
    accounts_free(s->accounts);
    session_set_free(s->set);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void scheduler_stop(struct scheduler *s, double seconds) {
    double at = clock_seconds() + seconds;
    pthread_mutex_lock(&s->lock);
    if (!s->stopping || at < s->stop_at) s->stop_at = at;
    s->stopping = true;
    bool join = s->has_thread;
    s->has_thread = false;
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
    if (join) pthread_join(s->thread, NULL);
}

/* ---- requests ---- */

void scheduler_keep_nothing(struct scheduler *s) { atomic_store(&s->keeps_nothing, true); }

int scheduler_n_ctx(const struct scheduler *s) { return s->options.sessions.n_ctx; }

static enum jl_status check(const struct scheduler *s, const struct scheduler_request *request,
                            struct jl_error *err) {
    int n_ctx = s->options.sessions.n_ctx;
    if (request->n_id < 1) return jl_fail(err, JL_ERR_USAGE, "a prompt needs at least one token");
    if (request->n_answer < 1 || request->n_answer > s->options.n_active)
        return jl_fail(err, JL_ERR_USAGE, "%d answers are asked for: 1 to %d can be had",
                       request->n_answer, s->options.n_active);
    if (request->n_id >= n_ctx)
        return jl_fail(err, JL_ERR_LIMIT,
                       "the prompt has %d tokens, and the context holds %d with the answer",
                       request->n_id, n_ctx);
    return JL_OK;
}

enum jl_status scheduler_submit(struct scheduler *s, const struct scheduler_request *request,
                                struct scheduler_ticket **out, struct jl_error *err) {
    struct scheduler_ticket *ticket;
    enum jl_status status = JL_OK;
    if (out) *out = NULL;
    JL_TRY(check(s, request, err));
    JL_TRY(ticket_create(s, request, &ticket, err));
    if (out) atomic_fetch_add(&ticket->n_holder, 1);
    pthread_mutex_lock(&s->lock);
    if (s->stopping)
        status = jl_fail(err, JL_ERR_BUSY, "the server is stopping");
    else if (s->n_outside >= s->options.n_waiting)
        status =
            jl_fail(err, JL_ERR_BUSY, "%d requests wait already: ask again later", s->n_outside);
    s->n_refused += status != JL_OK;
    if (status == JL_OK) {
        ticket->number = (uint64_t)s->n_request++;
        s->n_outside++;
        if (out) *out = ticket;
        *s->arrived_end = ticket;
        s->arrived_end = &ticket->next;
        pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
    if (status == JL_OK) return JL_OK;
    ticket_release(ticket);
    if (out) ticket_release(ticket);
    return status;
}

void scheduler_stats(struct scheduler *s, struct scheduler_stats *out) {
    pthread_mutex_lock(&s->lock);
    *out = s->stats;
    out->n_request = s->n_request;
    out->n_refused = s->n_refused;
    out->n_waiting = s->n_outside;
    pthread_mutex_unlock(&s->lock);
}
