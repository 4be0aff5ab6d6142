/* Texts that are read for their own sake: a pass of the first of them a turn, beside the answers.
 */
#include <stdlib.h>
#include <string.h>

#include "serve/scheduler_self.h"
#include "session/feed.h"

#define SCAN_ROWS 32 // whose logits are wanted, of a pass

struct scan {
    struct scan *next;
    struct scheduler_scan request;
    struct state *state;
    int at; // rows read
};

/* ---- from any thread ---- */

enum jl_status scheduler_scan(struct scheduler *s, const struct scheduler_scan *request,
                              struct jl_error *err) {
    int n_ctx = s->options.sessions.n_ctx;
    enum jl_status status = JL_OK;
    if (request->n < 1) return jl_fail(err, JL_ERR_USAGE, "a text needs at least one token");
    if (request->n > n_ctx)
        return jl_fail(err, JL_ERR_LIMIT, "the text has %d tokens, and the context holds %d",
                       request->n, n_ctx);
    struct scan *scan = calloc(1, sizeof *scan);
    if (!scan) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a request");
    scan->request = *request;
    pthread_mutex_lock(&s->lock);
    if (s->stopping)
        status = jl_fail(err, JL_ERR_BUSY, "the server is stopping");
    else if (s->n_scan >= s->options.n_waiting)
        status = jl_fail(err, JL_ERR_BUSY, "%d texts wait already: ask again later", s->n_scan);
    if (status == JL_OK) {
        *s->scans_end = scan;
        s->scans_end = &scan->next;
        s->n_scan++;
        pthread_cond_signal(&s->wake);
    }
    s->n_refused += status != JL_OK;
    pthread_mutex_unlock(&s->lock);
    if (status != JL_OK) free(scan);
    return status;
}

/* ---- on the scheduler's ---- */

static void close_first(struct scheduler *s, enum jl_status status, const char *message) {
    pthread_mutex_lock(&s->lock);
    struct scan *scan = s->scans;
    s->scans = scan->next;
    if (!s->scans) s->scans_end = &s->scans;
    s->n_scan--;
    pthread_mutex_unlock(&s->lock);
    state_free(scan->state);
    scan->request.closed(scan->request.ctx, status, message);
    free(scan);
}

static struct scan *first_scan(struct scheduler *s) {
    pthread_mutex_lock(&s->lock);
    struct scan *scan = s->scans;
    pthread_mutex_unlock(&s->lock);
    return scan;
}

void scheduler_cancel_scans(struct scheduler *s) {
    while (first_scan(s))
        close_first(s, JL_ERR_CANCELLED, "the server is stopping");
}

/* Memory for the rows of a pass, kept once it was needed. */
static enum jl_status need_rows(struct scheduler *s, const struct scheduler_scan *request,
                                struct jl_error *err) {
    const struct hparams *hp = &exec_model(s->options.exec)->hp;
    size_t rows = (size_t)exec_max_rows(s->options.exec);
    if (request->want_logits && !s->scan_logits)
        s->scan_logits = malloc(SCAN_ROWS * (size_t)hp->n_vocab * sizeof *s->scan_logits);
    if (request->want_hidden && !s->scan_hidden)
        s->scan_hidden = malloc(rows * (size_t)hp->n_embd * sizeof *s->scan_hidden);
    if ((request->want_logits && !s->scan_logits) || (request->want_hidden && !s->scan_hidden))
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for the rows of a text");
    return JL_OK;
}

/* Its state, with pages for the rows to come: of sessions that rest, never of answers. */
static enum jl_status reserve(struct scheduler *s, struct scan *scan, int n_pos,
                              struct jl_error *err) {
    enum jl_status status = JL_OK;
    do {
        if (!scan->state) status = state_create(session_set_pool(s->set), &scan->state, err);
        if (status == JL_OK) status = state_reserve(scan->state, n_pos, err);
    } while (status == JL_ERR_MEMORY && scheduler_forget_resting(s));
    return status;
}

/* Answers come first: it begins again when there is room. */
bool scheduler_scan_aside(struct scheduler *s) {
    struct scan *scan = first_scan(s);
    if (!scan || !scan->state) return false;
    state_free(scan->state);
    scan->state = NULL;
    scan->at = 0;
    return true;
}

static enum jl_status pass(struct scheduler *s, struct scan *scan, int n, struct jl_error *err) {
    const struct scheduler_scan *request = &scan->request;
    JL_TRY(need_rows(s, request, err));
    JL_TRY(reserve(s, scan, scan->at + n, err));
    const struct feed feed = {.state = scan->state,
                              .tokens = request->ids + scan->at,
                              .n_token = n,
                              .n_logits = request->want_logits ? n : 0,
                              .hidden = request->want_hidden ? s->scan_hidden : NULL};
    JL_TRY(feed_forward(s->options.exec, &feed, 1, NULL, s->scan_logits, err));
    const struct scheduler_rows rows = {.first = scan->at,
                                        .n = n,
                                        .logits = request->want_logits ? s->scan_logits : NULL,
                                        .hidden = feed.hidden,
                                        .scratch = s->scratch[0]};
    scan->at += n;
    if (!request->rows(request->ctx, &rows))
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for what a text says");
    return JL_OK;
}

bool scheduler_scan_step(struct scheduler *s) {
    struct scan *scan = first_scan(s);
    struct jl_error err = {0};
    if (!scan) return false;
    const struct scheduler_scan *request = &scan->request;
    if (request->gone && request->gone(request->ctx)) {
        close_first(s, JL_ERR_CANCELLED, "nobody waits for it");
        return true;
    }
    int n = scheduler_pace(s), most = request->want_logits ? SCAN_ROWS : n;
    if (n > most) n = most;
    if (n > request->n - scan->at) n = request->n - scan->at;
    enum jl_status status = pass(s, scan, n, &err);
    if (status == JL_ERR_MEMORY && s->active) { // those at work will end
        scheduler_scan_aside(s);
        return true;
    }
    if (status != JL_OK || scan->at == request->n) close_first(s, status, err.message);
    return true;
}
