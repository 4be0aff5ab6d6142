/* Sessions, alone and many in a pass. */
#include <stdlib.h>

#include "api/self.h"

/* A new handle around `inner`, or around nothing after a failure. */
static enum jl_status wrap(enum jl_status status, struct jl_engine *engine, struct session *inner,
                           jl_session **out, struct jl_error *err) {
    *out = NULL;
    if (status != JL_OK) return status;
    struct jl_session *session = calloc(1, sizeof *session);
    if (!session) {
        session_free(inner);
        return jl_no_memory(err, "a session");
    }
    *session = (struct jl_session){engine, inner};
    *out = session;
    return JL_OK;
}

enum jl_status jl_session_create(jl_engine *engine, jl_session **out, struct jl_error *err) {
    struct session *inner = NULL;
    enum jl_status status = session_create(engine->sessions, &inner, err);
    return wrap(status, engine, inner, out, err);
}

enum jl_status jl_session_fork(const jl_session *from, jl_session **out, struct jl_error *err) {
    struct session *inner = NULL;
    enum jl_status status = session_fork(from->session, &inner, err);
    return wrap(status, from->engine, inner, out, err);
}

void jl_session_free(jl_session *session) {
    if (!session) return;
    session_free(session->session);
    free(session);
}

int32_t jl_session_n_token(const jl_session *session) { return session_n_token(session->session); }

int32_t jl_session_n_pending(const jl_session *session) {
    return session_n_pending(session->session);
}

int32_t jl_session_capacity(const jl_session *session) {
    return session_capacity(session->session);
}

const int32_t *jl_session_ids(const jl_session *session) { return session_ids(session->session); }

const float *jl_session_logits(const jl_session *session) {
    return session_logits(session->session);
}

enum jl_status jl_session_sync(jl_session *session, const int32_t *ids, int32_t n,
                               const struct jl_watch *watch, int32_t *reused,
                               struct jl_error *err) {
    struct session_watch inner = {0};
    int kept;
    if (watch)
        inner = (struct session_watch){jl_cancel_flag(watch->cancel), watch->step, watch->ctx};
    enum jl_status status = session_sync(session->session, ids, n, &inner, &kept, err);
    if (status == JL_OK && reused) *reused = kept;
    return status;
}

enum jl_status jl_session_push(jl_session *session, int32_t id, struct jl_error *err) {
    return session_push(session->session, id, err);
}

enum jl_status jl_session_rewind(jl_session *session, int32_t n, struct jl_error *err) {
    return session_rewind(session->session, n, err);
}

enum jl_status jl_session_add(jl_session *session, const int32_t *ids, int32_t n,
                              struct jl_error *err) {
    return session_add(session->session, ids, n, err);
}

#define FEW 64 // sessions of a pass whose list needs no heap

enum jl_status jl_engine_forward(jl_engine *engine, jl_session *const *sessions, int n,
                                 const jl_cancel *cancel, struct jl_error *err) {
    struct session *few[FEW] = {NULL}, **list = few;
    if (n < 0) return jl_fail(err, JL_ERR_USAGE, "a list of %d sessions", n);
    for (int i = 0; i < n; i++)
        if (sessions[i]->engine != engine)
            return jl_fail(err, JL_ERR_USAGE, "session %d of the list is another engine's", i);
    if (n > FEW) {
        list = calloc((size_t)n, sizeof(struct session *));
        if (!list) return jl_no_memory(err, "a list of sessions");
    }
    for (int i = 0; i < n; i++)
        list[i] = sessions[i]->session;
    enum jl_status status =
        session_set_forward(engine->sessions, list, n, jl_cancel_flag(cancel), err);
    if (list != few) free(list);
    return status;
}

enum jl_status jl_session_save(jl_session *session, const char *path, struct jl_error *err) {
    return session_save(session->session, path, err);
}

enum jl_status jl_session_load(jl_session *session, const char *path, struct jl_error *err) {
    return session_load(session->session, path, err);
}
