#include "session/session.h"

#include <stdlib.h>
#include <string.h>

#include "session/session_self.h"

/* ---- the set ---- */

static int context_of(const struct model *model, const struct session_options *options) {
    int n_ctx = model->hp.n_ctx_train;
    return options->n_ctx > 0 && options->n_ctx < n_ctx ? options->n_ctx : n_ctx;
}

struct page_counts session_set_counts(const struct model *model,
                                      const struct session_options *options) {
    int n_seq = options->n_seq ? options->n_seq : 1;
    struct page_counts counts = page_counts_for(model, n_seq, context_of(model, options));
    if (options->n_page) counts.n[PAGE_KEYS] = options->n_page;
    if (model->recurrent_bytes) { // states at the ends of cached pages
        size_t cached = options->prefix_bytes / model->recurrent_bytes;
        if (cached > (size_t)counts.n[PAGE_KEYS]) cached = (size_t)counts.n[PAGE_KEYS];
        if (cached > (size_t)(INT32_MAX - counts.n[PAGE_RECUR]))
            cached = (size_t)(INT32_MAX - counts.n[PAGE_RECUR]);
        counts.n[PAGE_RECUR] += (int)cached;
    }
    return counts;
}

int session_set_n_draft(const struct session_options *options, int rows) {
    if (options->draft == DRAFT_NONE) return 0;
    return options->n_draft < rows ? options->n_draft : rows - 1;
}

bool session_set_predicts(const struct model *model, const struct session_options *options) {
    if (options->n_draft == 0) return false;
    return options->draft == DRAFT_PREDICT ||
           (options->draft == DRAFT_AUTO && model->mtp.n_step > 0);
}

/* The prediction layer, and room for what the model's passes tell it. */
static enum jl_status open_mtp(struct session_set *set, struct jl_error *err) {
    int rows = exec_max_rows(set->exec);
    size_t n = (size_t)rows + (size_t)set->n_seq * (size_t)(1 + set->n_draft);
    JL_TRY(exec_create_mtp(exec_model(set->exec), exec_backend(set->exec), rows, &set->mtp, err));
    if (!size_mul(n, (size_t)exec_model(set->exec)->hp.n_embd, &n)) n = SIZE_MAX;
    set->hidden = calloc(n, sizeof *set->hidden);
    set->guess = calloc((size_t)exec_model(set->exec)->hp.n_vocab, sizeof *set->guess);
    return set->hidden && set->guess
               ? JL_OK
               : jl_fail(err, JL_ERR_MEMORY, "out of memory for hidden states");
}

enum jl_status session_set_create(struct exec *exec, const struct session_options *options,
                                  struct session_set **out, struct jl_error *err) {
    const struct model *model = exec_model(exec);
    struct session_set *set = calloc(1, sizeof *set);
    int n_seq = options->n_seq ? options->n_seq : 1;
    size_t n_logit;
    *out = NULL;
    if (!set) return jl_fail(err, JL_ERR_MEMORY, "out of memory for sessions");
    *set = (struct session_set){.exec = exec,
                                .n_seq = n_seq,
                                .n_ctx = context_of(model, options),
                                .looks_up = options->draft != DRAFT_PREDICT,
                                .n_draft = session_set_n_draft(options, exec_max_rows(exec))};
    set->feeds = calloc((size_t)n_seq, sizeof *set->feeds);
    set->fed = calloc((size_t)n_seq, sizeof *set->fed);
    if (size_mul(2 * (size_t)n_seq * (size_t)(1 + set->n_draft), (size_t)model->hp.n_vocab,
                 &n_logit))
        set->logits = calloc(n_logit, sizeof *set->logits);
    enum jl_status status = JL_OK;
    if (!set->feeds || !set->fed || !set->logits)
        status = jl_fail(err, JL_ERR_MEMORY, "out of memory for the logits of %d sessions", n_seq);
    if (status == JL_OK && session_set_predicts(model, options)) status = open_mtp(set, err);
    struct page_counts counts = session_set_counts(model, options);
    if (status == JL_OK)
        status = page_pool_create(model, exec_backend(exec), &counts, &set->pool, err);
    if (status == JL_OK) { // no more than there are, however long a context the model claims
        set->pages = calloc((size_t)page_pool_size(set->pool, PAGE_KEYS) + 1, sizeof *set->pages);
        if (!set->pages) status = jl_fail(err, JL_ERR_MEMORY, "out of memory for cache pages");
    }
    if (status == JL_OK && options->prefix_bytes)
        status = prefix_create(set->pool, options->prefix_bytes, &set->cache, err);
    if (status != JL_OK) {
        session_set_free(set);
        return status;
    }
    *out = set;
    return JL_OK;
}

