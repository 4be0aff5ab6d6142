/* What begins, what goes on after it was put aside, and what makes room. */
#include <stdlib.h>
#include <string.h>

#include "serve/scheduler_self.h"

/* ---- sessions that rest ---- */

static void forget(struct resting *resting) {
    session_free(resting->session);
    resting->session = NULL;
}

static struct resting *oldest(struct scheduler *s, bool or_unused) {
    struct resting *found = NULL;
    for (int i = 0; i < s->options.n_resting; i++) {
        struct resting *r = &s->resting[i];
        if (!r->session && or_unused) return r;
        if (r->session && (!found || r->used < found->used)) found = r;
    }
    return found;
}

void scheduler_rest(struct scheduler *s, struct session *session, uint64_t owner) {
    struct resting *place = oldest(s, true);
    if (!place) {
        session_free(session);
        return;
    }
    if (place->session) forget(place);
    *place = (struct resting){session, owner, ++s->clock};
}

void scheduler_free_resting(struct scheduler *s) {
    for (int i = 0; s->resting && i < s->options.n_resting; i++)
        if (s->resting[i].session) forget(&s->resting[i]);
}

/* The one that has read most of these tokens and not much else: another conversation that only
 * begins alike keeps its session, and its full pages are found in the prefix cache. */
static struct session *take_resting(struct scheduler *s, uint64_t owner, const int32_t *ids,
                                    int n) {
    struct resting *found = NULL;
    int best = 0;
    for (int i = 0; i < s->options.n_resting; i++) {
        struct resting *r = &s->resting[i];
        if (!r->session || r->owner != owner) continue;
        int same = session_common_prefix(r->session, ids, n);
        if (same <= best || 2 * same < session_n_token(r->session)) continue;
        best = same;
        found = r;
    }
    if (!found) return NULL;
    struct session *session = found->session;
    found->session = NULL;
    return session;
}

/* ---- seats ---- */

enum jl_status scheduler_seat(struct scheduler *s, struct sequence *sequence,
                              struct jl_error *err) {
    struct scheduler_ticket *ticket = sequence->ticket;
    const int32_t *ids = sequence->ids ? sequence->ids : ticket->ids;
    int n = sequence->ids ? sequence->n_id : ticket->request.n_id, reused;
    struct session *session = take_resting(s, ticket->request.owner, ids, n);
    if (!session) {
        JL_TRY(session_create(s->set, &session, err));
        session_own(session, ticket->request.owner);
    }
    enum jl_status status = session_aim(session, ids, n, &reused, err);
    if (status != JL_OK) {
        session_free(session);
        return status;
    }
    sequence->session = sequence->request.session = session;
    if (!sequence->began) ticket->progress.n_cached = reused;
    return JL_OK;
}

static enum jl_status put_aside(struct scheduler *s, struct sequence *sequence) {
    struct session *session = sequence->session;
    int n = session_n_token(session) + session_n_pending(session);
    sequence->ids = malloc((size_t)n * sizeof *sequence->ids);
    if (!sequence->ids) return JL_ERR_MEMORY;
    memcpy(sequence->ids, session_ids(session), (size_t)n * sizeof *sequence->ids);
    sequence->n_id = n;
    session_free(session);
    sequence->session = sequence->request.session = NULL;
    s->figures.n_made_room++;
    return JL_OK;
}

/* Whether `a` makes room before `b` does: the lesser priority, then the later one. */
static bool goes_before(const struct sequence *a, const struct sequence *b) {
    const struct scheduler_ticket *x = a->ticket, *y = b->ticket;
    if (x->request.priority != y->request.priority)
        return x->request.priority < y->request.priority;
    if (x != y) return x->number > y->number;
    return a->index > b->index;
}

bool scheduler_make_room(struct scheduler *s, const struct sequence *but) {
    struct resting *rested = oldest(s, false);
    struct sequence *victim = NULL;
    if (rested) {
        forget(rested);
        return true;
    }
    if (scheduler_scan_aside(s)) return true;
    for (struct scheduler_ticket *ticket = s->active; ticket; ticket = ticket->next)
        for (int i = 0; i < ticket->request.n_answer; i++) {
            struct sequence *sequence = &ticket->sequences[i];
            if (sequence->session && sequence != but && (!victim || goes_before(sequence, victim)))
                victim = sequence;
        }
    return victim && put_aside(s, victim) == JL_OK;
}

