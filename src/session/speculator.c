#include "session/speculator.h"

#include <stdlib.h>

#include "base/clock.h"
#include "session/draft_gain.h"
#include "session/lookup.h"
#include "session/session_self.h"

struct speculator {
    struct session *session;
    struct draft_gain *gain; // the set's: what one answer has measured serves the next
    struct lookup *lookup;   // NULL: not used
    bool predicts;
    int32_t draft[DRAFT_MAX]; // what may come: judged also where it was too dear to be read
    int n_draft, n_read;      // n_read: so many are in the pass
    int n_came;               // and so many have come
    enum draft_source source;
    struct speculation result;
};

enum jl_status speculator_create(struct session *session, struct speculator **out,
                                 struct jl_error *err) {
    struct session_set *set = session->set;
    struct speculator *s = calloc(1, sizeof *s);
    *out = s;
    if (!s) return jl_fail(err, JL_ERR_MEMORY, "out of memory for drafts");
    *s = (struct speculator){.session = session, .gain = &set->gain, .predicts = set->mtp != NULL};
    if (set->n_draft == 0 || !set->looks_up) return JL_OK;
    enum jl_status status = lookup_create(session_capacity(session), &s->lookup, err);
    if (status == JL_OK) return JL_OK;
    free(s);
    *out = NULL;
    return status;
}

void speculator_free(struct speculator *s) {
    if (!s) return;
    lookup_free(s->lookup);
    free(s);
}

struct speculation speculator_result(const struct speculator *s) {
    return s->result;
}

/* ---- what became of the draft ---- */

static void judge(struct speculator *s, int32_t id) {
    if (s->n_came == s->n_draft) return;
    bool right = s->draft[s->n_came] == id;
    if (right && s->n_came < s->n_read) s->result.n_accepted++;
    s->n_came += right;
    if (right && s->n_came < s->n_draft) return;
    draft_gain_judge(s->gain, s->source, s->n_came, !right);
    s->n_came = s->n_draft = 0;
}

/* A new draft takes its place: what came of it counts. */
static void judge_so_far(struct speculator *s) {
    if (s->n_came < s->n_draft) draft_gain_judge(s->gain, s->source, s->n_came, false);
    s->n_came = s->n_draft = s->n_read = 0;
}

/* ---- the next one ---- */

static void predict(struct speculator *s, int n) {
    double started = clock_seconds();
    session_predict(s->session, s->draft, n, &s->n_draft);
    if (s->n_draft == 0) s->predicts = session_set_predict_error(s->session->set) == NULL;
    draft_gain_predict(s->gain, s->n_draft, clock_seconds() - started);
    s->n_read = s->n_draft;
    s->source = DRAFT_PREDICTED;
}

static void make_draft(struct speculator *s, int wanted) {
    struct session *session = s->session;
    int room = session_draft_room(session), matched = 0, n = 0;
    int most = wanted - 1 < room ? wanted - 1 : room;
    struct draft_question question = {DRAFT_PREDICTED, most, session_n_pending(session),
                                      !state_rewinds_freely(session->state)};
    struct draft_choice looked = {0, 0}, predicted = {0, 0};
    judge_so_far(s);
    if (s->lookup) {
        lookup_add(s->lookup, session->ids, session->n_id);
        n = lookup_find(s->lookup, session->ids, session->n_id, s->draft, DRAFT_MAX, &matched);
    }
    if (s->predicts && most > 0) {
        predicted = draft_gain_best(s->gain, &question);
        if (predicted.n == 0 && predicted.rate > 0 && draft_gain_should_probe(s->gain))
            predicted.n = 1;
    }
    if (n) {
        question.source = s->source = draft_gain_source(matched);
        looked = draft_gain_best(s->gain, &question);
        s->n_draft = n;
        s->n_read = looked.n;
    }
    if (predicted.n && (looked.n == 0 || predicted.rate > looked.rate)) predict(s, predicted.n);
}

/* ---- one token ---- */

/* Reads what is pending, and the draft. A pass that fails with a draft may go well without: no page
 * for it, numbers that are not finite behind a token that is never chosen. */
static enum jl_status read_pending(struct speculator *s, const atomic_bool *cancel,
                                   struct jl_error *err) {
    struct session *session = s->session;
    while (session_n_pending(session) > 0) {
        int before = state_n_pos(session->state);
        double started = clock_seconds();
        enum jl_status status = session_forward(session, cancel, err);
        if (status != JL_OK && status != JL_ERR_CANCELLED && session->n_draft > 0) {
            session_drop_draft(session);
            s->n_read = 0;
            continue;
        }
        if (status != JL_OK) return status;
        s->result.n_pass++;
        draft_gain_pass(s->gain, state_n_pos(session->state) - before, clock_seconds() - started);
    }
    return JL_OK;
}

enum jl_status speculator_push(struct speculator *s, int32_t id, int wanted,
                               const atomic_bool *cancel, struct jl_error *err) {
    struct session *session = s->session;
    int n_id = session->n_id;
    JL_TRY(session_add(session, &id, 1, err));
    judge(s, id);
    if (session_n_pending(session) == 0) return JL_OK;
    make_draft(s, wanted);
    if (s->n_read > 0 && session_draft(session, s->draft, s->n_read, NULL) != JL_OK) s->n_read = 0;
    enum jl_status status = read_pending(s, cancel, err);
    s->result.n_drafted += s->n_read;
    if (status == JL_OK) return JL_OK;
    session_rewind(session, n_id, NULL); // such a token there is not
    s->n_draft = s->n_came = s->n_read = 0;
    return status;
}