void session_set_free(struct session_set *set) {
    if (!set) return;
    prefix_free(set->cache);
    page_pool_free(set->pool);
    free(set->pages);
    free(set->feeds);
    free(set->fed);
    free(set->logits);
    free(set->hidden);
    free(set->guess);
    exec_free(set->mtp);
    free(set);
}

const struct prefix_cache *session_set_cache(const struct session_set *set) { return set->cache; }

struct page_pool *session_set_pool(const struct session_set *set) {
    return set->pool;
}

/* ---- one session ---- */

static enum jl_status create(struct session_set *set, struct session **out, struct jl_error *err) {
    const struct model *model = exec_model(set->exec);
    struct session *session = calloc(1, sizeof *session);
    *out = session;
    if (!session) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a session");
    session->set = set;
    bool has_logits = session_logits_create(session);
    session->ids = calloc((size_t)session_capacity(session), sizeof *session->ids);
    size_t rows = 1 + (size_t)set->n_draft;
    if (set->mtp)
        session->hidden = calloc(rows * (size_t)model->hp.n_embd, sizeof *session->hidden);
    if (session->ids && has_logits && (session->hidden || !set->mtp)) return JL_OK;
    session_free(session);
    *out = NULL;
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a session's tokens and logits");
}

enum jl_status session_create(struct session_set *set, struct session **out, struct jl_error *err) {
    JL_TRY(create(set, out, err));
    enum jl_status status = state_create(set->pool, &(*out)->state, err);
    if (status == JL_OK) return JL_OK;
    session_free(*out);
    *out = NULL;
    return status;
}

enum jl_status session_fork(const struct session *session, struct session **out,
                            struct jl_error *err) {
    JL_TRY(create(session->set, out, err));
    struct session *fork = *out;
    enum jl_status status = state_fork(session->state, &fork->state, err);
    if (status != JL_OK) {
        session_free(fork);
        *out = NULL;
        return status;
    }
    fork->tip = session->tip;
    prefix_pin(session->set->cache, fork->tip);
    fork->owner = session->owner;
    fork->n_prompt = session->n_prompt;
    fork->n_id = session->n_id;
    memcpy(fork->ids, session->ids, (size_t)session->n_id * sizeof *fork->ids);
    session_logits_share(session, fork);
    const struct hparams *hp = &exec_model(session->set->exec)->hp;
    fork->n_hidden = session->n_hidden;
    if (session->hidden)
        memcpy(fork->hidden, session->hidden,
               (size_t)session->n_hidden * (size_t)hp->n_embd * sizeof *fork->hidden);
    session_drop_draft(fork);
    return JL_OK;
}

void session_own(struct session *session, uint64_t owner) { session->owner = owner; }

void session_free(struct session *session) {
    if (!session) return;
    prefix_unpin(session->set->cache, session->tip);
    state_free(session->state);
    free(session->ids);
    session_logits_free(session);
    free(session->hidden);
    free(session);
}

int session_n_token(const struct session *session) { return session_read_end(session); }

int session_n_pending(const struct session *session) {
    return session->n_id - session_read_end(session);
}

const int32_t *session_ids(const struct session *session) { return session->ids; }

int session_capacity(const struct session *session) {
    int64_t room = (int64_t)page_pool_size(session->set->pool, PAGE_KEYS) * KV_CHUNK;
    int n_ctx = session->set->n_ctx;
    return room < n_ctx ? (int)room : n_ctx;
}

size_t session_bytes(const struct session *session) { return state_bytes(session->state); }

const float *session_logits(const struct session *session) {
    size_t n_vocab = (size_t)exec_model(session->set->exec)->hp.n_vocab;
    if (session->n_id == 0 || !session_knows_logits(session, session->n_id)) return NULL;
    return session->logits + (size_t)(session->n_id - session->n_scored) * n_vocab;
}