bool scheduler_forget_resting(struct scheduler *s) {
    struct resting *rested = oldest(s, false);
    if (rested) forget(rested);
    return rested;
}

/* A seat with pages for all that it has to read. False: not now. A failure of the request ends it.
 */
static bool seat_with_room(struct scheduler *s, struct sequence *sequence, bool alone) {
    struct page_pool *pool = session_set_pool(s->set);
    struct jl_error err = {0};
    enum jl_status status = scheduler_seat(s, sequence, &err);
    while (status == JL_ERR_MEMORY && oldest(s, false)) {
        forget(oldest(s, false));
        status = scheduler_seat(s, sequence, &err);
    }
    if (status != JL_OK) {
        if (status == JL_ERR_MEMORY && (!alone || scheduler_scan_aside(s))) return false;
        sequence_end(s, sequence, status, err.message);
        return true;
    }
    int wanted = session_n_pending(sequence->session) / KV_CHUNK + 2;
    while (page_pool_want(pool, PAGE_KEYS, wanted, &err) != JL_OK) {
        struct resting *rested = oldest(s, false);
        if (!rested && alone) break; // the pool holds one of any length that is let in
        if (!rested) {
            session_free(sequence->session);
            sequence->session = sequence->request.session = NULL;
            return false;
        }
        forget(rested);
    }
    free(sequence->ids); // the session has them now
    sequence->ids = NULL;
    return true;
}

/* ---- who ---- */

static int count_active(const struct scheduler *s) {
    int n = 0;
    for (const struct scheduler_ticket *t = s->active; t; t = t->next)
        n += t->request.n_answer - t->n_over;
    return n;
}

static struct scheduler_ticket **find_first(struct scheduler *s) {
    struct scheduler_ticket **first = &s->waiting;
    for (struct scheduler_ticket **at = &s->waiting; *at; at = &(*at)->next)
        if (ticket_first(*at, *first)) first = at;
    return first;
}

static void begin(struct scheduler *s, struct scheduler_ticket *ticket) {
    struct scheduler_ticket **end = &s->active;
    while (*end)
        end = &(*end)->next;
    *end = ticket;
    ticket->next = NULL;
    ticket->state = TICKET_READS;
    ticket->sequences[0].began = true;
    ticket->progress.n_before = 0;
    ticket->progress.n_read = ticket->progress.n_cached;
    ticket_tell_progress(ticket);
    s->n_outside--;
    s->figures.n_prompt_token += ticket->request.n_id;
    s->figures.n_cached_token += ticket->progress.n_cached;
}

static void tell_places(struct scheduler *s) {
    int place = 0;
    for (struct scheduler_ticket *ticket = s->waiting; ticket; ticket = ticket->next, place++)
        if (ticket->progress.n_before != place) {
            ticket->progress.n_before = place;
            ticket_tell_progress(ticket);
        }
}

static bool anyone_seated(const struct scheduler *s) {
    for (const struct scheduler_ticket *ticket = s->active; ticket; ticket = ticket->next)
        for (int i = 0; i < ticket->request.n_answer; i++)
            if (ticket->sequences[i].session) return true;
    return false;
}

/* Those that were put aside go on first. */
static bool resume(struct scheduler *s) {
    for (struct scheduler_ticket *ticket = s->active; ticket; ticket = ticket->next)
        for (int i = 0; i < ticket->request.n_answer; i++) {
            struct sequence *sequence = &ticket->sequences[i];
            if (!sequence->ids || sequence->over) continue;
            if (!seat_with_room(s, sequence, !anyone_seated(s))) return false;
        }
    return true;
}

void scheduler_admit(struct scheduler *s) {
    if (!resume(s)) return;
    while (s->waiting) {
        struct scheduler_ticket **first = find_first(s), *ticket = *first;
        int n_active = count_active(s);
        if (n_active && n_active + ticket->request.n_answer > s->options.n_active) break;
        if (!seat_with_room(s, &ticket->sequences[0], n_active == 0)) break;
        *first = ticket->next;
        begin(s, ticket);
    }
    tell_places(s);
}
