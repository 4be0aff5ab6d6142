/* Where logits stand. A pass writes them into one of the set's two halves, in turn, and its
 * sessions point there: a decode has nothing to copy, for every session is in the next pass, which
 * writes the other half. One that is not copies them before its half is written again. A pass that
 * fails has written over nobody's. */
#include <stdlib.h>
#include <string.h>

#include "session/session_self.h"

static size_t vocab(const struct session_set *set) {
    return (size_t)exec_model(set->exec)->hp.n_vocab;
}

static void give_back(struct session *session) {
    if (session->half < 0) return;
    *session->lent_at = session->lent_next;
    if (session->lent_next) session->lent_next->lent_at = session->lent_at;
    session->half = -1;
}

static void lend(struct session *session, int half, const float *logits) {
    struct session **head = &session->set->lent[half];
    give_back(session);
    session->half = half;
    session->logits = logits;
    session->lent_at = head;
    session->lent_next = *head;
    if (*head) (*head)->lent_at = &session->lent_next;
    *head = session;
}

bool session_logits_create(struct session *session) {
    size_t rows = 1 + (size_t)session->set->n_draft; // the set's halves are n_seq times as many
    session->half = -1;
    session->own = malloc(rows * vocab(session->set) * sizeof *session->own);
    return session->own;
}

void session_logits_put(struct session *session, const float *logits, int n) {
    size_t bytes = (size_t)n * vocab(session->set) * sizeof *logits;
    if (bytes) memcpy(session->own, logits, bytes);
    give_back(session);
    session->logits = session->own;
    session->n_logits = n;
}

void session_set_clear_half(struct session_set *set) {
    for (struct session *session; (session = set->lent[set->half]);)
        session_logits_put(session, session->logits, session->n_logits);
}

float *session_set_half(const struct session_set *set) {
    size_t rows = (size_t)set->n_seq * (size_t)(1 + set->n_draft);
    return set->logits + (size_t)set->half * rows * vocab(set);
}

void session_logits_take(struct session *session, const float *logits, int n) {
    lend(session, session->set->half, logits);
    session->n_logits = n;
}

void session_logits_share(const struct session *from, struct session *to) {
    to->n_scored = from->n_scored;
    if (from->half < 0) {
        session_logits_put(to, from->logits, from->n_logits);
    } else {
        lend(to, from->half, from->logits);
        to->n_logits = from->n_logits;
    }
}

void session_logits_keep(struct session *session, int n_token) {
    int row = n_token - session->n_scored;
    bool known = session_knows_logits(session, n_token);
    if (known) session->logits += (size_t)row * vocab(session->set);
    if (known) session->n_scored = n_token;
    session->n_logits = known;
}

void session_logits_free(struct session *session) {
    give_back(session);
    free(session->own);
}
