/* A model that is served: what it was opened as, its scheduler, and the forms its answers can be
 * held to. Shared by all threads, each of which holds it while it uses it. */
#ifndef JL_SERVE_SERVED_H
#define JL_SERVE_SERVED_H

#include "serve/constraint.h"
#include "serve/scheduler.h"
#include "session/chat_form.h"

struct served;

/* What whoever opens models gives; its own until `close`, which frees all of it. */
struct served_parts {
    const char *id;   // under which clients ask for it
    const char *path; // for people
    struct exec *exec;
    const struct tokenizer *tokenizer;
    const struct chat_form *form;    // form->tmpl NULL: it is not spoken to, only continued
    const struct end_tokens *ends;   // of answers; those of the form are among them
    struct sample_params params;     // where a request says nothing
    struct scheduler_options limits; // exec, tokenizer and ends are filled in
    void (*close)(void *ctx);
    void *ctx;
};

/* Its scheduler runs when this returns. On failure the parts are closed. */
enum jl_status served_open(const struct served_parts *parts, struct served **out,
                           struct jl_error *err);
struct served *served_hold(struct served *served);
/* The last one to let it go stops it. NULL is fine. */
void served_drop(struct served *served);

bool served_is_alone(const struct served *served); // nobody else holds it

const struct served_parts *served_parts(const struct served *served);
struct scheduler *served_scheduler(struct served *served);
struct constraints *served_constraints(struct served *served);
int64_t served_since(const struct served *served); // when it was opened, seconds since 1970
int served_n_ctx(const struct served *served);
/* What its bits are a function of: class and kind. */
const char *served_class(const struct served *served);

/* Ids of a text; with spans (n_user) that are a user's words. What was lately said to `owner` or by
 * the model in reply stays as it was spelled then (session/splice.h). */
enum jl_status served_encode(struct served *served, uint64_t owner,
                             const struct tokenizer_text *text, int flags, struct token_ids *out,
                             struct jl_error *err);
/* These were read by a session of the owner's: to be remembered for the next turn. */
void served_remember(struct served *served, uint64_t owner, const int32_t *ids, int n);

#endif
