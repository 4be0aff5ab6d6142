/* A session: one sequence of tokens, what the model has computed of it, and the logits after it.
 *
 * A session is told what its tokens are (aim, add) and passes bring it there. What a new prompt
 * shares with what was read stays; the rest is cut off and read again. A model with recurrent
 * layers goes back to the last checkpoint before the first difference (session/state.h), and reads
 * on from there. One pass serves many sessions, some reading a long prompt in parts while others
 * take a token each. Nothing of this can be seen in the logits: they have the bits of a session
 * that read the same tokens alone and at once.
 *
 * A session and its set have one owner. Bringing a session forward needs no heap. */
#ifndef JL_SESSION_SESSION_H
#define JL_SESSION_SESSION_H

#include <stdatomic.h>

#include "model/exec.h"
#include "session/prefix.h"
#include "session/state.h"

/* ---- what the sessions of one model share ---- */

struct session_set;

/* Where drafts come from (speculator.h). */
enum draft_kind {
    DRAFT_AUTO,    // all there is
    DRAFT_NONE,    // nowhere
    DRAFT_LOOKUP,  // what followed the same tokens before
    DRAFT_PREDICT, // the model's prediction layer, which goes along with every pass
};

struct session_options {
    int n_seq;           // sessions in one pass, and at once if each takes all it can; 0: 1
    int n_ctx;           // most tokens of a session; 0: the model's context
    int n_page;          // cache pages of all of them; 0: n_ctx tokens for each of n_seq
    size_t prefix_bytes; // of pages kept for whoever begins with the same tokens; 0: none. They are
                         // among the n_page and given up when a session needs them. Recurrent
                         // states kept with them come on top.
    int n_draft;         // most drafted tokens of a session in a pass; 0: none
    enum draft_kind draft;
};

int session_set_n_draft(const struct session_options *options, int rows); // of a pass's rows
bool session_set_predicts(const struct model *model, const struct session_options *options);
/* The pages that such a set will take, for page_counts_bytes; n_page 0: without that limit. */
struct page_counts session_set_counts(const struct model *model,
                                      const struct session_options *options);
enum jl_status session_set_create(struct exec *exec, const struct session_options *options,
                                  struct session_set **out, struct jl_error *err);
void session_set_free(struct session_set *set); // after its sessions; NULL is fine
struct page_pool *session_set_pool(const struct session_set *set);
const struct prefix_cache *session_set_cache(const struct session_set *set); // NULL: none

/* ---- one session ---- */

struct session;

enum jl_status session_create(struct session_set *set, struct session **out, struct jl_error *err);
void session_free(struct session *session); // NULL is fine
/* Whose it is, before it has any tokens: cached prefixes are found by sessions of one owner only.
 * Without it the owner is 0; a fork has that of the other. */
void session_own(struct session *session, uint64_t owner);
/* Another session that is where this one is, logits included. They share what is cached. */
enum jl_status session_fork(const struct session *session, struct session **out,
                            struct jl_error *err);

int session_n_token(const struct session *session);        // read
int session_n_pending(const struct session *session);      // still to be read
const int32_t *session_ids(const struct session *session); // those read, then those pending
/* How many of the tokens that it has read these n begin with. */
int session_common_prefix(const struct session *session, const int32_t *ids, int n);
int session_capacity(const struct session *session); // most tokens it can have, or what
                                                     // the pool's pages hold
size_t session_bytes(const struct session *session); // of the cached state, shared or not
/* (n_vocab), after the last token, until the set's next pass; NULL: not known. */
const float *session_logits(const struct session *session);

/* The session's tokens shall be these (n >= 1), with logits. *reused: how many of them need not be
 * read. A prompt longer than session_capacity is JL_ERR_LIMIT, a token outside the vocabulary
 * JL_ERR_USAGE, and both change nothing. */
enum jl_status session_aim(struct session *session, const int32_t *ids, int n, int *reused,
                           struct jl_error *err);
/* And these after them. What was drafted and read already needs no pass. */
enum jl_status session_add(struct session *session, const int32_t *ids, int n,
                           struct jl_error *err);
/* Keeps the first n tokens, the pending ones counted. A model with recurrent layers may have to
 * read some of them again: they are pending then. */
enum jl_status session_rewind(struct session *session, int n, struct jl_error *err);

/* It reads at most so many tokens in a pass; 0, as it begins: as many as the pass has rows for. */
void session_pace(struct session *session, int n);

/* One pass over `list`, none of them twice: each session that has tokens pending reads at least one
 * of them, and as many as the pass's rows and its pace allow, the first in the list first. At most
 * n_seq may have tokens pending. On failure, JL_ERR_CANCELLED included, nobody has read anything.
 */
enum jl_status session_set_forward(struct session_set *set, struct session *const *list, int n,
                                   const atomic_bool *cancel, struct jl_error *err);

/* ---- drafts: tokens that may come next, read ahead of the decision ---- */

/* A pass reads a session's draft behind its pending tokens and gives the logits after each of them.
 * session_add of the token that was drafted then costs nothing; any other token, and everything
 * else that changes the tokens, drops what is left of the draft. So a draft is never part of the
 * session: it can be seen in nothing but the time. */
int session_draft_room(const struct session *session); // most tokens it would take now
/* In place of an earlier draft, n of the room at most; JL_ERR_USAGE when nothing is pending. */
enum jl_status session_draft(struct session *session, const int32_t *ids, int n,
                             struct jl_error *err);
void session_drop_draft(struct session *session);
int session_n_draft(const struct session *session); // what is left of it

/* What the prediction layer would go on with, up to n tokens into ids; *n_got is 0 where the layer
 * has not passed through what was read (a file without its keys), or not just one token is
 * pending. An error of the layer, which session_set_predict_error then tells, ends its part in this
 * session; the session itself is as before. */
void session_predict(struct session *session, int32_t *ids, int n, int *n_got);
const struct jl_error *session_set_predict_error(const struct session_set *set); // NULL: none

/* ---- one session alone ---- */

/* One pass. */
enum jl_status session_forward(struct session *session, const atomic_bool *cancel,
                               struct jl_error *err);

/* How others take part in a long feed; NULL members are left out. */
struct session_watch {
    const atomic_bool *cancel;
    void (*step)(void *ctx, int done, int total); // after each pass
    void *ctx;
};

/* session_aim and all passes that it takes. After JL_ERR_CANCELLED or another failure of a pass the
 * session has read a part of `ids`, and the rest is pending. watch may be NULL. */
enum jl_status session_sync(struct session *session, const int32_t *ids, int n,
                            const struct session_watch *watch, int *reused, struct jl_error *err);

/* One token more and the logits after it. On failure there is no such token. JL_ERR_LIMIT when the
 * capacity is reached. */
enum jl_status session_push(struct session *session, int32_t id, struct jl_error *err);

#endif
